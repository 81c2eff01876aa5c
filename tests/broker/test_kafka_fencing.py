"""Who owns a lane is who started its producer last; and a message that the brokers refuse takes its offset with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from services.bus.kafka import KafkaBus, producers
from services.bus.kafka.engine import Engine
from services.bus.ports import LaneLost, Message, MessageTooLarge
from services.bus.topics import STORIES, VERDICTS
from tests.kafka_bus import SESSION_S, a_cluster, make_topics

if TYPE_CHECKING:
    from services.bus.kafka.engine import Cluster
    from services.bus.ports import Batch, Lane
    from tests.kafka_broker import Broker

pytestmark = pytest.mark.broker

SMALL_BYTES = 1_000


@pytest.fixture
async def closing() -> AsyncIterator[AsyncExitStack]:
    """Close what a test opened, however it ends."""
    async with AsyncExitStack() as stack:
        yield stack


async def opened(closing: AsyncExitStack, cluster: Cluster) -> KafkaBus:
    """Open a bus that the test's end closes."""
    bus = await KafkaBus.open(cluster)
    closing.push_async_callback(bus.close)
    return bus


async def usurp(cluster: Cluster) -> None:
    """Start the lane's producer as another process of the group would, and end that process."""
    engine = Engine(cluster)
    await engine.start()
    transactional_id = cluster.names.transactional_id("g", STORIES.name, 0)
    await producers.discard(await producers.start(engine, transactional_id))
    await engine.stop()


async def lose(lane: Lane, batch: Batch, *messages: Message) -> None:
    """Commit messages with a batch; the test says how it fails."""
    async with lane.transaction(batch) as outbox:
        outbox.send_all(messages)


async def test_a_fenced_owner_does_not_fence_back(broker: Broker, closing: AsyncExitStack) -> None:
    """A zombie's commit is void, and it leaves the partition alone until the group or the session says otherwise."""
    cluster = a_cluster(broker)
    await make_topics(cluster, shards=1)
    bus = await opened(closing, cluster)
    membership = await bus.join("g", [STORIES.name])
    await bus.append([Message(STORIES.name, 0, "1", b"x")])
    (lane,) = await membership.lanes()
    batch = await lane.poll()

    await usurp(cluster)
    with pytest.raises(LaneLost, match="another owner"):
        await lose(lane, batch, Message(VERDICTS.name, 0, "1", b"x"))
    assert await membership.lanes() == []
    assert [record async for record in bus.read(VERDICTS.name)] == []

    async with asyncio.timeout(SESSION_S * 3):
        while not (lanes := await membership.lanes()):
            await membership.wait(1.0)
    assert (await lanes[0].poll()).records == batch.records


async def test_a_refused_message_does_not_commit_the_others(broker: Broker, closing: AsyncExitStack) -> None:
    """A send that fails fails its transaction: no output, no offset, and the message is named."""
    cluster = a_cluster(broker)
    await make_topics(cluster, (STORIES.name,), shards=1)
    admin = AIOKafkaAdminClient(**cluster.client)
    await admin.start()
    wide = Message(VERDICTS.name, 0, "wide", b"x" * 2 * SMALL_BYTES)
    small = {"max.message.bytes": str(SMALL_BYTES)}
    await admin.create_topics([NewTopic(cluster.names.topic(VERDICTS.name), 1, 1, topic_configs=small)])
    await admin.close()
    bus = await opened(closing, cluster)
    await bus.demand([VERDICTS.name])  # a topic made a moment ago may not be known yet
    membership = await bus.join("g", [STORIES.name])
    await bus.append([Message(STORIES.name, 0, "1", b"x")])
    (lane,) = await membership.lanes()
    batch = await lane.poll()

    with pytest.raises(MessageTooLarge, match=r"tumen\.verdicts\.v1 wide: 2,000 bytes"):
        await lose(lane, batch, Message(STORIES.name, 0, "beside", b"x"), wide)
    (fresh,) = await membership.lanes()
    assert [record.key for record in (await fresh.poll()).records] == ["1"]
    assert [record.key async for record in bus.read(STORIES.name)] == ["1"]
