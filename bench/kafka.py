"""The log on a real Kafka: exactly once beside a bare loop, the classifier on the real stream, and one story's way.

The bare loop is aiokafka without any promise: read, send, acknowledged by one broker, nothing committed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING
from uuid import uuid4

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from bench.bus import HEADERS, VALUE
from bench.figures import Figure
from services.bus.kafka import KafkaBus
from services.bus.kafka.admin import TopicAdmin
from services.bus.kafka.engine import Cluster
from services.bus.kafka.names import Names
from services.bus.loop import LaneService, Step
from services.bus.ports import Message
from services.bus.topics import FEED_EVENTS, STORIES
from services.clock import SystemClock
from tests.kafka_broker import running

if TYPE_CHECKING:
    from datetime import datetime

    from services.bus.ports import Lane, Record

PARTITIONS = 6
RECORDS = 120_000
LOAD_BATCH = 400
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


async def load(bus: KafkaBus, records: int) -> None:
    """Append records of 2 KB, evenly over the partitions."""
    for number, start in enumerate(range(0, records, LOAD_BATCH)):
        await bus.append(
            [
                Message(STORIES.name, number % PARTITIONS, f"{n:032x}", VALUE, HEADERS)
                for n in range(start, start + LOAD_BATCH)
            ]
        )


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


async def transform(bus: KafkaBus, records: int) -> float:
    """Return the records a second of a service whose lanes copy exactly once."""
    clock = SystemClock()
    started = perf_counter()
    service = LaneService("bench", await bus.join(f"bench-{uuid4().hex}", [STORIES.name]), Copying, live=True)
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
    cluster = Cluster(address, Names(f"b{uuid4().hex[:8]}", "bench"))
    async with TopicAdmin(cluster, shards=PARTITIONS) as admin:
        await admin.create((STORIES.name, FEED_EVENTS.name))
    bus = await KafkaBus.open(cluster)
    await load(bus, RECORDS)
    pairs = [(await bare_transform(cluster, RECORDS), await transform(bus, RECORDS)) for _ in range(RUNS)]
    await bus.close()
    return [bare for bare, _ in pairs], [ours for _, ours in pairs]


def main() -> Iterator[Figure]:
    """Measure everything."""
    with running() as broker:
        bare, ours = asyncio.run(throughput(broker.address))
        yield Figure(
            "exactly-once transform, 2 KB, 6 partitions",
            median(ours),
            "records/s",
            median(bare),
            0.85,
            judged="ratio",
        )
