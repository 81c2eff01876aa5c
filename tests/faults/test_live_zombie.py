"""Two of each on one log: one stopped past its lease, then continued; nothing is doubled, nothing lost."""

from __future__ import annotations

import asyncio
import json
import signal
from collections import Counter
from pathlib import Path

import pytest

from schemas import Alert, Delivery, Story, Verdict
from services.bootstrap import open_bus
from services.bootstrap.reading import latest
from services.bus.ports import BusUnavailable
from services.bus.sqlite import SqliteBus
from services.bus.sqlite.bus import LEASE_S
from services.bus.topics import ALERTS, DELIVERIES, STORIES, VERDICTS
from tests.live import Newsroom, newsroom, tumen, until

FEEDS = [f"gazette{number}" for number in range(6)]
CREW = ("poller", "poller", "classifier", "correlator", "correlator", "alerter")
TRIES_MAX = 10


def arms_title(feed: str, turn: str) -> str:
    """Return a headline that is flagged and is nobody else's."""
    return f"North Korea ships artillery shells to Russia, says the {turn} report of the {feed}"


async def stopped_between_transactions(process: asyncio.subprocess.Process, bus: str) -> None:
    """Stop a process at a moment at which it holds no lock on the log."""
    for _ in range(TRIES_MAX):
        process.send_signal(signal.SIGSTOP)
        other = await SqliteBus.open(bus, busy_s=1.0)
        try:
            await other.maintain()
        except BusUnavailable:
            process.send_signal(signal.SIGCONT)
        else:
            return
        finally:
            await other.close()
    pytest.fail("the process held the lock each time it was stopped")


def told(room: Newsroom) -> set[str]:
    """Return the headlines that the webhook has got."""
    return {json.loads(body)["data"]["title"].partition(": ")[2] for _, body in room.received}


async def publish_and_wait(room: Newsroom, turn: str, seconds: float) -> None:
    """Put one flagged story into every feed and wait until all have been told."""
    for feed in FEEDS:
        room.publish(feed, arms_title(feed, turn))
    wanted = {arms_title(feed, turn) for feed in FEEDS}
    await until(lambda: wanted <= told(room), seconds)


@pytest.mark.chaos
@pytest.mark.timeout(180)
async def test_a_poller_and_a_correlator_stopped_past_their_lease_double_nothing(tmp_path: Path) -> None:
    """The zombies' work is taken over; when they go on, they cannot commit and simply join again."""
    path = f"{tmp_path}/log.db"
    async with newsroom() as room:
        lists = (
            "--feeds",
            str(room.list_of(FEEDS, tmp_path)),
            "--subscribers",
            str(room.subscribers(tmp_path)),
        )
        crew = [await tumen(name, "--bus", f"sqlite:{path}", "--health-port", "off", *lists) for name in CREW]
        try:
            await until(lambda: {name for name, _ in room.requests} == set(FEEDS))
            await publish_and_wait(room, "first", 40)
            for zombie in (crew[0], crew[3]):
                await stopped_between_transactions(zombie, path)
            await publish_and_wait(room, "second", LEASE_S + 40)
            for zombie in (crew[0], crew[3]):
                zombie.send_signal(signal.SIGCONT)
            await publish_and_wait(room, "third", 40)
        finally:
            for process in crew:
                process.send_signal(signal.SIGCONT)
                process.send_signal(signal.SIGTERM)
            ends = [await asyncio.wait_for(process.communicate(), 10) for process in crew]
    assert [process.returncode for process in crew] == [0] * len(crew), ends
    await nothing_is_doubled(path, stories=3 * len(FEEDS))


async def nothing_is_doubled(path: str, stories: int) -> None:
    """Hold the log: one story a publication, one verdict, one alert and one settled delivery each."""
    async with open_bus(f"sqlite:{path}", must_exist=True) as bus:
        found = Counter([(one.id, one.revision) async for one in latest(bus, STORIES, Story)])
        verdicts = Counter([one.story_id async for one in latest(bus, VERDICTS, Verdict)])
        alerts = Counter([one.storyline_id async for one in latest(bus, ALERTS, Alert)])
        deliveries = [one async for one in latest(bus, DELIVERIES, Delivery)]
    assert len(found) == len(verdicts) == len(alerts) == len(deliveries) == stories
    assert {*found.values(), *verdicts.values(), *alerts.values()} == {1}
    assert {one.status for one in deliveries} == {"sent"}
