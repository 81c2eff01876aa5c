"""What an import of lists does to a log, asserted of each: what changed and no more, by one job or by two."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest

from schemas import Feed, Subscriber
from services.alerter.subscriberlist import read_subscribers
from services.bootstrap.imports import import_feeds, import_subscribers
from services.bootstrap.reading import latest
from services.bus.kafka import KafkaBus
from services.bus.ports import Bus, Record
from services.bus.sqlite import SqliteBus
from services.bus.topics import FEEDS, KAFKA_SHARDS, SUBSCRIBERS
from services.poller.feedlist import read_feed_list
from tests.kafka_bus import a_cluster, make_topics

NOW = datetime(2026, 5, 12, tzinfo=UTC)
LIST = Path(__file__).parents[2] / "deploy" / "feeds.opml"
PEOPLE = b"""
[[subscribers]]
id = "me"
channel = "console:"

[[subscribers]]
id = "newsroom"
channel = "https://hooks.newsroom.example/tumen"
match = { severity_min = 4, languages = ["ko", "en"] }
"""


@pytest.fixture(params=["sqlite", pytest.param("kafka", marks=pytest.mark.broker)])
async def jobs(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[Bus, Bus]]:
    """Open one log twice, as two jobs do."""
    async with AsyncExitStack() as stack:
        opened: list[Bus] = []
        if request.param == "kafka":
            cluster = a_cluster(request.getfixturevalue("broker"))
            await make_topics(cluster, (FEEDS.name, SUBSCRIBERS.name), shards=KAFKA_SHARDS)
        for _ in range(2):
            bus: Bus = (
                await KafkaBus.open(cluster)
                if request.param == "kafka"
                else await SqliteBus.open(str(tmp_path / "lists.db"), durable=False)
            )
            stack.push_async_callback(bus.close)
            opened.append(bus)
        yield opened[0], opened[1]


async def job(bus: Bus, feeds: bytes, people: bytes = PEOPLE, *, replace: bool = False) -> None:
    """Import both lists, as the commands do."""
    await import_feeds(bus, read_feed_list(feeds, "feeds"), "feeds", NOW, replace=replace)
    await import_subscribers(bus, read_subscribers(people, "people"), "people", NOW, replace=replace)


async def written(jobs: tuple[Bus, Bus]) -> list[list[Record]]:
    """Return all that both have written; each sees its own for certain, and the later one what the earlier saw."""
    for bus in jobs:
        found = [[r async for r in bus.read(topic.name)] for topic in (FEEDS, SUBSCRIBERS)]
    return found


async def listed(bus: Bus) -> tuple[set[str], set[str]]:
    """Return the addresses and the subscribers on the log."""
    return (
        {feed.url async for feed in latest(bus, FEEDS, Feed)},
        {one.id async for one in latest(bus, SUBSCRIBERS, Subscriber)},
    )


async def test_two_jobs_at_once_come_to_one_list_and_a_third_writes_nothing(jobs: tuple[Bus, Bus]) -> None:
    """A feed has one partition and one value, whoever wrote it; the same list again is no message."""
    feeds = LIST.read_bytes()
    wanted = {feed.url for feed in read_feed_list(feeds, "feeds").feeds}
    await asyncio.gather(*(job(bus, feeds) for bus in jobs))
    before = await written(jobs)
    assert await listed(jobs[0]) == (wanted, {"me", "newsroom"})
    partitions: dict[str, set[int]] = {}
    for record in before[0]:
        partitions.setdefault(record.key, set()).add(record.partition)
    assert {len(found) for found in partitions.values()} == {1}

    await job(jobs[1], feeds)
    await job(jobs[0], feeds, replace=True)
    assert await written(jobs) == before


async def test_only_replace_removes(jobs: tuple[Bus, Bus]) -> None:
    """A shorter list changes nothing but what it names, until it is said to be the whole."""
    short = b'[[feeds]]\nxmlUrl = "https://one.example/feed"\n'
    longer = short + b'\n[[feeds]]\nxmlUrl = "https://two.example/feed"\n'
    await job(jobs[0], longer)
    await job(jobs[1], short)
    both = {"https://one.example/feed", "https://two.example/feed"}
    assert await listed(jobs[0]) == (both, {"me", "newsroom"})
    one = PEOPLE.partition(b"\n\n[[")[0]
    await job(jobs[1], short, one, replace=True)
    assert await listed(jobs[0]) == ({"https://one.example/feed"}, {"me"})
