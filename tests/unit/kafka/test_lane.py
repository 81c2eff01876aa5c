"""What a failed commit tells the owner of a lane: lost, not now, or the bug that it is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import NotLeaderForPartitionError, ProducerFenced
from aiokafka.structs import OffsetAndMetadata

from services.bus.kafka.engine import Cluster, Engine
from services.bus.kafka.lanes import KafkaLane
from services.bus.kafka.producers import make_producer
from services.bus.ports import Batch, BusUnavailable, LaneLost, Record
from services.bus.topics import STORIES

BATCH = Batch((Record(STORIES.name, 0, 7, "k", b"x", (), 0),), 8)


@pytest.fixture
async def engine() -> AsyncIterator[Engine]:
    """Return the shared parts, connected to nothing."""
    engine = Engine(Cluster("127.0.0.1:1"))
    yield engine
    await engine.stop()


def lane_that_fails(engine: Engine, error: BaseException) -> KafkaLane:
    """Return an owned lane whose next transaction raises this."""
    membership: Any = SimpleNamespace(
        engine=engine, group="g", name="g", number=1, was_lost=lambda *_, **__: None
    )
    producer = make_producer(engine.cluster, "id")

    async def begin() -> None:
        raise error

    producer.begin_transaction = begin
    place = TopicPartition(engine.names.topic(STORIES.name), 0)
    return KafkaLane(membership, place, producer, OffsetAndMetadata(7, ""))


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ProducerFenced(), LaneLost),
        (NotLeaderForPartitionError(), BusUnavailable),
        (OSError("connection reset"), BusUnavailable),
        (AssertionError(), BusUnavailable),
        (TimeoutError(), BusUnavailable),
        (KeyError("a bug"), KeyError),
        (ValueError("a bug"), ValueError),
    ],
    ids=repr,
)
async def test_only_the_clusters_failures_are_the_clusters(
    engine: Engine, error: Exception, told: type[Exception]
) -> None:
    """A bug in ours would be tried again for ever if it were called an outage; whatever it is, the lane is void."""
    lane = lane_that_fails(engine, error)
    with pytest.raises(told) as met:
        async with lane.transaction(BATCH):
            pass
    assert type(met.value) is told
    assert lane.lost
    with pytest.raises(LaneLost):
        await lane.poll()


async def test_a_cancelled_commit_is_no_failure_of_the_cluster(engine: Engine) -> None:
    """Who ends the loop is told that it was ended."""
    lane = lane_that_fails(engine, asyncio.CancelledError())
    with pytest.raises(asyncio.CancelledError):
        async with lane.transaction(BATCH):
            pass
