"""The log on a real Kafka: exactly once beside a bare loop, the classifier on the real stream, and one story's way.

The bare loop is aiokafka without any promise: read, send, acknowledged by one broker, nothing committed.
"""

from __future__ import annotations

import asyncio
import gc
import gzip
import json
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import TYPE_CHECKING, NamedTuple
from uuid import uuid4

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from bench import latency
from bench.bus import HEADERS, VALUE, percentile
from bench.classify import STREAM
from bench.figures import Figure
from services.bootstrap import garbage
from services.bootstrap.backtest import message_of, stories_from
from services.bus.kafka import KafkaBus
from services.bus.kafka.admin import TopicAdmin
from services.bus.kafka.engine import Cluster
from services.bus.kafka.names import Names
from services.bus.loop import LaneService, Step
from services.bus.ports import Message
from services.bus.topics import FEED_EVENTS, STORIES, VERDICTS
from services.classifier.classify import load_model
from services.classifier.stage import ClassifierStage
from services.cli.classify import answers
from services.cli.lines import opened
from services.clock import SystemClock
from tests.kafka_broker import running

if TYPE_CHECKING:
    from datetime import datetime

    from services.bus.loop import Stage
    from services.bus.ports import Lane, Record

PARTITIONS = 6
RECORDS = 120_000
LOAD_BATCH = 400
ITEMS = 60_000
RUNS = 3
GET_RECORDS = 5_000


class Span(NamedTuple):
    """Records a second of one run: by the clock on the wall, and of this process's processor time."""

    wall: float
    processor: float


class Stopwatch:
    """Runs from when it is made."""

    def __init__(self) -> None:
        """Start."""
        self._wall, self._processor = perf_counter(), process_time()

    def after(self, records: int) -> Span:
        """Return how fast so many records were."""
        return Span(records / (perf_counter() - self._wall), records / (process_time() - self._processor))


@dataclass
class Rates:
    """The runs of one loop."""

    spans: list[Span] = field(default_factory=list)

    @property
    def wall(self) -> float:
        """The median by the clock on the wall."""
        return median(span.wall for span in self.spans)

    @property
    def processor(self) -> float:
        """The median of processor time."""
        return median(span.processor for span in self.spans)


class Copying:
    """A stage that copies what it is given."""

    state_topics: tuple[str, ...] = ()

    def __init__(self, _lane: Lane) -> None:
        """Take nothing from the lane."""

    def load(self, record: Record) -> None:
        """Take nothing."""

    def next_wakeup(self) -> datetime | None:
        """Have no timers."""
        return None

    def step(self, records: Sequence[Record], _now: datetime) -> Step:
        """Copy each record to the same partition of another topic."""
        return Step([Message(FEED_EVENTS.name, r.partition, r.key, r.value, r.headers) for r in records])


async def load(bus: KafkaBus, messages: list[Message]) -> None:
    """Append messages, a batch of one partition after the other."""
    for partition in range(PARTITIONS):
        own = [message for message in messages if message.partition == partition]
        for start in range(0, len(own), LOAD_BATCH):
            await bus.append(own[start : start + LOAD_BATCH])


def copies(records: int) -> list[Message]:
    """Return messages of 2 KB, evenly over the partitions."""
    return [Message(STORIES.name, n % PARTITIONS, f"{n:032x}", VALUE, HEADERS) for n in range(records)]


def stories_of(lines: list[bytes]) -> list[Message]:
    """Return the items of a stream as the poller publishes them."""
    return [message_of(story, PARTITIONS) for story in stories_from(json.loads(line) for line in lines)]


async def bare_transform(cluster: Cluster, records: int) -> Span:
    """Copy records with a loop that promises nothing."""
    source, target = cluster.names.topic(STORIES.name), cluster.names.topic(FEED_EVENTS.name)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=cluster.address, auto_offset_reset="earliest", enable_auto_commit=False
    )
    producer = AIOKafkaProducer(bootstrap_servers=cluster.address, acks=1, max_batch_size=1024 * 1024)
    watch = Stopwatch()
    await consumer.start()
    await producer.start()
    places = [TopicPartition(source, n) for n in range(PARTITIONS)]
    consumer.assign(places)
    for place in places:
        consumer.seek(place, 0)
    done = 0
    while done < records:
        got = await consumer.getmany(timeout_ms=1_000, max_records=GET_RECORDS)
        sent = [
            await producer.send(target, r.value, r.key, partition=r.partition, headers=list(r.headers))
            for found in got.values()
            for r in found
        ]
        done += len(sent)
    await producer.flush()
    span = watch.after(records)
    await consumer.stop()
    await producer.stop()
    return span


async def served(bus: KafkaBus, records: int, make_stage: Callable[[Lane], Stage]) -> Span:
    """Let a live service of a new group do all that is there."""
    clock, watch = SystemClock(), Stopwatch()
    membership = await bus.join(f"bench-{uuid4().hex}", [STORIES.name])
    service = LaneService("bench", membership, make_stage, live=True)
    done = 0
    while done < records:
        progress = await service.drain(clock.now())
        done += progress.records
        if not progress.moved:
            await service.wait(1)
    span = watch.after(records)
    await service.close()
    return span


async def throughput(address: str) -> list[Rates]:
    """Return the rates of a bare loop, and of a service that copies exactly once."""
    cluster = await a_cluster(address)
    bus = await KafkaBus.open(cluster)
    await load(bus, copies(RECORDS))
    rates = await in_turn(lambda: bare_transform(cluster, RECORDS), lambda: served(bus, RECORDS, Copying))
    await bus.close()
    return rates


async def classifying(address: str, lines: list[bytes]) -> list[Rates]:
    """Return the rates of ``tumen classify``, of a bare loop over the same stories, and of the classifier's service.

    The service has its process's settings of the garbage collector, the others have the default ones.
    """
    model = load_model()
    cluster = await a_cluster(address)
    bus = await KafkaBus.open(cluster)
    await load(bus, stories_of(lines))
    count = len(lines)
    plain = gc.get_threshold()

    async def file() -> Span:
        return file_to_file(lines)

    async def service() -> Span:
        garbage.settle()
        try:
            return await served(bus, count, lambda lane: ClassifierStage(lane, model))
        finally:
            gc.unfreeze()
            gc.set_threshold(*plain)

    rates = await in_turn(file, lambda: bare_transform(cluster, count), service)
    await bus.close()
    return rates


async def in_turn(*loops: Callable[[], Awaitable[Span]]) -> list[Rates]:
    """Run measurements in turn, so that what else the machine does disturbs all of them."""
    rates = [Rates() for _ in loops]
    for _ in range(RUNS):
        for loop, rate in zip(loops, rates, strict=True):
            rate.spans.append(await loop())
    return rates


async def a_cluster(address: str) -> Cluster:
    """Return a cluster with fresh topics."""
    cluster = Cluster(address, Names(f"b{uuid4().hex[:8]}", "bench"))
    async with TopicAdmin(cluster, shards=PARTITIONS) as admin:
        await admin.create((STORIES.name, FEED_EVENTS.name, VERDICTS.name))
    return cluster


def file_to_file(lines: list[bytes]) -> Span:
    """Do what ``tumen classify`` does with these items, starting up left out."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "in.jsonl"
        source.write_bytes(b"".join(lines))
        watch = Stopwatch()
        with opened(str(source)) as given, (Path(folder) / "out.jsonl").open("wb") as out:
            for answer in answers(given, "bench"):
                out.write(answer.line)
        return watch.after(len(lines))


def real_lines() -> list[bytes]:
    """Return items of the real stream; none where it does not lie beside the checkout."""
    if not STREAM.is_file():
        return []
    with gzip.open(STREAM) as stream:
        return list(islice(stream, ITEMS))


def main() -> Iterator[Figure]:
    """Measure everything."""
    with running() as broker:
        bare, ours = asyncio.run(throughput(broker.address))
        yield from beside("exactly-once transform, 2 KB, 6 partitions", ours, bare)
        if lines := real_lines():
            file, bare, ours = asyncio.run(classifying(broker.address, lines))
            yield Figure("tumen classify, same items", file.wall, "items/s")
            slower = min((file, bare), key=lambda rates: rates.wall)
            yield from beside("classifier service beside the slower", ours, slower)
        for name, commands in (("one process", latency.ONE_PROCESS), ("a process each", latency.SEPARATE)):
            times = asyncio.run(latency.measure(broker.address, commands))
            yield Figure(f"feed to alert, {name}, p50", percentile(times, 0.5), "ms", None, 60, "at most")
            yield Figure(f"feed to alert, {name}, p99", percentile(times, 0.99), "ms", None, 250, "at most")


def beside(name: str, ours: Rates, bare: Rates) -> Iterator[Figure]:
    """Return figures whose target is a part of the bare loop's; the processor's says what a busy machine hides."""
    yield Figure(name, ours.wall, "records/s", bare.wall, 0.85, judged="ratio")
    yield Figure(f"{name}, processor", ours.processor, "records/CPU s", bare.processor)
