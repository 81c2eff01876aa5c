"""The log on a real Kafka: exactly once beside a bare loop, the classifier on the real stream, and one story's way.

The bare loop is aiokafka without any promise: read, send, acknowledged by one broker, nothing committed.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING
from uuid import uuid4

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from bench import latency
from bench.bus import HEADERS, VALUE, percentile
from bench.classify import STREAM
from bench.figures import Figure
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


async def bare_transform(cluster: Cluster, records: int) -> float:
    """Return the records a second of a loop that promises nothing."""
    source, target = cluster.names.topic(STORIES.name), cluster.names.topic(FEED_EVENTS.name)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=cluster.address, auto_offset_reset="earliest", enable_auto_commit=False
    )
    producer = AIOKafkaProducer(bootstrap_servers=cluster.address, acks=1, max_batch_size=1024 * 1024)
    started = perf_counter()
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
    rate = records / (perf_counter() - started)
    await consumer.stop()
    await producer.stop()
    return rate


async def served(bus: KafkaBus, records: int, make_stage: Callable[[Lane], Stage]) -> float:
    """Return the records a second of a live service."""
    clock = SystemClock()
    started = perf_counter()
    membership = await bus.join(f"bench-{uuid4().hex}", [STORIES.name])
    service = LaneService("bench", membership, make_stage, live=True)
    done = 0
    while done < records:
        progress = await service.drain(clock.now())
        done += progress.records
        if not progress.moved:
            await service.wait(1)
    rate = records / (perf_counter() - started)
    await service.close()
    return rate


async def throughput(address: str) -> tuple[list[float], list[float]]:
    """Return the rates of both loops, run in turn."""
    cluster = await a_cluster(address)
    bus = await KafkaBus.open(cluster)
    await load(bus, copies(RECORDS))
    bare, ours = await in_turn(
        lambda: bare_transform(cluster, RECORDS), lambda: served(bus, RECORDS, Copying)
    )
    await bus.close()
    return bare, ours


async def classifying(address: str, stories: list[Message]) -> tuple[list[float], list[float]]:
    """Return the rates of a bare loop over the stories, and of the classifier's service."""
    model = load_model()
    cluster = await a_cluster(address)
    bus = await KafkaBus.open(cluster)
    await load(bus, stories)
    bare, ours = await in_turn(
        lambda: bare_transform(cluster, len(stories)),
        lambda: served(bus, len(stories), lambda lane: ClassifierStage(lane, model)),
    )
    await bus.close()
    return bare, ours


async def in_turn(
    one: Callable[[], Awaitable[float]], other: Callable[[], Awaitable[float]]
) -> tuple[list[float], list[float]]:
    """Run two measurements in turn, so that what else the machine does disturbs both."""
    pairs = [(await one(), await other()) for _ in range(RUNS)]
    return [first for first, _ in pairs], [second for _, second in pairs]


async def a_cluster(address: str) -> Cluster:
    """Return a cluster with fresh topics."""
    cluster = Cluster(address, Names(f"b{uuid4().hex[:8]}", "bench"))
    async with TopicAdmin(cluster, shards=PARTITIONS) as admin:
        await admin.create((STORIES.name, FEED_EVENTS.name, VERDICTS.name))
    return cluster


def file_to_file(lines: list[bytes]) -> float:
    """Return the items a second of ``tumen classify`` on the same items, starting up left out."""
    load_model()
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "in.jsonl"
        source.write_bytes(b"".join(lines))
        started = perf_counter()
        with opened(str(source)) as given, (Path(folder) / "out.jsonl").open("wb") as out:
            for answer in answers(given, "bench"):
                out.write(answer.line)
        return len(lines) / (perf_counter() - started)


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
        yield of_bare("exactly-once transform, 2 KB, 6 partitions", ours, bare)
        if lines := real_lines():
            files = [file_to_file(lines) for _ in range(RUNS)]
            bare, ours = asyncio.run(classifying(broker.address, stories_of(lines)))
            yield Figure("tumen classify, same items", median(files), "items/s")
            slower = min((files, bare), key=median)
            yield of_bare("classifier service, real stream, beside the slower", ours, slower)
        for name, commands in (("one process", latency.ONE_PROCESS), ("a process each", latency.SEPARATE)):
            times = asyncio.run(latency.measure(broker.address, commands))
            yield Figure(f"feed to alert, {name}, p50", percentile(times, 0.5), "ms", None, 60, "at most")
            yield Figure(f"feed to alert, {name}, p99", percentile(times, 0.99), "ms", None, 250, "at most")


def of_bare(name: str, ours: list[float], bare: list[float]) -> Figure:
    """Return a figure whose target is a part of the bare loop's."""
    return Figure(name, median(ours), "records/s", median(bare), 0.85, judged="ratio")
