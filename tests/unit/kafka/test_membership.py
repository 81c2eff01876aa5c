"""A member takes partitions over: what it has taken it keeps, and when it has left it has nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.structs import OffsetAndMetadata

from services.bus.kafka import producers
from services.bus.kafka.engine import Cluster, Engine
from services.bus.kafka.membership import KafkaMembership
from services.bus.kafka.reader import Reader
from services.bus.ports import BusUnavailable
from services.bus.signals import NoSignals, Place
from services.bus.topics import STORIES
from tests.live import until

GROUP = "classifier"
PLACES = [TopicPartition("tumen.stories.v1", number) for number in range(3)]


class Owned(NoSignals):
    """Remembers what is owned."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.places: set[Place] = set()

    def owns(self, group: str, places: Collection[Place]) -> None:
        """Remember."""
        self.places = set(places)


class Consumer:
    """A consumer that is connected to nothing."""

    def pause(self, *_: TopicPartition) -> None:
        """Do nothing."""

    def resume(self, *_: TopicPartition) -> None:
        """Do nothing."""

    def seek(self, *_: Any) -> None:
        """Do nothing."""

    async def stop(self) -> None:
        """Be stopped."""


class Starts:
    """A cluster on which some producers start only when they are let."""

    def __init__(self) -> None:
        """Hold nobody back."""
        self.slow: set[str] = set()
        self.go = asyncio.Event()
        self.started: list[str] = []
        self.producers: list[AIOKafkaProducer] = []

    async def start(self, engine: Engine, transactional_id: str) -> AIOKafkaProducer:
        """Start a producer."""
        if transactional_id[-1] in self.slow:
            await self.go.wait()
        self.started.append(transactional_id[-1])
        self.producers.append(producers.make_producer(engine.cluster, transactional_id))
        return self.producers[-1]


@pytest.fixture
async def owned() -> Owned:
    """Return who hears of ownership."""
    return Owned()


@pytest.fixture
async def member(owned: Owned, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[KafkaMembership]:
    """Return a member that has joined, connected to nothing."""
    engine = Engine(Cluster("127.0.0.1:1"), owned)
    engine._partitions = {STORIES.name: len(PLACES)}
    engine._places = {(STORIES.name, place.partition): place for place in PLACES}
    member = KafkaMembership(engine, GROUP, [STORIES.name])
    monkeypatch.setattr(member._consumer, "pause", lambda *_: None)
    member.reader = Reader(engine, Consumer())

    async def committed(_: TopicPartition) -> OffsetAndMetadata:
        return OffsetAndMetadata(0, "")

    monkeypatch.setattr(member, "_committed", committed)
    yield member
    await member.close()
    await engine.stop()


@pytest.fixture
def starting(monkeypatch: pytest.MonkeyPatch) -> Starts:
    """Return a cluster on which producers start."""
    made = Starts()
    monkeypatch.setattr(producers, "start", made.start)
    return made


async def test_a_take_over_that_is_cancelled_half_way_keeps_what_it_has(
    member: KafkaMembership, starting: Starts
) -> None:
    """A stop, or a probe that gives up, leaks no producer: the next call goes on from there."""
    starting.slow = {"1"}
    member.adopt(frozenset(PLACES))
    taking = asyncio.create_task(_lanes(member))
    await asyncio.wait({taking}, timeout=0.05)
    taking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await taking
    starting.go.set()
    assert [lane.partition for lane in await member.lanes()] == [0, 1, 2]
    assert sorted(starting.started) == ["0", "1", "2"], "none was started twice"


async def _lanes(member: KafkaMembership) -> None:
    await member.lanes()


async def test_a_lane_that_comes_after_the_member_left_is_given_up(
    member: KafkaMembership, starting: Starts
) -> None:
    """Its producer is not left open, and nobody is handed it."""
    starting.slow = {"0", "1", "2"}
    member.adopt(frozenset(PLACES))
    taking = asyncio.create_task(member.lanes())
    await asyncio.wait({taking}, timeout=0.05)
    await member.close()
    starting.go.set()
    assert await taking == []
    await until(lambda: all(producer._closed for producer in starting.producers))
    assert len(starting.producers) == len(PLACES)


async def test_an_assignment_that_comes_while_leaving_is_nobodys(
    member: KafkaMembership, owned: Owned
) -> None:
    """A group that shares out anew because another left may assign to a member that is about to leave itself."""
    member.adopt(frozenset(PLACES))
    assert len(owned.places) == len(PLACES)
    await member.close()
    member.adopt(frozenset(PLACES))
    assert owned.places == set()


async def test_a_reader_that_was_closed_says_so(member: KafkaMembership) -> None:
    """Whoever still waits for records is told by an error of the bus, and is not cancelled for it."""

    async def read() -> None:
        await asyncio.get_running_loop().create_future()

    reader = member.reader
    reader._reading = asyncio.create_task(read())
    await reader.close()
    with pytest.raises(BusUnavailable, match="closed"):
        await reader.wait(list, lambda: False, 1.0)
