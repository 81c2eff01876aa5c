"""A failure is tried again, later each time, or parked with its reason; never for ever."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from schemas import Alert, Delivery, Subscriber
from services.alerter import deliver
from services.alerter.channels import Delivered, Outcome, Refused, Retry
from services.alerter.channels.post import TIMEOUT_S
from services.bus.sqlite.bus import LEASE_S
from services.bus.sqlite.groups import RENEWALS_PER_LEASE
from services.text.ids import stable_id
from services.text.times import moment
from tests.builders import a_subscriber, an_alert

NOW = datetime(2026, 5, 12, 12, tzinfo=UTC)


def a_delivery(**fields: Any) -> Delivery:
    """Return an intent."""
    defaults = {
        "id": stable_id("d"),
        "alert_id": stable_id("alert"),
        "subscriber_id": "reader",
        "status": "intent",
        "due_at": "2026-05-12T12:00:00.000Z",
        "at": "2026-05-12T12:00:00.000Z",
    }
    return Delivery.model_validate({**defaults, **fields})


def test_what_arrived_is_sent_and_settled() -> None:
    """No error, no further attempt."""
    line = deliver.after(a_delivery(last_error="HTTP 503"), Delivered(204), NOW, NOW)
    assert (line.status, line.attempts, line.http_status) == ("sent", 1, 204)
    assert (line.last_error, line.due_at, line.at) == (None, None, "2026-05-12T12:00:00.000Z")


def test_what_was_refused_is_parked_with_its_reason() -> None:
    """Trying again would not help."""
    line = deliver.after(a_delivery(), Refused("HTTP 404", 404), NOW, NOW)
    assert (line.status, line.last_error, line.http_status, line.due_at) == ("parked", "HTTP 404", 404, None)


def test_back_off_doubles_to_an_hour() -> None:
    """30 s, 1 min, 2 min … 1 h."""
    waits = [deliver.backoff(attempts).total_seconds() for attempts in range(1, 10)]
    assert waits == [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]
    assert deliver.backoff(10**9) == timedelta(hours=1)


@pytest.mark.parametrize(
    ("after", "wait_s"), [(None, 30), (timedelta(seconds=5), 30), (timedelta(minutes=10), 600)]
)
def test_a_receivers_wish_is_honoured_where_it_is_longer(after: timedelta | None, wait_s: int) -> None:
    """Retry-After lengthens the wait and never shortens it."""
    line = deliver.after(a_delivery(), Retry("HTTP 429", after, 429), NOW, NOW)
    assert line.status == "failed"
    assert line.due_at is not None
    assert moment(line.due_at) - NOW == timedelta(seconds=wait_s)


def test_after_twelve_attempts_it_is_given_up() -> None:
    """A day of failures is five hours of trying; the ledger says how often."""
    line, now = a_delivery(), NOW
    while line.status in {"intent", "failed"}:
        line = deliver.after(line, Retry("timed out"), NOW, now)
        now = moment(line.due_at) if line.due_at else now
    assert (line.status, line.attempts) == ("parked", 12)
    assert line.last_error == "gave up after 12 attempts: timed out"
    assert now - NOW < timedelta(hours=6)


def test_what_would_come_a_day_late_is_given_up() -> None:
    """An alert of yesterday is an archive, not a message."""
    line = deliver.after(a_delivery(), Retry("HTTP 503", timedelta(hours=23)), NOW - timedelta(hours=2), NOW)
    assert line.status == "parked"


def test_an_error_text_is_short_and_harmless() -> None:
    """What a server says may be a megabyte of escapes."""
    line = deliver.after(a_delivery(), Refused("\x1b[2J" + "x" * 1_000_000), NOW, NOW)
    assert line.last_error is not None
    assert len(line.last_error) <= 200
    assert "\x1b" not in line.last_error


async def test_a_channel_that_nobody_built_refuses() -> None:
    """An unknown scheme parks, with the scheme as the reason."""
    outcome = await deliver.attempt({}, an_alert(), a_delivery(), a_subscriber(channel="pigeon:loft"), NOW)
    assert outcome == Refused("no channel for 'pigeon' URLs")


async def test_a_channel_that_hangs_is_left_after_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """One dead receiver costs seconds, and is tried again."""

    class Hanging:
        async def deliver(
            self, alert: Alert, delivery: Delivery, subscriber: Subscriber, now: datetime
        ) -> Outcome:
            """Wait for ever."""
            await asyncio.Event().wait()
            return Delivered()

    monkeypatch.setattr(deliver, "CHANNEL_TIMEOUT_S", 0.01)
    outcome = await deliver.attempt({"console": Hanging()}, an_alert(), a_delivery(), a_subscriber(), NOW)
    assert outcome == Retry("timed out")


def test_a_round_of_attempts_ends_before_the_lease_does() -> None:
    """Else a standby would take the lane over and send the same alerts, because one receiver is slow."""
    assert max(deliver.CHANNEL_TIMEOUT_S, TIMEOUT_S) < LEASE_S * (1 - 1 / RENEWALS_PER_LEASE)
