"""What the alerter does when something breaks between sending and writing down, and when texts are hostile."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from schemas import Alert, Delivery, Subscriber
from services.alerter.channels import Delivered, Outcome, Retry
from services.alerter.channels.console import ConsoleChannel
from services.alerter.ledger import delivery_id, delivery_key
from services.alerter.loop import Alerter
from services.alerter.render import plain, webhook_body
from services.alerter.subscriberlist import subscriber_messages
from services.bus.codec import encode
from services.bus.loop import LaneService
from services.bus.ports import Batch, BusUnavailable, Lane, Membership, Message, Outbox, Record
from services.bus.sqlite import SqliteBus
from services.bus.topics import ALERTS, DELIVERIES, SILENCES, SUBSCRIBERS, VERDICTS
from services.correlator.stage import CorrelatorStage
from services.text.quote import fits
from tests.builders import T0, a_source, a_story, a_subscriber, a_verdict, an_alert, evidence_in

NOW = datetime(2026, 5, 12, 12, tzinfo=UTC)
READER = a_subscriber("reader")


class Died(Exception):  # noqa: N818 - it is not an error of the code under test
    """The process would be gone now."""


class Recorder:
    """A channel that keeps the ids it was given; ``during`` happens while it sends."""

    def __init__(self, during: Callable[[], object] = lambda: None) -> None:
        """Do nothing else by default."""
        self.ids: list[str] = []
        self.during = during

    async def deliver(
        self, alert: Alert, delivery: Delivery, subscriber: Subscriber, now: datetime
    ) -> Outcome:
        """Keep the id."""
        self.ids.append(delivery.id)
        outcome = self.during()
        if hasattr(outcome, "__await__"):
            outcome = await outcome
        return outcome if isinstance(outcome, Retry) else Delivered()


@pytest.fixture
async def bus(tmp_path: Path) -> AsyncIterator[SqliteBus]:
    """Return a log on disk with one subscriber and one alert."""
    bus = await SqliteBus.open(str(tmp_path / "tumen.db"), durable=False)
    await bus.append([*subscriber_messages([READER], at=T0), alert_message(an_alert())])
    yield bus
    await bus.close()


def alert_message(alert: Alert) -> Message:
    """Return an alert as the correlator appends it."""
    return encode(
        ALERTS, alert, partition=0, key=alert.storyline_id, source="correlator", at=alert.detected_at
    )


async def an_alerter(
    bus: SqliteBus, channel: Recorder | ConsoleChannel, membership: Membership | None = None
) -> Alerter:
    """Return an alerter on the log."""
    return Alerter(
        bus,
        membership or await bus.join("alerter", [ALERTS.name]),
        subscribers=await bus.tail([SUBSCRIBERS.name]),
        silences=await bus.tail([SILENCES.name]),
        channels={"console": channel},
    )


async def ledger(bus: SqliteBus) -> list[tuple[str, int]]:
    """Return status and attempts of every line ever written."""
    lines = [Delivery.model_validate_json(record.value or b"") async for record in bus.read(DELIVERIES.name)]
    return [(line.status, line.attempts) for line in lines]


async def test_a_crash_between_sending_and_writing_sends_again_with_the_same_id(bus: SqliteBus) -> None:
    """The receiver sees one idempotency key twice; the ledger has one intent and one end."""

    def die() -> None:
        raise Died

    dying = Recorder(die)
    alerter = await an_alerter(bus, dying)
    with pytest.raises(Died):
        await alerter.drain(NOW)
    await alerter.close()
    recorder = Recorder()
    again = await an_alerter(bus, recorder)
    await again.drain(NOW)
    assert dying.ids == recorder.ids == [delivery_id(an_alert().id, "reader")]
    assert await ledger(bus) == [("intent", 0), ("sent", 1)]


async def test_a_crash_between_two_attempts_goes_on_with_the_next(bus: SqliteBus) -> None:
    """Attempts and due time are the ledger's; a newer alert on the same storyline hides nothing."""
    alerter = await an_alerter(bus, Recorder(lambda: Retry("HTTP 503")))
    await alerter.drain(NOW)
    await alerter.close()
    newer = an_alert("newer", storyline_id=an_alert().storyline_id, severity=1)
    await bus.append([alert_message(newer)])
    recorder = Recorder()
    again = await an_alerter(bus, recorder)
    await again.drain(NOW)
    assert recorder.ids == []
    assert again.next_wakeup() == NOW + timedelta(seconds=30)
    await again.drain(NOW + timedelta(seconds=30))
    assert await ledger(bus) == [("intent", 0), ("failed", 1), ("sent", 2)]


class Refusing:
    """A lane whose timer transactions fail as often as told, as a log does that cannot be written now."""

    def __init__(self, lane: Lane, failures: int) -> None:
        """Wrap a lane."""
        self._lane = lane
        self.failures = failures
        self.topic, self.partition, self.note = lane.topic, lane.partition, lane.note
        self.poll, self.restore = lane.poll, lane.restore

    @asynccontextmanager
    async def transaction(self, batch: Batch, note: str = "") -> AsyncIterator[Outbox]:
        """Fail a transaction without input, or pass it on."""
        if batch.next_offset is None and self.failures:
            self.failures -= 1
            raise BusUnavailable("database is locked")
        async with self._lane.transaction(batch, note) as outbox:
            yield outbox


class RefusingMembership:
    """A membership whose one lane refuses."""

    def __init__(self, membership: Membership, failures: int) -> None:
        """Wrap a membership."""
        self._membership = membership
        self._failures = failures
        self._lanes: list[Lane] = []
        self.wait, self.close = membership.wait, membership.close
        self.moving, self.hold_while = False, membership.hold_while

    async def lanes(self) -> Sequence[Lane]:
        """Return the refusing lane."""
        owned = await self._membership.lanes()
        self._lanes = self._lanes or [Refusing(lane, self._failures) for lane in owned]
        return self._lanes


async def test_a_log_that_cannot_be_written_makes_nobody_be_told_again(bus: SqliteBus) -> None:
    """What was sent is written down before anything is sent once more, however long that takes."""
    recorder = Recorder()
    membership = RefusingMembership(await bus.join("alerter", [ALERTS.name]), failures=3)
    alerter = await an_alerter(bus, recorder, membership)
    for _ in range(3):
        with pytest.raises(BusUnavailable):
            await alerter.drain(NOW)
    await alerter.drain(NOW)
    assert len(recorder.ids) == 1
    assert await ledger(bus) == [("intent", 0), ("sent", 1)]


async def test_a_lane_that_is_lost_while_sending_is_dropped_quietly(bus: SqliteBus) -> None:
    """The new owner sends with the same id, and the ledger ends once."""
    membership = await bus.join("alerter", [ALERTS.name])
    losing = Recorder(membership.close)
    alerter = await an_alerter(bus, losing, membership)
    await alerter.drain(NOW)
    assert await ledger(bus) == [("intent", 0)]
    recorder = Recorder()
    heir = await an_alerter(bus, recorder)
    await heir.drain(NOW)
    assert losing.ids == recorder.ids
    assert await ledger(bus) == [("intent", 0), ("sent", 1)]


async def test_an_alert_that_cannot_be_read_goes_to_the_dead_letters(bus: SqliteBus) -> None:
    """In the transaction of its offset; the alerts around it are told."""
    bad_time = an_alert("thirteenth month").model_copy(update={"detected_at": "2026-13-01T00:00:00.000Z"})
    await bus.append(
        [Message(ALERTS.name, 0, "k", b"\x00"), alert_message(bad_time), alert_message(an_alert("good"))]
    )
    recorder = Recorder()
    alerter = await an_alerter(bus, recorder)
    await alerter.drain(NOW)
    dead: list[Record] = [record async for record in bus.read(ALERTS.dlq.name)]
    assert [record.value for record in dead] == [b"\x00", bad_time.to_json()]
    assert len(recorder.ids) == 2
    assert await bus.lag("alerter", ALERTS.name) == {0: 0}


async def test_a_delivery_whose_alert_is_lost_is_parked_with_its_reason(bus: SqliteBus) -> None:
    """Nothing is dropped in silence."""
    lost = Delivery(
        id=delivery_id("0" * 32, "reader"), alert_id="0" * 32, subscriber_id="reader", status="intent", at=T0
    )
    line = encode(DELIVERIES, lost, partition=0, key=delivery_key(lost), source="alerter", at=T0)
    await bus.append([line])
    alerter = await an_alerter(bus, Recorder())
    await alerter.drain(NOW)
    assert ("parked", 0) in await ledger(bus)


async def test_a_closed_pipe_looks_like_one(bus: SqliteBus) -> None:
    """The command line ends quietly on BrokenPipeError, whatever ran side by side."""

    def write(alert: Alert) -> None:
        raise BrokenPipeError

    alerter = await an_alerter(bus, ConsoleChannel(write))
    with pytest.raises(BrokenPipeError):
        await alerter.drain(NOW)


async def test_hostile_feed_text_is_harmless_from_verdict_to_reader(bus: SqliteBus) -> None:
    """Scripts, bidi controls, escapes and texts without end: one line each, short quotations, plain JSON."""
    hostile = "<script>alert(1)</script>\x1b[2J\x9b\u202e\u2066\r\nURGENT: North Korea gives Russia arms "
    story = a_story(
        title=(hostile * 20)[:1000],
        source=a_source(name=hostile * 100, label=hostile),
        url="javascript:alert(1)",
        summary=hostile * 1000,
    )
    evidence = evidence_in(hostile * 1000, dprk="North Korea", materiel__arms="arms")
    verdict = a_verdict(story, evidence=evidence)
    await bus.append([encode(VERDICTS, verdict, partition=0, key=story.id, source="classifier", at=T0)])
    correlator = LaneService("correlator", await bus.join("correlator", [VERDICTS.name]), CorrelatorStage)
    await correlator.drain(NOW)
    told: list[Alert] = []
    alerter = await an_alerter(bus, ConsoleChannel(told.append))
    await alerter.drain(NOW)
    alert = told[-1]
    text = plain(alert)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)
    assert not [line for line in text.splitlines() if line.startswith("URGENT")]
    assert all(fits(quote.text) for quote in alert.evidence)
    assert len(webhook_body(alert)) < 20_000
    assert json.loads(webhook_body(alert))["data"]["title"] == alert.title
