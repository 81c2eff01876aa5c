"""The audit of chaos speaks when something is wrong: two bugs are planted, and each is found; without them all is well."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from services.bus.kafka import KafkaBus, producers
from services.bus.ports import BATCH_RECORDS_MIN, LaneLost, Message, MessageTooLarge
from services.bus.topics import FEED_STATE, STORIES, VERDICTS
from tests import relay
from tests.chaos_audit import relayed
from tests.kafka_bus import make_topics

if TYPE_CHECKING:
    from aiokafka import AIOKafkaProducer, TopicPartition

    from services.bus.kafka.engine import Cluster
    from services.bus.kafka.producers import Placed
    from services.bus.ports import Bus, Lane
    from tests.kafka_broker import Broker

pytestmark = pytest.mark.broker

RECORDS = BATCH_RECORDS_MIN
LIMIT_BYTES = 20_000
"""Of the brokers, for verdicts."""
WIDE_BYTES = 30_000
SHORT = b"cut"
SOON_S = 40.0


def a_cluster(broker: Broker) -> Cluster:
    """Return names that no other test has."""
    return relay.cluster(broker.address, f"t{uuid4().hex[:10]}")


async def append(bus: Bus, wide: int | None = None) -> None:
    """Append numbered stories; one of them may be too wide for a verdict."""
    value = {number: b"x" * WIDE_BYTES if number == wide else b"x" for number in range(RECORDS)}
    await bus.append([Message(STORIES.name, 0, str(number), value[number]) for number in value])


async def faults(bus: Bus) -> list[str]:
    """Return what the audit finds."""
    stories = [record async for record in bus.read(STORIES.name)]
    verdicts = [record async for record in bus.read(VERDICTS.name)]
    return relayed(stories, verdicts)


async def make_narrow_topics(cluster: Cluster) -> None:
    """Create topics of which the one for verdicts takes no wide messages."""
    await make_topics(cluster, (STORIES.name, FEED_STATE.name), shards=1)
    admin = AIOKafkaAdminClient(**cluster.client)
    await admin.start()
    narrow = {"max.message.bytes": str(LIMIT_BYTES)}
    await admin.create_topics([NewTopic(cluster.names.topic(VERDICTS.name), 1, 1, topic_configs=narrow)])
    await admin.close()


class Careful:
    """A relay that offers what is refused again, shortened."""

    def __init__(self) -> None:
        """Begin in good faith."""
        self.refused = False

    async def relay(self, lane: Lane) -> None:
        """Relay what a lane has."""
        batch = await lane.poll()
        if not batch.records:
            return
        messages = [self._fitting(message) for message in relay.copies(batch.records, 0, 0)]
        try:
            async with lane.transaction(batch) as outbox:
                outbox.send_all(messages)
        except MessageTooLarge:
            self.refused = True
        except LaneLost:
            return  # taken anew, its messages go one by one

    def _fitting(self, message: Message) -> Message:
        too_wide = self.refused and len(message.value or b"") > LIMIT_BYTES
        return message._replace(value=SHORT) if too_wide else message


async def send_and_forget(
    producer: AIOKafkaProducer, messages: list[Placed], _narrow: object = ()
) -> dict[TopicPartition, int]:
    """Plant a bug: hand messages to the client, and never ask what became of them."""
    for place, message in messages:
        await producer.send(
            place.topic,
            message.value,
            message.key.encode(),
            partition=place.partition,
            headers=list(message.headers),
        )
    return {}


@pytest.mark.parametrize("planted", [True, False])
async def test_a_send_that_nobody_awaits_is_found(
    planted: bool, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refused message is lost with its offset committed if its answer is not awaited; awaited, it is not lost."""
    if planted:
        monkeypatch.setattr(producers, "send_all", send_and_forget)
    worker = Careful()
    cluster = a_cluster(broker)
    await make_narrow_topics(cluster)
    bus = await KafkaBus.open(cluster)
    try:
        await bus.demand([VERDICTS.name])
        await append(bus, wide=RECORDS // 2)
        membership = await bus.join(relay.GROUP, [STORIES.name])
        async with asyncio.timeout(SOON_S):
            while any((await bus.lag(relay.GROUP, STORIES.name)).values()):
                for lane in await membership.lanes():
                    await worker.relay(lane)
        found = await faults(bus)
    finally:
        await bus.close()
    if planted:
        assert found[0].startswith("verdicts: ")
        assert " missing: " in found[0]
    else:
        assert found == []
        assert worker.refused


@pytest.mark.parametrize("options", [("--own-ids",), ()], ids=["planted", "sound"])
async def test_a_zombie_that_is_not_fenced_is_found(options: tuple[str, ...], broker: Broker) -> None:
    """Stopped between poll and commit, woken when another has done its work: it doubles all, unless it is fenced."""
    cluster = a_cluster(broker)
    await make_topics(cluster, relay.TOPICS, shards=1)
    bus = await KafkaBus.open(cluster)
    workers = []
    try:
        await append(bus)
        zombie = await relay.start(broker.address, cluster.names.prefix, "--freeze", *options)
        workers.append(zombie)
        await asyncio.to_thread(os.waitid, os.P_PID, zombie.pid, os.WSTOPPED | os.WNOWAIT)
        heir = await relay.start(broker.address, cluster.names.prefix, *options)
        workers.append(heir)
        await said(heir, RECORDS)
        zombie.send_signal(signal.SIGCONT)
        await said(zombie, RECORDS if options else 0)
        found = await faults(bus)
    finally:
        for worker in workers:
            worker.kill()
            await worker.wait()
        await bus.close()
    assert found[:1] == ([f"verdicts: {RECORDS} double: 0, 1, 10, 11, 12 …"] if options else [])


async def said(worker: asyncio.subprocess.Process, records: int) -> None:
    """Wait until a worker's drains have moved so many records in all; for none, until one has ended."""
    assert worker.stdout is not None
    moved = -1
    async with asyncio.timeout(SOON_S):
        while moved != records:
            line = await worker.stdout.readline()
            assert line, "the worker has ended"
            moved = max(moved, 0) + int(line)
