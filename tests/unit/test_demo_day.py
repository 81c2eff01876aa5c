"""The demo day, end to end on a log in memory: what it must lead to, and the same bytes each time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from schemas import Alert, Delivery, FeedEvent, Story
from services.bootstrap import open_bus
from services.bootstrap.day import Summary
from services.bootstrap.demo import DemoOptions, run_demo
from services.bootstrap.reading import latest
from services.bus.topics import ALERTS, DELIVERIES, FEED_EVENTS, STORIES
from services.demo.model import DAY_START
from services.obs.metrics import Metrics


class Quiet:
    """A screen that only remembers; it may stop the day at a moment."""

    def __init__(self, until: datetime | None = None) -> None:
        """Begin empty."""
        self.alerts: list[Alert] = []
        self.result: Summary | None = None
        self.stop = asyncio.Event()
        self._until = until

    def show(self, alert: Alert) -> None:
        """Remember an alert."""
        self.alerts.append(alert)

    def at(self, now: datetime) -> None:
        """Stop when it is time."""
        if self._until is not None and now >= self._until:
            self.stop.set()

    def desk_is_at(self, url: str, wanted: int, *, moved: bool) -> None:
        """There is no desk."""

    def resumed(self, now: datetime) -> None:
        """Ignore it."""

    def summary(self, summary: Summary, metrics: Metrics) -> None:
        """Remember the summary."""
        self.result = summary

    def staying(self, url: str) -> None:
        """There is no desk."""


async def test_the_small_hours_lead_to_alerts_and_each_is_told_once(tmp_path: Path) -> None:
    """By twenty to six: what feeds held is filed, the first reports are told, and a sink that was down has them."""
    screen = Quiet(until=DAY_START + timedelta(hours=5, minutes=40))
    bus = f"sqlite:{tmp_path}/day.db"

    await run_demo(DemoOptions(speed=None, bus=bus, desk=False, stay=False), screen, screen.stop)

    async with open_bus(bus) as opened:
        told = [one async for one in latest(opened, DELIVERIES, Delivery)]
        alerts = [one async for one in latest(opened, ALERTS, Alert)]
        filed = [one async for one in latest(opened, STORIES, Story) if one.arrival == "backfill"]
    assert len(filed) == 31
    assert [alert.id for alert in screen.alerts] == [one.id for one in alerts if one.severity >= 3]
    assert alerts[0].created_at < "2026-05-12T03:28"
    assert {one.status for one in told} == {"sent"}
    assert max(one.attempts for one in told) > 1, "the sink is down from 05:00 to 05:30"
    quotes_are_short(alerts)


@pytest.mark.chaos
async def test_the_day_leads_to_the_expected_alerts(tmp_path: Path) -> None:
    """Everything that must be told is told in time, nothing that must not, and what is older is filed."""
    screen = Quiet()
    bus = f"sqlite:{tmp_path}/day.db"

    as_expected = await run_demo(
        DemoOptions(speed=None, bus=bus, desk=False, stay=False), screen, screen.stop
    )

    assert screen.result is not None
    assert screen.result.faults == ()
    assert as_expected
    assert screen.result.backfill == 31
    assert screen.result.feeds >= 30
    assert screen.result.stories >= 600
    assert all(alert.arrival != "backfill" for alert in screen.result.alerts)
    async with open_bus(bus) as opened:
        told = [one async for one in latest(opened, DELIVERIES, Delivery)]
        alerts = [one async for one in latest(opened, ALERTS, Alert)]
        stories = [one async for one in latest(opened, STORIES, Story)]
        events = [one async for one in latest(opened, FEED_EVENTS, FeedEvent)]
    assert {one.status for one in told} == {"sent"}, (
        "the sink was down for half an hour; all was sent in the end"
    )
    assert max(one.attempts for one in told) > 1
    assert [alert.id for alert in screen.alerts] == [a.id for a in alerts if a.severity >= 3], (
        "the console, once each"
    )
    assert len({story.language for story in stories}) >= 8
    assert {event.kind for event in events} >= {"gone", "silent", "degraded", "format", "recovered"}
    quotes_are_short(alerts)


def quotes_are_short(alerts: Sequence[Alert]) -> None:
    """No alert carries more of a publisher's text than a short quotation."""
    for alert in alerts:
        for span in alert.evidence:
            assert len(span.text) <= 300
            assert len(span.text.split()) <= 25
