"""The demo day: the world is written to a tape, the tape is played through the whole pipeline on virtual time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from typing import IO, TYPE_CHECKING

from schemas import Alert, Delivery, Feed, FeedState, Story, Storyline, Verdict
from services.alerter.channels.webhook import PostResult
from services.bootstrap.reading import latest
from services.bus.topics import ALERTS, DELIVERIES, FEED_STATE, FEEDS, STORIES, STORYLINES, VERDICTS
from services.clock import VirtualClock
from services.demo.check import check, load_expected
from services.demo.keyword import keyword_alerts
from services.demo.model import DAY_END, DAY_START
from services.demo.world import World
from services.replay.tape import Answered, Attached, Entry, Failed, write_tape
from services.text.times import moment

if TYPE_CHECKING:
    from services.bus.ports import Bus

TITLE = "The demo day of tumen: an invented Tuesday"
FEED_LIST = "feeds.opml"
DEMO_SECRET = "whsec_dHVtZW4gZGVtbyBkYXkgc2VjcmV0"  # noqa: S105 - signs for a sink that exists only in the demo


def tape_entries(world: World) -> list[Entry]:
    """Return the day as a tape holds it: the feed list, then one entry for each change of each URL."""
    entries: list[Entry] = [Attached(FEED_LIST, DAY_START, "text/x-opml", world.feed_list())]
    for url in world.urls():
        for at in world.changes(url):
            answer = world.respond(url, at, {})
            if answer.fault is None:
                entries.append(Answered(url, at, answer.status, answer.headers, answer.body))
            else:
                entries.append(Failed(url, at, answer.fault, "the server of the demo day does not answer"))
    return entries


def export_tape(world: World, out: IO[bytes], *, compressed: bool = True) -> int:
    """Write the day's tape; its uncompressed records are the same on every machine."""
    entries = tape_entries(world)
    return write_tape(out, entries, title=TITLE, start=DAY_START, end=DAY_END, compressed=compressed)


def tape_of(world: World) -> BytesIO:
    """Return the day's tape, ready to be read: not compressed, since it is not kept."""
    out = BytesIO()
    export_tape(world, out, compressed=False)
    out.seek(0)
    return out


class SinkPoster:
    """Posts webhooks into the invented world, at the clock's moment."""

    def __init__(self, world: World, clock: VirtualClock) -> None:
        """Take the world that answers and the clock it answers at."""
        self._world = world
        self._clock = clock

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> PostResult:
        """Return what the sink answers; never waits."""
        answer = self._world.respond_post(url, self._clock.now(), headers, body)
        return PostResult(answer.status, {name.lower(): value for name, value in answer.headers})

    async def close(self) -> None:
        """Hold nothing."""


async def reached(bus: Bus) -> datetime:
    """Return the virtual time that a day on this log has reached: its newest poll, or the day's start."""
    newest = [state.polled_at async for state in latest(bus, FEED_STATE, FeedState)]
    return max((moment(at) for at in newest), default=DAY_START)


@dataclass(frozen=True, slots=True)
class Summary:
    """What a day came to, counted on the log."""

    feeds: int
    stories: int
    backfill: int
    flagged: int
    storylines: int
    alerts: tuple[Alert, ...]
    deliveries: Mapping[str, int]
    keyword_alerts: int
    faults: tuple[str, ...]
    """What was expected and is not there, and what is there and was not expected."""


async def summarise(bus: Bus, world: World) -> Summary:
    """Count a finished day on its log and hold it against what it must lead to."""
    stories = [story async for story in latest(bus, STORIES, Story)]
    verdicts = [verdict async for verdict in latest(bus, VERDICTS, Verdict)]
    alerts = [alert async for alert in latest(bus, ALERTS, Alert)]
    deliveries = Counter([delivery.status async for delivery in latest(bus, DELIVERIES, Delivery)])
    return Summary(
        feeds=len([feed async for feed in latest(bus, FEEDS, Feed)]),
        stories=len({story.id for story in stories}),
        backfill=len({story.id for story in stories if story.arrival == "backfill"}),
        flagged=len({verdict.story_id for verdict in verdicts if verdict.flagged}),
        storylines=len([storyline async for storyline in latest(bus, STORYLINES, Storyline)]),
        alerts=tuple(alerts),
        deliveries={str(status): count for status, count in deliveries.items()},
        keyword_alerts=keyword_alerts(stories),
        faults=tuple(check(load_expected(), alerts, world.items)),
    )
