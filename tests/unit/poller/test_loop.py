"""The poller as a service, on a real log: who is asked when, what is committed together, what a restart changes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from schemas import Feed, FeedEvent, FeedSeen, FeedState, Story
from services.bus.codec import decode, encode, tombstone
from services.bus.ports import Message, Record
from services.bus.sqlite import SqliteBus
from services.bus.topics import FEED_EVENTS, FEED_SEEN, FEED_STATE, FEEDS, SQLITE_SHARDS, STORIES, Topic
from services.poller.feedlist import feed_messages
from services.poller.lane import POLLER
from services.poller.loop import Poller
from services.poller.model import Failure, PollerSettings, Request, Response
from services.text.times import stamp
from services.text.urls import partition_for, registered_domain
from tests.builders import a_feed
from tests.fakes import InlineParser, ScriptedFetcher, an_item, an_rss, ok

T0 = datetime(2026, 5, 12, tzinfo=UTC)
M = timedelta(minutes=1)
SETTINGS = PollerSettings(interval=15 * M)


@dataclass
class World:
    """Outlets whose documents grow: each URL has its items; the world's own clock is moved by hand."""

    items: dict[str, list[str]] = field(default_factory=dict)
    answers: dict[str, Response | Failure] = field(default_factory=dict)

    def respond(self, request: Request) -> Response | Failure:
        """Answer a request; the ETag is the number of items."""
        if (fixed := self.answers.get(request.url)) is not None:
            return fixed
        etag = f'"{len(self.items[request.url])}"'
        if dict(request.headers).get("If-None-Match") == etag:
            return Response(request.url, 304, (("ETag", etag),))
        return ok(an_rss(*(an_item(name) for name in self.items[request.url])), request.url, ETag=etag)


@dataclass
class Bench:
    """A poller on a log in memory, and what it is connected to."""

    bus: SqliteBus
    world: World
    fetcher: ScriptedFetcher
    made: list[Poller] = field(default_factory=list)

    async def poller(self, **options: Any) -> Poller:
        """Return a poller; several may run at once."""
        settings = options.pop("settings", SETTINGS)
        poller = Poller(
            await self.bus.join(POLLER, [FEEDS.name]),
            self.fetcher,
            InlineParser(),
            settings,
            **{"ordered": True, **options},
        )
        self.made.append(poller)
        return poller

    async def feeds(self, *names: str) -> list[Feed]:
        """Import feeds with one old item each."""
        feeds = [a_feed(name) for name in names]
        self.world.items.update({feed.url: [f"{feed.title} old"] for feed in feeds})
        await self.bus.append(feed_messages(feeds, {}, SQLITE_SHARDS, T0))
        return feeds

    async def read(self, topic: Topic, model: type[Any]) -> list[Any]:
        """Return all models of a topic, tombstones left out."""
        return [decode(r, model) async for r in self.bus.read(topic.name) if r.value is not None]

    async def guids(self) -> list[str]:
        """Return the ids of the stories published."""
        return [story.guid for story in await self.read(STORIES, Story)]


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    """Open a log in memory."""
    world = World()
    bench = Bench(await SqliteBus.open(":memory:"), world, ScriptedFetcher(world.respond))
    yield bench
    for poller in bench.made:
        await poller.close()
    await bench.bus.close()


async def play(poller: Poller, until: datetime, now: datetime = T0) -> datetime:
    """Drain at every wake-up before a moment, as the driver of a virtual day does."""
    while True:
        await poller.drain(now)
        following = poller.next_wakeup()
        if following is None or following >= until:
            return now
        assert following > now, "a drain left something due"
        now = following


async def test_what_a_feed_brings_is_on_the_log(bench: Bench) -> None:
    """State, seen-set and stories of one answer; a later item is live; a 304 moves the state alone."""
    (feed,) = await bench.feeds("a")
    poller = await bench.poller()
    await poller.drain(T0)
    bench.world.items[feed.url].append("new")
    await play(poller, T0 + 60 * M)
    stories = await bench.read(STORIES, Story)
    assert [(story.guid, story.arrival) for story in stories] == [("A old", "backfill"), ("new", "live")]
    states = await bench.read(FEED_STATE, FeedState)
    assert len(states) == len(bench.fetcher.asked) > len(await bench.read(FEED_SEEN, FeedSeen)) == 2
    assert states[-1].http_status == 304
    partition = partition_for(registered_domain(feed.url), SQLITE_SHARDS)
    for topic in (STORIES, FEED_STATE, FEED_SEEN):
        assert {record.partition async for record in bench.bus.read(topic.name)} == {partition}


async def test_nobody_is_asked_early_or_twice(bench: Bench) -> None:
    """Between two requests to one feed there is at least its interval."""
    await bench.feeds(*"abcdefgh")
    asked = dict[str, list[datetime]]()
    now = T0

    def note(request: Request) -> Response | Failure:
        asked.setdefault(request.url, []).append(now)
        return bench.world.respond(request)

    bench.fetcher = ScriptedFetcher(note)
    poller = await bench.poller()
    while now < T0 + 240 * M:
        await poller.drain(now)
        now = poller.next_wakeup() or now
    for moments in asked.values():
        assert 14 <= len(moments) <= 16
        assert min(later - earlier for earlier, later in pairwise(moments)) >= 15 * M


async def test_feeds_imported_together_do_not_stay_together(bench: Bench) -> None:
    """The first polls are at once; the second are spread over an interval."""
    await bench.feeds(*(f"f{n}" for n in range(40)))
    poller = await bench.poller()
    await poller.drain(T0)
    assert len(bench.fetcher.asked) == 40
    dues = sorted(state.due_at for state in await bench.read(FEED_STATE, FeedState))
    assert dues[0] >= stamp(T0 + 15 * M)
    assert dues[-1] > stamp(T0 + 25 * M)


async def test_one_drain_publishes_in_the_order_of_turns(bench: Bench) -> None:
    """However the answers arrive."""
    feeds = await bench.feeds(*(f"f{n}.one" for n in range(6)))
    gates = [bench.fetcher.stall(feed.url) for feed in feeds]
    poller = await bench.poller(settings=replace(SETTINGS, host_spacing=timedelta(0)))
    draining = asyncio.create_task(poller.drain(T0))
    while len(bench.fetcher.asked) < len(feeds):
        await asyncio.wait({draining}, timeout=0.01)
    for gate in reversed(gates):
        gate.set()
        await asyncio.wait({draining}, timeout=0.001)
    await draining
    published = [state.id for state in await bench.read(FEED_STATE, FeedState)]
    assert published == sorted(feed.id for feed in feeds)


async def test_hosts_are_spaced_in_virtual_time(bench: Bench) -> None:
    """Three feeds of one host take three seconds; the wake-up says so."""
    feeds = [a_feed(str(n), url=f"https://one.example/{n}") for n in range(3)]
    bench.world.items.update({feed.url: ["x"] for feed in feeds})
    await bench.bus.append(feed_messages(feeds, {}, SQLITE_SHARDS, T0))
    poller = await bench.poller()
    reached = await play(poller, T0 + 5 * M)
    assert reached == T0 + timedelta(seconds=2)
    assert len(bench.fetcher.asked) == 3


async def test_retry_after_of_one_feed_holds_its_host(bench: Bench) -> None:
    """429 speaks for the host: its other feeds wait, also after a restart."""
    feeds = [a_feed(str(n), url=f"https://one.example/{n}") for n in range(3)]
    slow = Response(feeds[0].url, 429, (("Retry-After", "1800"),))
    bench.world.answers = {feed.url: slow for feed in feeds}
    await bench.bus.append(feed_messages(feeds, {}, SQLITE_SHARDS, T0))
    first = await bench.poller()
    await play(first, T0 + 29 * M)
    assert len(bench.fetcher.asked) == 1
    await first.close()
    again = await bench.poller()
    await play(again, T0 + 29 * M, T0 + M)
    assert len(bench.fetcher.asked) == 1
    assert (again.next_wakeup() or T0) >= T0 + 30 * M


@pytest.mark.parametrize("crash_after", [1, 2, 5, 13])
async def test_a_half_played_day_goes_on_as_if_nothing_had_happened(bench: Bench, crash_after: int) -> None:
    """Same stories, same states, and nobody is asked twice for one turn."""

    async def day(bench: Bench, *, crash: bool) -> list[tuple[str, bytes | None]]:
        feeds = await bench.feeds(*"abcde")
        poller, now, drains = await bench.poller(), T0, 0
        while now < T0 + 120 * M:
            bench.world.items[feeds[0].url].append(f"item {now:%H:%M}")
            await poller.drain(now)
            drains += 1
            if crash and drains == crash_after:
                await poller.close()
                poller = await bench.poller()
                newest = max(state.polled_at for state in await bench.read(FEED_STATE, FeedState))
                assert newest <= stamp(now)
                await poller.drain(now)
            now = poller.next_wakeup() or now
        return [
            (record.key, record.value)
            for topic in (STORIES, FEED_STATE, FEED_SEEN, FEED_EVENTS)
            async for record in bench.bus.read(topic.name)
        ]

    disturbed = await day(bench, crash=True)
    asked = bench.fetcher.urls()
    world = World()
    calm = Bench(await SqliteBus.open(":memory:"), world, ScriptedFetcher(world.respond))
    undisturbed = await day(calm, crash=False)
    assert disturbed == undisturbed
    assert asked == calm.fetcher.urls()
    for poller in calm.made:
        await poller.close()
    await calm.bus.close()


async def test_live_nobody_waits_for_a_stalled_server(bench: Bench) -> None:
    """What has been answered is committed; the stalled feed is not asked again meanwhile."""
    stalled, quick = await bench.feeds("stalled", "quick")
    gate = bench.fetcher.stall(stalled.url)
    poller = await bench.poller(ordered=False)
    await drained(poller, T0, lambda: "Quick old" in seen, seen := list[str](), bench)
    assert seen == ["Quick old"]
    await poller.drain(T0 + 16 * M)
    await poller.drain(T0 + 32 * M)
    assert bench.fetcher.urls().count(stalled.url) == 1
    gate.set()
    await drained(poller, T0 + 32 * M, lambda: "Stalled old" in seen, seen, bench)
    assert quick.url in bench.fetcher.urls()


async def drained(
    poller: Poller, now: datetime, done: Callable[[], bool], seen: list[str], bench: Bench
) -> None:
    """Run the live loop at one moment until something holds of the stories seen."""
    for _ in range(100):
        await poller.drain(now)
        seen[:] = await bench.guids()
        if done():
            return
        await poller.wait(0.1)
    pytest.fail("it never came")


async def test_wait_returns_when_an_answer_is_there(bench: Bench) -> None:
    """Long before its time is up."""
    (feed,) = await bench.feeds("a")
    gate = bench.fetcher.stall(feed.url)
    poller = await bench.poller(ordered=False)
    await poller.drain(T0)
    waiting = asyncio.create_task(poller.wait(60))
    await asyncio.wait({waiting}, timeout=0.05)
    assert not waiting.done()
    gate.set()
    await asyncio.wait_for(waiting, 5)


async def test_overdue_feeds_are_spread_when_a_live_poller_starts(bench: Bench) -> None:
    """After an outage the first is asked soon, the last within the spread, each at its own offset."""
    feeds = await bench.feeds(*(f"f{n}" for n in range(30)))
    first = await bench.poller()
    await first.drain(T0)
    await first.close()
    bench.fetcher.asked.clear()
    later = T0 + timedelta(hours=9)
    again = await bench.poller(start_spread=5 * M)
    await again.drain(later)
    assert len(bench.fetcher.asked) < len(feeds) / 2
    await play(again, later + 5 * M, later)
    assert len(bench.fetcher.asked) == len(feeds)


async def test_a_removed_feed_leaves_nothing_behind(bench: Bench) -> None:
    """Its state and seen-set get tombstones in the transaction that reads its removal; it is never asked again."""
    feed, other = await bench.feeds("a", "b")
    poller = await bench.poller()
    await poller.drain(T0)
    partition = partition_for(registered_domain(feed.url), SQLITE_SHARDS)
    gone = tombstone(FEEDS, partition=partition, key=feed.id, source="import", at=stamp(T0))
    await bench.bus.append([gone])
    bench.fetcher.asked.clear()
    await play(poller, T0 + 120 * M)
    assert set(bench.fetcher.urls()) == {other.url}
    for topic in (FEED_STATE, FEED_SEEN):
        last = {record.key: record.value async for record in bench.bus.read(topic.name)}
        assert last[feed.id] is None


async def test_a_feed_removed_while_it_is_asked_is_not_published(bench: Bench) -> None:
    """The answer comes too late to matter."""
    (feed,) = await bench.feeds("a")
    gate = bench.fetcher.stall(feed.url)
    poller = await bench.poller(ordered=False)
    await poller.drain(T0)
    partition = partition_for(registered_domain(feed.url), SQLITE_SHARDS)
    await bench.bus.append(
        [tombstone(FEEDS, partition=partition, key=feed.id, source="import", at=stamp(T0))]
    )
    await poller.drain(T0)
    gate.set()
    for _ in range(5):
        await poller.wait(0.05)
        await poller.drain(T0)
    assert await bench.guids() == []
    assert poller.next_wakeup() is None


async def test_a_feed_record_that_cannot_be_read_is_a_dead_letter(bench: Bench) -> None:
    """The good ones beside it are polled."""
    (feed,) = await bench.feeds("a")
    partition = partition_for(registered_domain(feed.url), SQLITE_SHARDS)
    await bench.bus.append([Message(FEEDS.name, partition, "bad", b'{"url": 7}')])
    poller = await bench.poller()
    await poller.drain(T0)
    dead: list[Record] = [record async for record in bench.bus.read(FEEDS.dlq.name)]
    assert [record.key for record in dead] == ["bad"]
    assert await bench.guids() == ["A old"]
    assert poller._metrics.value("tumen_skips_total", reason="feed_undecodable") == 1


async def test_state_that_cannot_be_read_costs_a_poll_and_no_flood(bench: Bench) -> None:
    """The feed is asked as at first, and what it holds is filed."""
    (feed,) = await bench.feeds("a")
    partition = partition_for(registered_domain(feed.url), SQLITE_SHARDS)
    await bench.bus.append(
        [Message(topic.name, partition, feed.id, b"{}") for topic in (FEED_STATE, FEED_SEEN)]
    )
    poller = await bench.poller()
    await poller.drain(T0)
    assert [story.arrival for story in await bench.read(STORIES, Story)] == ["backfill"]


async def test_events_reach_the_log(bench: Bench) -> None:
    """An operator reads them there."""
    (feed,) = await bench.feeds("a")
    bench.world.answers[feed.url] = Response(feed.url, 410)
    poller = await bench.poller()
    await poller.drain(T0)
    (event,) = await bench.read(FEED_EVENTS, FeedEvent)
    assert (event.kind, event.feed_id) == ("gone", feed.id)


async def test_what_was_due_at_the_start_is_owed(bench: Bench) -> None:
    """``--once`` goes on while this holds: spacing is waited for, back-off is not."""
    feeds = [a_feed(str(n), url=f"https://one.example/{n}") for n in range(2)]
    bench.world.items.update({feed.url: ["x"] for feed in feeds})
    await bench.bus.append(feed_messages(feeds, {}, SQLITE_SHARDS, T0))
    poller = await bench.poller()
    since = T0 - timedelta(milliseconds=1)
    await poller.drain(T0)
    assert poller.owes(since, T0)
    await poller.drain(T0 + timedelta(seconds=1))
    assert not poller.owes(since, T0 + timedelta(seconds=1))


async def test_an_updated_feed_record_is_used(bench: Bench) -> None:
    """A new title or interval counts from the next poll on; the feed is not asked at once."""
    (feed,) = await bench.feeds("a")
    poller = await bench.poller()
    await poller.drain(T0)
    renamed = feed.model_copy(update={"title": "Renamed"})
    partition = partition_for(registered_domain(feed.url), SQLITE_SHARDS)
    await bench.bus.append(
        [encode(FEEDS, renamed, partition=partition, key=feed.id, source="import", at=stamp(T0))]
    )
    await poller.drain(T0 + M)
    assert len(bench.fetcher.asked) == 1
    bench.world.items[feed.url].append("new")
    await play(poller, T0 + 40 * M, T0 + M)
    assert (await bench.read(STORIES, Story))[-1].source.name == "Renamed"
