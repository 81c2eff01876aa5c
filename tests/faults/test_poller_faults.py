"""The poller when the log fails it: nothing lost, nothing doubled, nobody asked twice."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from schemas import FeedSeen, FeedState, Story
from services.bus.codec import decode
from services.bus.ports import Batch, BusUnavailable, Lane, LaneLost, Membership, Outbox, Record
from services.bus.sqlite import SqliteBus
from services.bus.topics import FEED_SEEN, FEED_STATE, FEEDS, SQLITE_SHARDS, STORIES, Topic
from services.poller.feedlist import feed_messages
from services.poller.lane import POLLER
from services.poller.loop import Poller
from services.poller.model import Failure, PollerSettings, Request, Response
from tests.builders import a_feed
from tests.fakes import InlineParser, ScriptedFetcher, an_item, an_rss, ok

T0 = datetime(2026, 5, 12, tzinfo=UTC)
SETTINGS = PollerSettings(interval=timedelta(minutes=15))
NAMES = tuple(f"f{number}" for number in range(12))


def respond(request: Request) -> Response | Failure:
    """Answer every feed with two items of its own."""
    name = request.url.partition("//")[2].partition(".")[0]
    return ok(an_rss(an_item(f"{name}-1"), an_item(f"{name}-2")), request.url, ETag='"1"')


class FailingLane:
    """A lane whose transactions fail when told to, before they commit."""

    def __init__(self, lane: Lane, fail: Callable[[], Exception | None]) -> None:
        """Wrap a lane."""
        self._lane = lane
        self._fail = fail
        self.topic = lane.topic
        self.partition = lane.partition
        self.note = lane.note

    async def poll(self, *limits: int) -> Batch:
        """Poll the wrapped lane."""
        return await self._lane.poll(*limits)

    def restore(self, topic: str, partition: int | None = None) -> AsyncIterator[Record]:
        """Restore from the wrapped lane."""
        return self._lane.restore(topic, partition)

    @asynccontextmanager
    async def transaction(self, batch: Batch, note: str = "") -> AsyncIterator[Outbox]:
        """Run the transaction, unless it is its turn to fail."""
        async with self._lane.transaction(batch, note) as outbox:
            yield outbox
            if (error := self._fail()) is not None:
                raise error


class FailingMembership:
    """A membership of failing lanes."""

    def __init__(self, membership: Membership, fail: Callable[[], Exception | None]) -> None:
        """Wrap a membership."""
        self._membership = membership
        self._fail = fail
        self._wrapped: dict[Lane, FailingLane] = {}
        self.moving, self.hold_while = False, membership.hold_while

    async def lanes(self) -> Sequence[Lane]:
        """Return the wrapped lanes, the same ones while they are owned."""
        return [
            self._wrapped.setdefault(lane, FailingLane(lane, self._fail))
            for lane in await self._membership.lanes()
        ]

    async def wait(self, timeout_s: float) -> None:
        """Wait as the wrapped membership does."""
        await self._membership.wait(timeout_s)

    async def close(self) -> None:
        """Leave."""
        await self._membership.close()


@pytest.fixture
async def bus() -> AsyncIterator[SqliteBus]:
    """Open a log with twelve feeds on it."""
    bus = await SqliteBus.open(":memory:")
    await bus.append(feed_messages([a_feed(name) for name in NAMES], {}, SQLITE_SHARDS, T0))
    yield bus
    await bus.close()


async def values(bus: SqliteBus, topic: Topic, model: type[Any]) -> list[Any]:
    """Return the models of a topic."""
    return [decode(record, model) async for record in bus.read(topic.name)]


async def assert_all_once(bus: SqliteBus) -> None:
    """Every feed was polled once and every item published once."""
    guids = [story.guid for story in await values(bus, STORIES, Story)]
    assert sorted(guids) == sorted(f"{name}-{n}" for name in NAMES for n in (1, 2))
    ids = sorted(a_feed(name).id for name in NAMES)
    assert sorted(state.id for state in await values(bus, FEED_STATE, FeedState)) == ids
    assert sorted(seen.id for seen in await values(bus, FEED_SEEN, FeedSeen)) == ids


def failing_at(turns: set[int], error: type[Exception]) -> Callable[[], Exception | None]:
    """Return what fails at these transactions, counted from 1."""
    count = 0

    def fail() -> Exception | None:
        nonlocal count
        count += 1
        return error("as told") if count in turns else None

    return fail


@pytest.mark.parametrize("turn", [1, 4, 9, 11])
@pytest.mark.parametrize("ordered", [True, False])
async def test_a_log_that_is_away_for_a_moment_costs_nothing(
    bus: SqliteBus, turn: int, ordered: bool
) -> None:
    """The answers are kept and committed by a later drain; no server is asked again for them."""
    fetcher = ScriptedFetcher(respond)
    membership = FailingMembership(await bus.join(POLLER, [FEEDS.name]), failing_at({turn}, BusUnavailable))
    poller = Poller(membership, fetcher, InlineParser(), SETTINGS, ordered=ordered)
    failures = 0
    for _ in range(10):
        try:
            await poller.drain(T0)
        except BusUnavailable:
            failures += 1
        await poller.wait(0.001)
    await poller.close()
    assert failures <= 1
    assert sorted(fetcher.urls()) == sorted(a_feed(name).url for name in NAMES)
    await assert_all_once(bus)


@pytest.mark.parametrize("turn", [2, 9, 10, 12])
async def test_a_poller_that_dies_between_two_lanes_leaves_the_rest_to_the_next(
    bus: SqliteBus, turn: int
) -> None:
    """Drained again at the same moment by another process, the log holds what one run would have written."""
    first = ScriptedFetcher(respond)
    membership = FailingMembership(await bus.join(POLLER, [FEEDS.name]), failing_at({turn}, RuntimeError))
    poller = Poller(membership, first, InlineParser(), SETTINGS, ordered=True)
    with suppress(RuntimeError):
        await poller.drain(T0)
    await poller.close()
    committed = {state.id for state in await values(bus, FEED_STATE, FeedState)}
    second = ScriptedFetcher(respond)
    heir = Poller(await bus.join(POLLER, [FEEDS.name]), second, InlineParser(), SETTINGS, ordered=True)
    await heir.drain(T0)
    await heir.close()
    assert {a_feed(name).id for name in NAMES if a_feed(name).url not in second.urls()} == committed
    await assert_all_once(bus)


async def test_a_lost_lane_is_dropped_quietly(bus: SqliteBus) -> None:
    """Its uncommitted answers are void; whoever has it next does the work."""
    fetcher = ScriptedFetcher(respond)
    membership = FailingMembership(
        await bus.join(POLLER, [FEEDS.name]), failing_at(set(range(5, 100)), LaneLost)
    )
    poller = Poller(membership, fetcher, InlineParser(), SETTINGS, ordered=True)
    await poller.drain(T0)
    await poller.close()
    heir = Poller(
        await bus.join(POLLER, [FEEDS.name]), ScriptedFetcher(respond), InlineParser(), SETTINGS, ordered=True
    )
    await heir.drain(T0)
    await heir.close()
    await assert_all_once(bus)


async def test_two_pollers_share_the_feeds(bus: SqliteBus) -> None:
    """Each feed is asked by the one that owns its lane."""
    fetchers = [ScriptedFetcher(respond), ScriptedFetcher(respond)]
    memberships = [await bus.join(POLLER, [FEEDS.name]) for _ in fetchers]
    pollers = [
        Poller(membership, fetcher, InlineParser(), SETTINGS, ordered=True)
        for membership, fetcher in zip(memberships, fetchers, strict=True)
    ]
    for _ in range(3):
        for poller in pollers:
            await poller.drain(T0)
    for poller in pollers:
        await poller.close()
    asked = [url for fetcher in fetchers for url in fetcher.urls()]
    assert sorted(asked) == sorted(a_feed(name).url for name in NAMES)
    await assert_all_once(bus)


async def test_a_fault_of_ours_ends_the_run(bus: SqliteBus) -> None:
    """A bug is not retried for ever: the process ends and says so."""

    def broken(request: Request) -> Response | Failure:
        raise ZeroDivisionError

    poller = Poller(
        await bus.join(POLLER, [FEEDS.name]), ScriptedFetcher(broken), InlineParser(), SETTINGS, ordered=True
    )
    with pytest.raises(ZeroDivisionError):
        await poller.drain(T0)
    await poller.close()
