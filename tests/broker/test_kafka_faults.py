"""What a cluster does to its clients: it goes away and comes back, it freezes, it forgets those that are idle."""

from __future__ import annotations

import asyncio
import resource
import signal
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

import pytest

from services.bus.kafka import KafkaBus
from services.bus.kafka.engine import ASK_S
from services.bus.kafka.membership import HOLD_SHARE
from services.bus.ports import BusDamaged, BusUnavailable, LaneLost, Message, MessageTooLarge
from services.bus.topics import FEEDS, STORIES, VERDICTS
from tests.kafka_broker import Broker, running
from tests.kafka_bus import SESSION_S, a_cluster, make_topics
from tests.pause import nap

if TYPE_CHECKING:
    from services.bus.kafka.lanes import KafkaLane
    from services.bus.kafka.membership import KafkaMembership
    from services.bus.ports import Bus

pytestmark = pytest.mark.broker

EXPIRY = (
    "transactional.id.expiration.ms=3000\ntransaction.remove.expired.transaction.cleanup.interval.ms=500\n"
)
IDLE_S = 6.0
SLACK_S = 2.0
SOON_S = 30.0
CPU_SHARE_MAX = 0.25
"""Of one core, while Kafka is away: no spin."""


@pytest.fixture(scope="module")
def own_broker() -> Iterator[Broker]:
    """Boot a broker that may be hurt, and that forgets idle producers within seconds."""
    with running(EXPIRY) as started:
        yield started


@pytest.fixture
async def bus(own_broker: Broker) -> AsyncIterator[KafkaBus]:
    """Open a bus on topics of this test's own."""
    cluster = a_cluster(own_broker)
    await make_topics(cluster, shards=1)
    opened = await KafkaBus.open(cluster)
    yield opened
    await opened.close()


async def append(bus: Bus, *numbers: int) -> None:
    """Append numbered stories."""
    await bus.append([Message(STORIES.name, 0, str(n), b"x") for n in numbers])


async def relay(lane: KafkaLane) -> int:
    """Copy what a lane has to the verdicts."""
    batch = await lane.poll()
    if batch.records:
        async with lane.transaction(batch) as outbox:
            outbox.send_all(Message(VERDICTS.name, 0, r.key, r.value) for r in batch.records)
    return len(batch.records)


async def relay_anew(membership: KafkaMembership) -> None:
    """Relay with whatever lane there is, once Kafka answers again."""
    async with asyncio.timeout(SOON_S):
        while True:
            try:
                for lane in await membership.lanes():
                    if await relay(lane):
                        return
                await membership.wait(0.2)
            except (BusUnavailable, LaneLost):
                await nap(0.2)


async def keys(bus: Bus) -> list[str]:
    """Return the keys of the verdicts."""
    return [record.key async for record in bus.read(VERDICTS.name)]


async def test_an_idle_lane_is_rebuilt_once_and_quietly(bus: KafkaBus) -> None:
    """The cluster forgets a producer; the lane is lost at its next commit, the new one does the work once."""
    membership = await bus.join("g", [STORIES.name])
    await append(bus, 1)
    (lane,) = await membership.lanes()
    assert await relay(lane) == 1
    await nap(IDLE_S)

    await append(bus, 2)
    with pytest.raises(LaneLost, match="idle for so long"):
        await relay(lane)
    (fresh,) = await membership.lanes()
    assert await relay(fresh) == 1
    assert (await membership.lanes()) == [fresh]
    assert await keys(bus) == ["1", "2"]


async def test_a_frozen_cluster_is_said_to_be_away_in_time(own_broker: Broker, bus: KafkaBus) -> None:
    """Nothing waits past its bound or spins while the broker is stopped; all goes on when it continues."""
    membership = await bus.join("g", [STORIES.name])
    await append(bus, 1)
    (lane,) = await membership.lanes()
    assert await relay(lane) == 1
    clock = asyncio.get_running_loop().time
    own_broker.signal(signal.SIGSTOP)
    try:
        begun, used = clock(), resource.getrusage(resource.RUSAGE_SELF).ru_utime
        await membership.wait(2.0)
        with pytest.raises(BusUnavailable):
            await lane.poll()
        waited = clock() - begun
        assert waited < 2.0 + ASK_S + SLACK_S
        assert resource.getrusage(resource.RUSAGE_SELF).ru_utime - used < waited * CPU_SHARE_MAX
    finally:
        own_broker.signal(signal.SIGCONT)
    await append_again(bus, 2)
    await relay_anew(membership)
    assert await keys(bus) == ["1", "2"]


async def append_again(bus: Bus, number: int) -> None:
    """Append as soon as Kafka takes it."""
    async with asyncio.timeout(SOON_S):
        while True:
            try:
                return await append(bus, number)
            except BusUnavailable:
                await nap(0.2)


async def test_a_cluster_that_was_killed_is_used_again(own_broker: Broker, bus: KafkaBus) -> None:
    """Polls say that it is away; after the restart the same membership goes on and nothing is twice."""
    membership = await bus.join("g", [STORIES.name])
    await append(bus, 1)
    (lane,) = await membership.lanes()
    batch = await lane.poll()
    own_broker.kill()
    try:
        with pytest.raises((BusUnavailable, LaneLost)):
            async with lane.transaction(batch) as outbox:
                outbox.send_all(Message(VERDICTS.name, 0, r.key, r.value) for r in batch.records)
        with pytest.raises(BusUnavailable):
            _ = [await membership.lanes(), await bus.ends(STORIES.name)]
    finally:
        await asyncio.to_thread(own_broker.start)
    await relay_anew(membership)
    await append_again(bus, 2)
    await relay_anew(membership)
    assert await keys(bus) == ["1", "2"]


async def test_nobody_there_is_one_clear_line() -> None:
    """A wrong port is said within seconds, with the address."""
    cluster = a_cluster(Broker(None, 1, 1))  # type: ignore[arg-type]
    with pytest.raises(BusUnavailable, match=r"kafka://127\.0\.0\.1:1"):
        await KafkaBus.open(cluster)


async def test_a_topic_that_is_not_there_is_named(bus: KafkaBus) -> None:
    """Topics are never made by using them."""
    with pytest.raises(BusDamaged, match=r"\.feeds\.v1 is not on kafka://.*: run `tumen topics create`"):
        await bus.join("g", [FEEDS.name])


async def test_a_message_of_the_largest_size_fits_and_one_byte_more_does_not(bus: KafkaBus) -> None:
    """Sixteen mebibytes pass through append, lane and transaction."""
    membership = await bus.join("g", [STORIES.name])
    await bus.append([Message(STORIES.name, 0, "large", b"x" * (16 * 1024 * 1024))])
    (lane,) = await membership.lanes()
    batch = await lane.poll()
    with pytest.raises(MessageTooLarge, match="16,777,217 bytes"):
        async with lane.transaction(batch) as outbox:
            outbox.send(Message(VERDICTS.name, 0, "larger", b"x" * (16 * 1024 * 1024 + 1)))
    assert await relay(lane) == 1
    assert await keys(bus) == ["large"]


async def test_a_rebalance_waits_for_a_busy_owner_and_not_for_ever(bus: KafkaBus) -> None:
    """Half a session, then partitions move and what the owner had under way is void."""
    owner = await bus.join("g", [STORIES.name])
    owner.hold_while(lambda: True)
    clock = asyncio.get_running_loop().time
    begun = clock()
    await bus.join("g", [STORIES.name])
    assert SESSION_S * HOLD_SHARE <= clock() - begun < SESSION_S + SLACK_S
    async with asyncio.timeout(SLACK_S):
        while owner.moving:
            await owner.lanes()
            await owner.wait(0.05)
