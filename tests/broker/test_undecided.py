"""What a transaction without an outcome may still change is nothing to begin from: a lane waits, and says why."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from aiokafka.structs import OffsetAndMetadata

from services.bus.kafka import KafkaBus, producers
from services.bus.kafka.engine import Engine
from services.bus.ports import BusUnavailable, Message
from services.bus.topics import FEED_STATE, STORIES
from tests.kafka_bus import a_cluster, make_topics

if TYPE_CHECKING:
    from aiokafka import AIOKafkaProducer

    from services.bus.kafka.engine import Cluster
    from tests.kafka_broker import Broker

pytestmark = pytest.mark.broker

GROUP = "g"
SAID = "without an outcome"


@pytest.fixture
async def closing() -> AsyncIterator[AsyncExitStack]:
    """Close what a test opened, however it ends."""
    async with AsyncExitStack() as stack:
        yield stack


@asynccontextmanager
async def begun(cluster: Cluster) -> AsyncIterator[tuple[Engine, AIOKafkaProducer]]:
    """Begin a transaction that no take-over decides: as one whose markers a broker forgot to write."""
    engine = Engine(cluster)
    await engine.start()
    producer = await producers.start(engine, "forgotten")
    try:
        await producer.begin_transaction()
        yield engine, producer
    finally:
        await producers.discard(producer)
        await engine.stop()


async def a_bus(broker: Broker, closing: AsyncExitStack) -> tuple[Cluster, KafkaBus]:
    """Open a log with two stories on one partition."""
    cluster = a_cluster(broker)
    await make_topics(cluster, (STORIES.name, FEED_STATE.name), shards=1)
    bus = await KafkaBus.open(cluster)
    closing.push_async_callback(bus.close)
    for key in ("1", "2"):
        await bus.append([Message(STORIES.name, 0, key, b"x")])
    return cluster, bus


async def test_a_lane_does_not_begin_at_an_offset_that_may_change(
    broker: Broker, closing: AsyncExitStack
) -> None:
    """Otherwise what that transaction did would be done again, and be there twice once the outcome is known."""
    cluster, bus = await a_bus(broker, closing)
    async with begun(cluster) as (engine, producer):
        place = engine.place(STORIES.name, 0)
        await producer.send_offsets_to_transaction(
            {place: OffsetAndMetadata(1, "")}, cluster.names.group(GROUP)
        )
        membership = await bus.join(GROUP, [STORIES.name])
        with pytest.raises(BusUnavailable, match=SAID):
            await membership.lanes()
        await producer.commit_transaction()
    (lane,) = await membership.lanes()
    assert [record.key for record in (await lane.poll()).records] == ["2"]


async def test_a_state_is_not_restored_without_its_last_transaction(
    broker: Broker, closing: AsyncExitStack
) -> None:
    """A state that is older than the offset would be taken for the newest, and its changes would be made twice."""
    cluster, bus = await a_bus(broker, closing)
    await bus.append([Message(FEED_STATE.name, 0, "count", b"1")])
    (lane,) = await (await bus.join(GROUP, [STORIES.name])).lanes()
    async with begun(cluster) as (engine, producer):
        message = Message(FEED_STATE.name, 0, "count", b"2")
        await producers.send_all(producer, [(engine.prepare(message), message)])
        with pytest.raises(BusUnavailable, match=SAID):
            assert [record async for record in lane.restore(FEED_STATE.name)] == []
        await producer.commit_transaction()
    assert [record.value async for record in lane.restore(FEED_STATE.name)] == [b"2"]
