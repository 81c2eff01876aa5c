"""The whole pipeline on a real broker comes to what it comes to on SQLite."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from schemas import Alert, Delivery, Story, Storyline, StorylineMember, Verdict
from services.bootstrap import open_bus
from services.bootstrap.reading import latest
from services.bus.topics import ALERTS, DELIVERIES, STORIES, STORYLINE_MEMBERS, STORYLINES, VERDICTS
from services.cli.main import main

if TYPE_CHECKING:
    from schemas.common import Wire
    from services.bus.topics import Topic
    from tests.kafka_broker import Broker

pytestmark = pytest.mark.broker

DAY_S_MAX = 150.0
RESULTS: tuple[tuple[Topic, type[Wire]], ...] = (
    (STORIES, Story),
    (VERDICTS, Verdict),
    (STORYLINES, Storyline),
    (STORYLINE_MEMBERS, StorylineMember),
    (ALERTS, Alert),
    (DELIVERIES, Delivery),
)


async def ledger(url: str) -> dict[str, list[bytes]]:
    """Return all that a day comes to, as it stands on a log."""
    async with open_bus(url, must_exist=True) as bus:
        return {
            topic.short: sorted([one.to_json() async for one in latest(bus, topic, model)])
            for topic, model in RESULTS
        }


async def topics(command: str, url: str, *more: str) -> tuple[int, list[str]]:
    """Run ``tumen topics``; return the exit code and the lines on stdout."""
    done = await asyncio.to_thread(CliRunner().invoke, main, ["topics", command, "--bus", url, *more])
    return done.exit_code, done.stdout.splitlines()


def play_the_day(url: str) -> None:
    """Play the demo day, which checks by itself what it must lead to."""
    command = [
        sys.executable,
        "-m",
        "services",
        "demo",
        "--exit",
        "--no-desk",
        "--speed",
        "max",
        "--bus",
        url,
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DAY_S_MAX, check=False)
    assert done.returncode == 0, done.stdout[-1_000:] + done.stderr[-1_000:]


@pytest.mark.timeout(240)
async def test_the_demo_day_is_the_same_on_kafka(broker: Broker, tmp_path: Path) -> None:
    """Topics are created and checked by the command line; the day then has the same bytes as on SQLite."""
    url, file = f"kafka://{broker.address}", f"sqlite:{tmp_path / 'day.db'}"
    assert (await topics("check", url, "--partitions", "8"))[1][0] == "tumen.feeds.v1: is not there"
    assert (await topics("create", url, "--partitions", "8"))[0] == 0
    assert await topics("check", url, "--partitions", "8") == (0, [])
    code, lines = await topics("check", url)
    assert (code, lines[0]) == (1, "tumen.feeds.v1: partitions is 8, should be 16")

    play_the_day(url)
    play_the_day(file)
    on_kafka, on_sqlite = await ledger(url), await ledger(file)
    assert {name: len(found) for name, found in on_kafka.items()} == {
        name: len(found) for name, found in on_sqlite.items()
    }
    assert on_kafka == on_sqlite
