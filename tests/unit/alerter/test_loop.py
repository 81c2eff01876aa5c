"""Alerts on a real log become one intent a subscriber, then attempts, then settled lines."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import structlog

from schemas import Alert, Delivery, Match, Silence, Subscriber
from schemas.silence import Matcher
from services.alerter.channels import Channels, Delivered, Outcome, Refused, Retry
from services.alerter.channels.console import ConsoleChannel
from services.alerter.loop import ROUND_MAX, Alerter
from services.alerter.subscriberlist import subscriber_messages
from services.bus.codec import encode, tombstone
from services.bus.ports import Message
from services.bus.sqlite import SqliteBus
from services.bus.topics import ALERTS, DELIVERIES, SILENCES, SUBSCRIBERS
from services.obs import log
from services.obs.metrics import Metrics
from services.text.ids import stable_id
from services.text.times import stamp
from tests.builders import T0, a_subscriber, an_alert

NOW = datetime(2026, 5, 12, 12, tzinfo=UTC)


@dataclass
class Script:
    """A channel that answers as told and keeps what it was given."""

    answers: list[Outcome] = field(default_factory=list)
    told: list[tuple[str, str, str]] = field(default_factory=list)

    async def deliver(
        self, alert: Alert, delivery: Delivery, subscriber: Subscriber, now: datetime
    ) -> Outcome:
        """Keep alert title, subscriber and delivery id; take the next answer."""
        self.told.append((alert.title, subscriber.id, delivery.id))
        return self.answers.pop(0) if self.answers else Delivered()


@pytest.fixture
async def bus() -> AsyncIterator[SqliteBus]:
    """Return an empty log in memory."""
    bus = await SqliteBus.open(":memory:")
    yield bus
    await bus.close()


async def an_alerter(bus: SqliteBus, channels: Channels, metrics: Metrics | None = None) -> Alerter:
    """Return an alerter on the log."""
    return Alerter(
        bus,
        await bus.join("alerter", [ALERTS.name]),
        subscribers=await bus.tail([SUBSCRIBERS.name]),
        silences=await bus.tail([SILENCES.name]),
        channels=channels,
        metrics=metrics,
    )


def alert_message(alert: Alert) -> Message:
    """Return an alert as the correlator appends it."""
    return encode(
        ALERTS, alert, partition=0, key=alert.storyline_id, source="correlator", at=alert.detected_at
    )


async def tell(bus: SqliteBus, *alerts: Alert) -> None:
    """Append alerts."""
    await bus.append([alert_message(alert) for alert in alerts])


async def subscribe(bus: SqliteBus, *names: str, **fields: Any) -> None:
    """Import subscribers."""
    await bus.append(subscriber_messages([a_subscriber(name, **fields) for name in names], at=T0))


async def ledger(bus: SqliteBus) -> list[tuple[str, str, int]]:
    """Return subscriber, status and attempts of every line ever written."""
    lines = [Delivery.model_validate_json(record.value or b"") async for record in bus.read(DELIVERIES.name)]
    return [(line.subscriber_id, line.status, line.attempts) for line in lines]


async def test_each_subscriber_who_wants_it_gets_it_once(bus: SqliteBus) -> None:
    """An intent each with the alert, then the attempt's result; nobody else is told."""
    script = Script()
    await subscribe(bus, "b", "a")
    await subscribe(bus, "picky", match=Match(severity_min=5))
    await tell(bus, an_alert())
    alerter = await an_alerter(bus, {"console": script})
    progress = await alerter.drain(NOW)
    assert [name for _, name, _ in script.told] == ["a", "b"]
    assert await ledger(bus) == [("a", "intent", 0), ("b", "intent", 0), ("a", "sent", 1), ("b", "sent", 1)]
    assert (progress.records, progress.messages) == (1, 4)
    assert not (await alerter.drain(NOW)).moved
    assert alerter.next_wakeup() is None
    await alerter.close()


async def test_the_console_reads_alerts_in_their_order(bus: SqliteBus) -> None:
    """Whatever the number of attempts at once."""
    written: list[str] = []
    await subscribe(bus, "reader")
    await tell(bus, *(an_alert(f"{number:02}") for number in range(2 * ROUND_MAX + 3)))
    alerter = await an_alerter(
        bus, {"console": ConsoleChannel(lambda alert: written.append(alert.storyline_id))}
    )
    await alerter.drain(NOW)
    assert written == [an_alert(f"{number:02}").storyline_id for number in range(2 * ROUND_MAX + 3)]


async def test_a_failure_is_tried_again_when_it_is_due(bus: SqliteBus) -> None:
    """Not before; with the same id; and it says when."""
    script = Script([Retry("HTTP 503"), Retry("HTTP 429", timedelta(minutes=5)), Delivered(200)])
    await subscribe(bus, "reader")
    await tell(bus, an_alert())
    alerter = await an_alerter(bus, {"console": script})
    await alerter.drain(NOW)
    assert alerter.next_wakeup() == NOW + timedelta(seconds=30)
    assert not (await alerter.drain(NOW + timedelta(seconds=29))).moved
    await alerter.drain(NOW + timedelta(seconds=30))
    assert alerter.next_wakeup() == NOW + timedelta(seconds=30, minutes=5)
    await alerter.drain(NOW + timedelta(seconds=30, minutes=5))
    assert (await ledger(bus))[1:] == [
        ("reader", "failed", 1),
        ("reader", "failed", 2),
        ("reader", "sent", 3),
    ]
    assert len({key for _, _, key in script.told}) == 1


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """Return where this test's log lines go; logging is left as it was found."""
    root, stream = logging.getLogger(), io.StringIO()
    handlers, level = root.handlers, root.level
    log.configure("json", stream)
    yield stream
    root.handlers = handlers
    root.setLevel(level)
    structlog.reset_defaults()


async def test_what_is_refused_or_has_no_channel_is_parked(bus: SqliteBus, logged: io.StringIO) -> None:
    """And the others are told all the same; the operator reads why."""
    script = Script([Refused("HTTP 404", 404)])
    await subscribe(bus, "a", "b")
    await subscribe(bus, "pigeon", channel="pigeon:loft")
    await tell(bus, an_alert())
    alerter = await an_alerter(bus, {"console": script})
    await alerter.drain(NOW)
    assert (await ledger(bus))[3:] == [("a", "parked", 1), ("b", "sent", 1), ("pigeon", "parked", 1)]
    said = [json.loads(line) for line in logged.getvalue().splitlines()]
    parked = [(line["level"], line["error"]) for line in said if line["event"] == "delivery.parked"]
    assert parked == [("warning", "HTTP 404"), ("warning", "no channel for 'pigeon' URLs")]


async def test_a_silence_is_recorded_and_nothing_sent(bus: SqliteBus) -> None:
    """The ledger says who would have been told."""
    silence = Silence(
        id=stable_id("s"),
        matchers=(Matcher(field="tier", value="T1"),),
        starts_at=stamp(NOW),
        ends_at=stamp(NOW + timedelta(hours=1)),
        author="me",
        reason="known",
    )
    await bus.append([encode(SILENCES, silence, partition=0, key=silence.id, source="cli", at=T0)])
    await subscribe(bus, "reader")
    await tell(bus, an_alert("in it"))
    script = Script()
    alerter = await an_alerter(bus, {"console": script})
    await alerter.drain(NOW)
    assert await ledger(bus) == [("reader", "silenced", 0)]
    await tell(bus, an_alert("after it"))
    await alerter.drain(NOW + timedelta(hours=1))
    assert len(script.told) == 1


async def test_whoever_leaves_is_not_told_any_more(bus: SqliteBus) -> None:
    """A failed delivery of a subscriber who is gone is parked, with the reason."""
    await subscribe(bus, "reader")
    await tell(bus, an_alert())
    alerter = await an_alerter(bus, {"console": Script([Retry("HTTP 503")])})
    await alerter.drain(NOW)
    await bus.append([tombstone(SUBSCRIBERS, partition=0, key="reader", source="cli", at=T0)])
    await alerter.drain(NOW + timedelta(minutes=1))
    assert (await ledger(bus))[-1] == ("reader", "parked", 1)


async def test_an_alert_that_comes_twice_is_told_once(bus: SqliteBus) -> None:
    """In one batch, later, and after a restart."""
    script, metrics = Script(), Metrics()
    await subscribe(bus, "reader")
    await tell(bus, an_alert(), an_alert())
    alerter = await an_alerter(bus, {"console": script}, metrics)
    await alerter.drain(NOW)
    await tell(bus, an_alert())
    await alerter.drain(NOW)
    await alerter.close()
    again = await an_alerter(bus, {"console": script}, metrics)
    await tell(bus, an_alert())
    await again.drain(NOW)
    assert len(script.told) == 1
    assert metrics.value("tumen_skips_total", reason="alert_repeated") == 3
    assert metrics.value("tumen_deliveries_total", status="sent") == 1


async def test_a_table_record_that_cannot_be_read_leaves_the_last_good_one(bus: SqliteBus) -> None:
    """A damaged subscriber goes on being told as before."""
    script, metrics = Script(), Metrics()
    await subscribe(bus, "reader")
    await bus.append([Message(SUBSCRIBERS.name, 0, "reader", b"not json")])
    await tell(bus, an_alert())
    alerter = await an_alerter(bus, {"console": script}, metrics)
    await alerter.drain(NOW)
    assert len(script.told) == 1
    assert metrics.value("tumen_skips_total", reason="table_undecodable") == 1


async def test_it_wakes_for_alerts(bus: SqliteBus) -> None:
    """Level-triggered: an alert that waits ends the wait at once."""
    alerter = await an_alerter(bus, {})
    await alerter.drain(NOW)
    await tell(bus, an_alert())
    await alerter.wait(60)
    assert (await alerter.drain(NOW)).records == 1
