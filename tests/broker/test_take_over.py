"""One active correlator and one active alerter, with standbys: killed or told to leave, nobody is told twice."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from schemas import Alert, Delivery, Storyline, Verdict
from services.bus.codec import encode
from services.bus.topics import ALERTS, DELIVERIES, STORYLINES, VERDICTS
from services.clock import SystemClock
from services.text.times import stamp
from tests.builders import a_source, a_story, a_verdict
from tests.kafka_live import installation
from tests.live import ARMS_TITLE, Newsroom, newsroom, until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.kafka_broker import Broker
    from tests.kafka_live import Installation

pytestmark = pytest.mark.broker

PAIR = ("correlator", "alerter")
SESSION_S = 6.0
SLACK_S = 15.0
"""For a busy machine; undisturbed it is a second or two."""
EXPIRED_S = 14.0
"""The broker forgets an idle producer after eight seconds."""
SERVICES = ("classifier", "correlator", "alerter")


def the_verdict(name: str, *, of: str | None = None) -> Verdict:
    """Return a flagged verdict of a story like no other; with ``of``, of a reprint of that one elsewhere."""
    body = " ".join(f"{of or name}{number}" for number in range(200))
    first_seen = stamp(SystemClock().now())
    source = a_source(name="Nordlicht", domain="nordlicht.example") if of else a_source()
    return a_verdict(
        a_story(name, title=f"Shells from {of or name}", text=body, first_seen=first_seen, source=source)
    )


async def judge(tumen: Installation, *verdicts: Verdict) -> float:
    """Append verdicts as a classifier does; return when."""
    at = stamp(SystemClock().now())
    await tumen.bus.append(
        [encode(VERDICTS, one, partition=0, key=one.id, source="classifier", at=at) for one in verdicts]
    )
    return asyncio.get_running_loop().time()


async def told(room: Newsroom, count: int, since: float, what: str) -> float:
    """Wait until so many webhooks have come; return, and print, how long it took."""
    await until(lambda: len(room.received) >= count, SESSION_S + SLACK_S)
    seconds = asyncio.get_running_loop().time() - since
    sys.stdout.write(f"{what}: told after {seconds:.1f} s\n")
    return seconds


async def test_a_standby_takes_over_where_the_other_was(quick_broker: Broker, tmp_path: Path) -> None:
    """Killed: within the session and a little; told to leave: at once. No alert twice, no delivery twice."""
    async with newsroom() as room, installation(quick_broker, "6s", {}) as tumen:
        await tumen.import_lists(people=room.subscribers(tmp_path))
        first = [await tumen.start(name) for name in PAIR]
        await told(room, 1, await judge(tumen, the_verdict("rajin")), "at the start")
        second = [await tumen.begun(name) for name in PAIR]
        for process in first:
            await tumen.end(process, signal.SIGKILL)
        since = await judge(tumen, the_verdict("copy", of="rajin"), the_verdict("tumangang"))
        assert await told(room, 2, since, "after kill -9") < SESSION_S + SLACK_S

        third = [await tumen.begun(name) for name in PAIR]
        leaving = [tumen.end(process, signal.SIGTERM) for process in second]
        since = await judge(tumen, the_verdict("wonsan"))
        await asyncio.gather(*leaving)
        assert await told(room, 3, since, "after SIGTERM") < SESSION_S
        assert [process.returncode for process in second] == [0, 0]
        for process in third:
            await tumen.end(process, signal.SIGTERM)
        await assert_each_once(tumen, room)
        lines = {line.headline: line.counts for line in await tumen.latest(STORYLINES, Storyline)}
        assert {name: (c.origins, c.copies) for name, c in lines.items()} == {
            "Shells from rajin": (1, 1),
            "Shells from tumangang": (1, 0),
            "Shells from wonsan": (1, 0),
        }


async def assert_each_once(tumen: Installation, room: Newsroom) -> None:
    """One alert a storyline, one settled delivery an alert, one webhook a delivery."""
    alerts = await tumen.latest(ALERTS, Alert)
    deliveries = await tumen.latest(DELIVERIES, Delivery)
    assert Counter(alert.storyline_id for alert in alerts) == Counter(
        {alert.storyline_id for alert in alerts}
    )
    assert [one.status for one in deliveries] == ["sent"] * len(alerts)
    received = [headers["webhook-id"] for headers, _ in room.received]
    assert sorted(received) == sorted(set(received))
    assert len(received) == len(alerts)


def complaints(logged: str) -> list[str]:
    """Return the lines that an operator would look at."""
    levels = {"warning", "error", "critical"}
    return [line for line in logged.splitlines() if json.loads(line)["level"] in levels]


async def test_services_that_were_idle_for_long_go_on_quietly(quick_broker: Broker, tmp_path: Path) -> None:
    """The cluster has forgotten their producers: one rebuild each, nothing lost, nothing twice, no line of log."""
    async with newsroom() as room, installation(quick_broker, "6s", {}) as tumen:
        await tumen.import_lists(room.list_of(["harbour"], tmp_path), room.subscribers(tmp_path))
        process, port = await tumen.watched("run")
        await until(lambda: len(room.requests) >= 2, SLACK_S)
        room.publish("harbour", ARMS_TITLE)
        await until(lambda: len(room.received) == 1, SLACK_S)
        asked = len(room.requests)
        await asyncio.wait({asyncio.get_running_loop().create_future()}, timeout=EXPIRED_S)
        assert len(room.requests) > asked, "the poller asked all the while"

        room.publish("harbour", "Kim Jong Un sends rockets to the Russian army, Kyiv says")
        since = asyncio.get_running_loop().time()
        await told(room, 2, since, "after 14 s idle")
        rebuilt = await tumen.metric(port, "tumen_lane_rebuilds_total")
        logged = await tumen.end(process, signal.SIGTERM)
        assert complaints(logged) == []
        assert rebuilt == {f'{{group="{name}",reason="expired"}}': 1.0 for name in SERVICES}
        await assert_each_once(tumen, room)
