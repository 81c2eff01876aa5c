"""The table of flows says what the services do with topics: each is run once, on a log that takes notes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from schemas import Alert
from services.bootstrap import open_bus
from services.bootstrap.parts import SERVICES, Outside, Parts
from services.bus.codec import encode
from services.bus.flows import FLOWS
from services.bus.ports import Batch, Message, Record
from services.bus.topics import ALERTS, FEEDS, PRIMARY, STORIES, SUBSCRIBERS, TOPICS, VERDICTS, Topic
from services.clock import SystemClock
from services.obs.metrics import Metrics
from services.poller.model import PollerSettings
from tests.builders import a_feed, a_story, a_subscriber, a_verdict, an_alert
from tests.fakes import InlineParser, ScriptedFetcher, an_item, an_rss, ok

NOW = datetime(2026, 5, 12, 6, tzinfo=UTC)
AT = "2026-05-12T05:00:00.000Z"
FEED = a_feed()


@dataclass
class Notes:
    """What one service did."""

    consumed: set[str] = field(default_factory=set)
    tables: set[str] = field(default_factory=set)
    written: set[str] = field(default_factory=set)


class NotingOutbox:
    """Notes what is sent."""

    def __init__(self, outbox: Any, notes: Notes) -> None:
        """Take the real one."""
        self._outbox = outbox
        self._notes = notes

    def send(self, message: Message) -> None:
        """Note and send."""
        self._notes.written.add(message.topic)
        self._outbox.send(message)

    def send_all(self, messages: Sequence[Message]) -> None:
        """Note and send."""
        for message in messages:
            self.send(message)


class NotingLane:
    """Notes which state is restored and what is written."""

    def __init__(self, lane: Any, notes: Notes) -> None:
        """Take the real one."""
        self._lane = lane
        self._notes = notes

    def __getattr__(self, name: str) -> Any:
        """Do the rest as the real one."""
        return getattr(self._lane, name)

    def restore(self, topic: str, partition: int | None = None) -> AsyncIterator[Record]:
        """Note and restore."""
        self._notes.tables.add(topic)
        restored: AsyncIterator[Record] = self._lane.restore(topic, partition)
        return restored

    @asynccontextmanager
    async def transaction(self, batch: Batch, note: str = "") -> AsyncIterator[NotingOutbox]:
        """Note what the real transaction sends."""
        async with self._lane.transaction(batch, note) as outbox:
            yield NotingOutbox(outbox, self._notes)


class NotingMembership:
    """Gives noting lanes, the same one for the same lane."""

    def __init__(self, membership: Any, notes: Notes) -> None:
        """Take the real one."""
        self._membership = membership
        self._notes = notes
        self._lanes: dict[Any, NotingLane] = {}

    def __getattr__(self, name: str) -> Any:
        """Do the rest as the real one."""
        return getattr(self._membership, name)

    async def lanes(self) -> list[NotingLane]:
        """Return the lanes owned now."""
        owned = await self._membership.lanes()
        return [self._lanes.setdefault(lane, NotingLane(lane, self._notes)) for lane in owned]


class NotingBus:
    """Notes what is joined, followed and read whole."""

    def __init__(self, bus: Any, notes: Notes) -> None:
        """Take the real one."""
        self._bus = bus
        self._notes = notes

    def __getattr__(self, name: str) -> Any:
        """Do the rest as the real one."""
        return getattr(self._bus, name)

    async def join(self, group: str, topics: Sequence[str]) -> NotingMembership:
        """Note and join."""
        self._notes.consumed |= set(topics)
        return NotingMembership(await self._bus.join(group, topics), self._notes)

    async def tail(self, topics: Sequence[str], *, start: bool = True) -> Any:
        """Note and follow."""
        self._notes.tables |= set(topics)
        return await self._bus.tail(topics, start=start)

    def read(self, topic: str, *, partition: int | None = None) -> AsyncIterator[Record]:
        """Note and read."""
        self._notes.tables.add(topic)
        records: AsyncIterator[Record] = self._bus.read(topic, partition=partition)
        return records


class NoPoster:
    """Nobody is posted to: the one subscriber has a console."""

    async def post(self, url: str, headers: Any, body: bytes) -> Any:
        """Refuse: no subscriber of this test has a webhook."""
        raise AssertionError(url)

    async def close(self) -> None:
        """Hold nothing."""


def messages() -> list[Message]:
    """Return something to do for each service, and something that nobody can read beside it."""

    def one(topic: Topic, model: Any) -> list[Message]:
        good = encode(topic, model, partition=0, key=model.id, source="test", at=AT)
        return [good, Message(topic.name, 0, "junk", b"{", ())]

    return [
        *one(FEEDS, FEED),
        *one(STORIES, a_story()),
        *one(VERDICTS, a_verdict()),
        *one(ALERTS, an_alert()),
        *one(SUBSCRIBERS, a_subscriber()),
    ]


@pytest.mark.parametrize("name", SERVICES)
async def test_a_service_reads_and_writes_what_the_table_says(name: str) -> None:
    """Permissions and descriptions made from the table are neither too narrow nor too wide."""
    notes = Notes()
    told: list[Alert] = []
    fetcher = ScriptedFetcher(lambda _: ok(an_rss(an_item("one")), FEED.url))
    outside = Outside(fetcher, InlineParser(), NoPoster(), told.append, lambda reference: reference)
    async with open_bus("sqlite::memory:") as bus:
        await bus.append(messages())
        parts: Any = Parts(NotingBus(bus, notes), SystemClock(), Metrics(), PollerSettings())  # type: ignore[arg-type]
        service = await parts.make(name, outside)
        moved = await service.drain(NOW)
        await service.close()
        letters = [record for topic in PRIMARY async for record in bus.read(topic.dlq.name)]

    flow = FLOWS[name]
    dead = {topic.name for topic in flow.dead_letters}
    assert moved.moved or name == "desk"
    assert notes.consumed == ({flow.consumes.name} if flow.consumes else set())
    assert notes.tables - notes.consumed == {topic.name for topic in flow.tables}
    assert notes.written <= {topic.name for topic in flow.writes} | dead
    assert flow.consumes is None or flow.consumes.dlq.name in dead & notes.written
    headers = [dict(letter.headers) for letter in letters]
    assert {(one["dlq-stage"], one["dlq-group"]) for one in headers} <= {(name.encode(), name.encode())}


def test_the_table_names_every_service_and_only_topics_that_exist() -> None:
    """A new service or topic is not forgotten."""
    topics = {topic.name for flow in FLOWS.values() for topic in (*flow.reads, *flow.writes)}
    assert set(SERVICES) | {"import"} == set(FLOWS)
    assert topics <= set(TOPICS)
