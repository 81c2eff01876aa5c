"""A rolling deploy of pollers on sixteen lanes: what stays with a living process is not read anew, and nobody is asked."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from services.bus.kafka import KafkaBus
from services.bus.ports import Lane
from services.bus.signals import NoSignals
from services.bus.topics import FEEDS, KAFKA_SHARDS, TOPICS
from services.clock import SystemClock
from services.poller.feedlist import feed_messages
from services.poller.lane import POLLER
from services.poller.loop import Poller
from services.poller.model import PollerSettings
from services.runner import run
from tests.builders import a_feed
from tests.fakes import InlineParser, ScriptedFetcher, an_item, an_rss, ok
from tests.kafka_bus import a_cluster, make_topics
from tests.pause import nap

if TYPE_CHECKING:
    from services.bus.kafka.engine import Cluster
    from services.bus.kafka.membership import KafkaMembership
    from tests.kafka_broker import Broker

pytestmark = pytest.mark.broker

CREW = 3
STATE_TOPICS = 3
"""Of a poller's lane: feeds, their state, what was seen."""
NAMES = [f"gazette{number}" for number in range(64)]
SOON_S = 30.0


class Restores(NoSignals):
    """Counts state that was read."""

    count = 0
    seconds = 0.0
    marked = 0

    def mark(self) -> int:
        """Count from here what moves of lanes need; return how many there were."""
        self.marked = self.count
        return self.count

    def enough(self, moved: int) -> bool:
        """Tell whether the state of so many lanes was read since the mark."""
        return self.count >= self.marked + STATE_TOPICS * moved

    def restored(self, group: str, seconds: float, records: int) -> None:
        """Count one partition of a state topic."""
        self.count += 1
        self.seconds += seconds


@dataclass
class Member:
    """One poller, running as in a process of its own."""

    bus: KafkaBus
    membership: KafkaMembership
    poller: Poller
    stop: asyncio.Event
    task: asyncio.Task[None]
    owned: Mapping[int, Lane] = field(default_factory=dict)
    """What it had when it was last looked at."""

    async def look(self) -> int:
        """Return how many of its lanes are new since the last look."""
        before, self.owned = (
            self.owned,
            {lane.partition: lane for lane in await self.membership.lanes()},
        )
        return sum(before.get(partition) is not lane for partition, lane in self.owned.items())

    async def leave(self) -> None:
        """Stop as a process does at SIGTERM."""
        self.stop.set()
        await self.task
        await self.poller.close()
        await self.bus.close()


async def settled(crew: list[Member], done: Callable[[int], bool]) -> int:
    """Wait until sixteen lanes have one owner each and enough is done for those that moved; return how many did."""
    moved = 0
    async with asyncio.timeout(SOON_S):
        while True:
            moved += sum([await member.look() for member in crew])
            lanes = [partition for member in crew for partition in member.owned]
            whole = sorted(lanes) == list(range(KAFKA_SHARDS)) and all(member.owned for member in crew)
            if whole and done(moved):
                return moved
            await nap(0.05)


def joiner(
    cluster: Cluster, fetcher: ScriptedFetcher, restores: Restores, closing: AsyncExitStack
) -> Callable[[], Awaitable[Member]]:
    """Return what starts another poller."""

    async def join() -> Member:
        bus = await KafkaBus.open(cluster, restores)
        closing.push_async_callback(bus.close)
        membership = await bus.join(POLLER, [FEEDS.name])
        poller = Poller(membership, fetcher, InlineParser(), PollerSettings(), ordered=False)
        stop = asyncio.Event()
        task = asyncio.create_task(run(poller, SystemClock(), stop, lambda *_: None))
        return Member(bus, membership, poller, stop, task)

    return join


async def test_a_rolling_deploy_reads_anew_only_what_moves(broker: Broker) -> None:
    """Each of three pollers is replaced, the new one first: lanes that stay are the same, and no feed is asked again."""
    cluster, restores = a_cluster(broker), Restores()
    fetcher = ScriptedFetcher(lambda request: ok(an_rss(an_item("one")), request.url, ETag='"1"'))
    await make_topics(cluster, tuple(TOPICS), shards=KAFKA_SHARDS)
    async with AsyncExitStack() as closing:
        join = joiner(cluster, fetcher, restores, closing)
        crew = [await join() for _ in range(CREW)]
        await settled(crew, lambda _: True)
        feeds = [a_feed(name) for name in NAMES]
        await crew[0].bus.append(feed_messages(feeds, {}, KAFKA_SHARDS, SystemClock().now()))
        async with asyncio.timeout(SOON_S):
            while len(fetcher.asked) < len(NAMES):
                await nap(0.05)
        begun, moved, seconds = restores.mark(), 0, restores.seconds
        for _ in range(CREW):
            crew.append(await join())
            moved += await settled(crew, restores.enough)
            leaving = crew.pop(0)
            restores.mark()
            await leaving.leave()
            moved += await settled(crew, restores.enough)
            restores.mark()
        for member in crew:
            await member.leave()
    count = restores.count - begun
    seconds = restores.seconds - seconds
    sys.stdout.write(f"{moved} lanes moved, {count} restores in {seconds:.2f} s\n")
    assert count == STATE_TOPICS * moved
    assert moved <= 2 * KAFKA_SHARDS, "a world rebuilt at each step would be six times sixteen"
    assert sorted(fetcher.urls()) == sorted(feed.url for feed in feeds)
