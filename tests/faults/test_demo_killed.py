"""The demo day, killed again and again, comes to what it comes to undisturbed."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from schemas import Alert, Delivery, Story, Storyline, StorylineMember, Verdict
from services.bootstrap import open_bus
from services.bootstrap.reading import latest
from services.bus.topics import ALERTS, DELIVERIES, STORIES, STORYLINE_MEMBERS, STORYLINES, VERDICTS

KILLS = 50
RUNS_MAX = 200
DAY_S_MAX = 120.0


def demo(bus: Path) -> subprocess.Popen[bytes]:
    """Start a day, or go on with it, as its own process."""
    command = [sys.executable, "-m", "services", "demo", "--exit", "--no-desk", "--bus", f"sqlite:{bus}"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def finish(bus: Path) -> None:
    """Play to the end, undisturbed."""
    process = demo(bus)
    process.communicate(timeout=DAY_S_MAX)
    assert process.returncode == 0


def killed_at_random(bus: Path, draw: random.Random, start_s: float) -> bool:
    """Start the day and kill it at a random moment after its start-up; return False if it ended before."""
    process = demo(bus)
    try:
        process.communicate(timeout=start_s + draw.uniform(0, 0.4))
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.communicate()
        return True
    return False


async def ledger(bus: Path) -> dict[str, object]:
    """Return all that a day must come to, as it stands on the log."""
    async with open_bus(f"sqlite:{bus}", must_exist=True) as opened:
        return {
            "stories": sorted([one.to_json() async for one in latest(opened, STORIES, Story)]),
            "verdicts": [one.to_json() async for one in latest(opened, VERDICTS, Verdict)],
            "storylines": sorted([one.to_json() async for one in latest(opened, STORYLINES, Storyline)]),
            "members": sorted(
                [one.to_json() async for one in latest(opened, STORYLINE_MEMBERS, StorylineMember)]
            ),
            "alerts": [one.to_json() async for one in latest(opened, ALERTS, Alert)],
            "deliveries": sorted(
                [
                    (one.alert_id, one.subscriber_id, one.status)
                    async for one in latest(opened, DELIVERIES, Delivery)
                ]
            ),
        }


@pytest.mark.chaos
@pytest.mark.timeout(900)
async def test_fifty_kills_change_nothing(tmp_path: Path) -> None:
    """Stories, verdicts, storylines, alerts and the ledger equal the undisturbed day's, to the byte."""
    begun = time.monotonic()
    finish(tmp_path / "undisturbed.db")
    whole_s = time.monotonic() - begun
    draw = random.Random(20260512)
    kills = 0
    for _ in range(RUNS_MAX):
        if kills == KILLS or not killed_at_random(tmp_path / "killed.db", draw, start_s=whole_s * 0.1):
            break
        kills += 1
    finish(tmp_path / "killed.db")

    assert kills == KILLS
    undisturbed, killed = await ledger(tmp_path / "undisturbed.db"), await ledger(tmp_path / "killed.db")
    for what, expected in undisturbed.items():
        assert killed[what] == expected, what
