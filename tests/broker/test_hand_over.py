"""Pollers on Kafka that hand over, and that die: who asks whom, and what is on the log of it."""

from __future__ import annotations

import asyncio
import random
import signal
import sys
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from schemas import FeedSeen, FeedState, Story
from services.bus.topics import FEED_SEEN, FEED_STATE, KAFKA_SHARDS, STORIES
from tests.kafka_live import Installation, installation
from tests.live import until
from tests.pause import nap
from tests.presses import Presses, presses

if TYPE_CHECKING:
    from pathlib import Path

    from tests.kafka_broker import Broker

pytestmark = pytest.mark.broker

FEEDS = {f"gazette{number}": number for number in range(2, 10)}
"""On eight hosts, and so on several lanes."""
KILLS = 4
HAND_OVERS = 2
LATE_S = 1.0
"""An answer is committed within this time, on a busy machine."""
RETRY_AFTER_S = 4
SPACING_S = 0.3


def rounds(press: Presses) -> int:
    """Return how often each feed was asked, at least."""
    return min(len(press.of(feed)) for feed in FEEDS)


def agent(number: int) -> str:
    """Return the name that a poller goes by."""
    return f"tumen-test-{number}/1"


async def asked_by(press: Presses, name: str) -> None:
    """Wait until a poller has asked something: it owns lanes."""
    await until(lambda: name in press.agents(), 40)


async def asked_round(press: Presses, least: int) -> None:
    """Wait until every feed was asked so often."""
    await until(lambda: rounds(press) >= least, 40)


async def asked(press: Presses, least: int) -> None:
    """Wait until so many requests have come."""
    await until(lambda: len(press.printed) >= least, 40)


async def editions_told(tumen: Installation) -> dict[str, int]:
    """Return the newest edition of each feed whose validator is committed."""
    states = await tumen.latest(FEED_STATE, FeedState)
    tags = [state.etag.strip('"').rpartition("-") for state in states if state.etag]
    return {feed: int(edition) for feed, _, edition in tags}


async def editions_published(tumen: Installation) -> dict[str, Counter[int]]:
    """Return how often each edition of each feed is on the log."""
    found: dict[str, Counter[int]] = {}
    for story in await tumen.latest(STORIES, Story):
        found.setdefault(story.source.name, Counter())[int(story.guid)] += 1
    return found


async def assert_all_or_none(tumen: Installation) -> None:
    """Look while pollers die: no validator without its stories, no story without its validator."""
    before = await editions_told(tumen)
    published = await editions_published(tumen)
    after = await editions_told(tumen)
    for feed, counts in published.items():
        newest = max(counts)
        assert before.get(feed, 0) <= newest <= after.get(feed, 0), feed
        assert counts == Counter(range(1, newest + 1)), feed


async def assert_whole(tumen: Installation) -> None:
    """At rest: each edition once, validators and seen-sets as far as the stories."""
    await assert_all_or_none(tumen)
    published, told = await editions_published(tumen), await editions_told(tumen)
    assert {feed: max(counts) for feed, counts in published.items()} == told
    assert published.keys() == FEEDS.keys()
    seen = {one.id: len(one.entries) for one in await tumen.latest(FEED_SEEN, FeedSeen)}
    assert sorted(seen.values()) == sorted(told.values())


async def test_a_killed_poller_loses_what_was_in_flight_and_nothing_else(
    quick_broker: Broker, tmp_path: Path
) -> None:
    """Kill -9 at any moment: stories, state and seen-set are there together or not at all; few are asked again."""
    draw = random.Random(20260512)
    options = {"interval": "800ms", "host_spacing": "0s"}
    options = {"interval": "800ms", "host_spacing": "0s"}
    async with presses() as press, installation(quick_broker, "4s", options) as tumen:
        await tumen.import_lists(press.list_of(FEEDS, tmp_path))
        crew = [await tumen.start("poller") for _ in range(2)]
        await until(lambda: len(press.feeds()) == len(FEEDS), 30)
        kills: list[float] = []
        for _ in range(KILLS):
            await asked(press, len(press.printed) + len(FEEDS))
            await nap(draw.uniform(0, 2 * press.answer_s))
            victim = crew.pop(draw.randrange(2))
            kills.append(asyncio.get_running_loop().time())
            await tumen.end(victim, signal.SIGKILL)
            crew.append(await tumen.start("poller"))
            await assert_all_or_none(tumen)
        fresh = {feed: len(press.of(feed)) + 2 for feed in FEEDS}
        await until(lambda: all(len(press.of(feed)) >= least for feed, least in fresh.items()), 40)
        for process in tuple(crew):
            await tumen.end(process, signal.SIGTERM)
        await assert_whole(tumen)
        lost = press.lost()
        sys.stdout.write(f"{len(press.printed)} asked, {len(kills)} kills, {len(lost)} asked again\n")
        for one in lost:
            answered = one.answered_at or one.asked_at + press.answer_s
            assert any(one.asked_at <= kill <= answered + LATE_S for kill in kills), one


async def test_a_clean_hand_over_asks_nobody_twice(quick_broker: Broker, tmp_path: Path) -> None:
    """One poller comes, another goes, requests always in flight: every answer is committed by who asked for it.

    A host that said "later" is left alone by the new owner too, and so is one that was asked a moment ago.
    """
    options = {"interval": "200ms", "host_spacing": f"{SPACING_S}s"}
    feeds = FEEDS | {"later": 20, "beside": 20}
    async with presses() as press, installation(quick_broker, "6s", options) as tumen:
        press.answer_s = 0.8
        await tumen.import_lists(press.list_of(feeds, tmp_path))
        press.retry_after["later"] = 0
        logged = []
        leaving = await tumen.start("poller", TUMEN_POLLER__USER_AGENT=agent(0))
        await asked_round(press, 2)
        press.retry_after["later"] = RETRY_AFTER_S
        await until(lambda: not press.retry_after, 30)
        for number in range(1, HAND_OVERS + 1):
            coming = await tumen.start("poller", TUMEN_POLLER__USER_AGENT=agent(number))
            await asked_by(press, agent(number))
            count = rounds(press)
            logged.append(await tumen.end(leaving, signal.SIGTERM))
            assert leaving.returncode == 0, logged[-1]
            await asked_round(press, count + 3)
            leaving = coming
        await until(lambda: len(press.of("later")) > 1, 40)
        logged.append(await tumen.end(leaving, signal.SIGTERM))
        sys.stdout.write(f"{len(press.printed)} asked, {len(press.lost())} asked again\n")
        assert press.lost() == []
        assert_polite(press)
        assert all('"level":"warning"' not in said and '"level":"error"' not in said for said in logged), (
            logged
        )


def assert_polite(press: Presses) -> None:
    """Spacing of a host, and its Retry-After, whoever asks."""
    host = [one for one in press.printed if one.feed in {"later", "beside"}]
    starts = sorted(one.asked_at for one in host)
    assert min(b - a for a, b in pairwise(starts)) >= SPACING_S
    told = press.told_later["later"]
    assert not [one for one in host if told < one.asked_at < told + RETRY_AFTER_S]
    assert [one for one in host if one.asked_at >= told + RETRY_AFTER_S]


async def test_once_asks_what_is_due_on_sixteen_partitions_and_imports_no_list(
    quick_broker: Broker, tmp_path: Path
) -> None:
    """`poller --once --feeds` names the command that imports; after it, every feed is asked once, and the end is 0."""
    async with presses() as press, installation(quick_broker, "6s", {}, shards=KAFKA_SHARDS) as tumen:
        feeds = press.list_of(FEEDS, tmp_path)
        for printed in (0, len(FEEDS)):
            process = await tumen.start("poller", "--once", "--feeds", str(feeds))
            _, logged = await asyncio.wait_for(process.communicate(), 60)
            assert process.returncode == 0, logged.decode()
            assert f'"run":"tumen feeds import {feeds}"' in logged.decode().replace('": "', '":"')
            assert len(press.printed) == printed
            await tumen.import_lists(feeds)
        await assert_whole(tumen)
