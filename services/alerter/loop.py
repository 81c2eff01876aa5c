"""Alerts become intents, intents become attempts, attempts become lines of the ledger.

Each alert is consumed in the transaction that writes one intent a subscriber. Only then is anything sent, and what
came of it is written in a transaction of its own. A crash between the two sends again, with the same id: at least
once, and the receiver can tell.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from schemas import Alert, Delivery, Silence, Subscriber
from services.alerter import deliver
from services.alerter.ledger import Entry, Ledger, delivery_id, delivery_key
from services.alerter.route import silenced, wanting
from services.alerter.tables import Table, readable
from services.alerter.throttle import Drop, Send, rule
from services.bus.codec import Undecodable, dead_letter, decode, encode
from services.bus.loop import Progress, Step, commit
from services.bus.ports import NO_INPUT, LaneLost
from services.bus.topics import ALERTS, DELIVERIES
from services.obs import log
from services.obs.metrics import Metrics
from services.obs.records import dead_lettered
from services.text.times import moment, stamp

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from services.alerter.channels import Channels
    from services.bus.ports import Bus, Lane, Membership, Message, Record, Tail

ALERTER = "alerter"
ROUNDS_MAX = 16
"""In one drain: at most 80 s of dead receivers, then the caller's clock and the tables are looked at anew."""
ROUND_MAX = 8
"""Attempts at once, and in one transaction: a round takes at most CHANNEL_TIMEOUT_S, and then the lease is renewed."""


class Alerter:
    """The service that tells people."""

    name = ALERTER

    def __init__(  # noqa: PLR0913 - what it reads, what it writes to, whom it tells
        self,
        bus: Bus,
        membership: Membership,
        *,
        subscribers: Tail,
        silences: Tail,
        channels: Channels,
        metrics: Metrics | None = None,
    ) -> None:
        """Take the membership on the alerts, both tables' tails from their start, and the channels by scheme."""
        self._bus = bus
        self._membership = membership
        self._metrics = metrics or Metrics()
        self._subscribers = Table(subscribers, Subscriber, self._metrics)
        self._silences = Table(silences, Silence, self._metrics)
        self._channels = channels
        self._ledgers: dict[Lane, Ledger] = {}

    async def drain(self, now: datetime) -> Progress:
        """Consume alerts, then attempt deliveries that are due, in rounds; whoever calls again gets the rest."""
        await self._subscribers.refresh()
        await self._silences.refresh()
        total = Progress()
        for _ in range(ROUNDS_MAX):
            moved = await self._round(now)
            total += moved
            if not moved.moved:
                break
        return total

    def next_wakeup(self) -> datetime | None:
        """Return when the next attempt is due."""
        due = [at for ledger in self._ledgers.values() if (at := ledger.next_due()) is not None]
        return min(due, default=None)

    async def wait(self, timeout_s: float) -> None:
        """Wait for alerts, a rebalance or the time."""
        await self._membership.wait(timeout_s)

    async def close(self) -> None:
        """Leave the group and release the tables."""
        await self._membership.close()
        await self._subscribers.close()
        await self._silences.close()

    async def _round(self, now: datetime) -> Progress:
        lanes = await self._membership.lanes()
        self._ledgers = {lane: ledger for lane, ledger in self._ledgers.items() if lane in lanes}
        total = Progress()
        for lane in lanes:
            try:
                total += await self._turn(lane, now)
            except LaneLost:
                self._ledgers.pop(lane, None)
        return total

    async def _turn(self, lane: Lane, now: datetime) -> Progress:
        """Do one lane's most urgent thing: save results, else consume alerts, else attempt a round."""
        ledger = self._ledgers.get(lane) or await self._restore(lane, now)
        if ledger.unsaved:
            return await self._save(lane, ledger, now)
        batch = await lane.poll()
        if batch.records:
            step = self._intents(ledger, batch.records, lane.partition, now)
            await commit(lane, batch, step)
            return Progress(len(batch.records), len(step.messages))
        ledger.unsaved = await self._attempt(ledger, now)
        return await self._save(lane, ledger, now) if ledger.unsaved else Progress()

    async def _restore(self, lane: Lane, now: datetime) -> Ledger:
        """Read the ledger, and the alerts that its open lines need."""
        records = [record async for record in lane.restore(DELIVERIES.name)]
        lines = (readable(record, Delivery, self._metrics) for record in records)
        ledger = Ledger(line for line in lines if line is not None)
        if ledger.wanted_alerts:
            async for record in self._bus.read(ALERTS.name, partition=lane.partition):
                alert = readable(record, Alert, self._metrics) if record.value is not None else None
                if alert is not None:
                    ledger.attach(alert, record.offset)
        lost = ledger.orphans()
        ledger.unsaved = tuple(deliver.dropped(one, "parked", "alert_not_found", now) for one in lost)
        self._ledgers[lane] = ledger
        return ledger

    def _intents(self, ledger: Ledger, records: Sequence[Record], partition: int, now: datetime) -> Step:
        """Decide who will be told of these alerts."""
        entries: dict[str, Entry] = {}
        dead: list[tuple[Record, str]] = []
        repeated = 0
        for record in records:
            try:
                alert = _alert(record)
            except Undecodable as error:
                dead.append((record, error.detail))
                continue
            for entry in self._wanted(alert, record.offset, now):
                if ledger.knows(entry.delivery.id) or entry.delivery.id in entries:
                    repeated += 1
                else:
                    entries[entry.delivery.id] = entry
        lines = [entry.delivery for entry in entries.values()]
        messages = [*(_message(line, partition, now) for line in lines), *(_dead(*one) for one in dead)]

        def adopt() -> None:
            ledger.add(entries.values())
            self._metrics.skip("alert_repeated", repeated)
            self._account(lines)
            for record, detail in dead:
                dead_lettered(record, "alert_undecodable", ALERTER, detail, self._metrics)

        return Step(messages, adopt)

    def _wanted(self, alert: Alert, order: int, now: datetime) -> Iterator[Entry]:
        """Yield an entry for each subscriber who wants the alert, silenced ones as such."""
        for subscriber in wanting(alert, self._subscribers.rows()):
            quiet = silenced(alert, subscriber, self._silences.rows(), now)
            delivery = Delivery(
                id=delivery_id(alert.id, subscriber.id),
                alert_id=alert.id,
                subscriber_id=subscriber.id,
                status="silenced" if quiet else "intent",
                due_at=None if quiet else stamp(now),
                at=stamp(now),
            )
            yield Entry(delivery, alert, order, now)

    async def _attempt(self, ledger: Ledger, now: datetime) -> tuple[Delivery, ...]:
        """Attempt the next deliveries that are due, side by side; return their next lines, in their turn."""
        due = ledger.due(now)[:ROUND_MAX]
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._one(entry, now)) for entry in due]
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None  # a closed pipe is to look like one
        return tuple(task.result() for task in tasks)

    async def _one(self, entry: Entry, now: datetime) -> Delivery:
        """Attempt or drop one delivery, as its ruling says."""
        delivery = entry.delivery
        subscriber = self._subscribers.get(delivery.subscriber_id)
        quiet = subscriber is not None and silenced(entry.alert, subscriber, self._silences.rows(), now)
        match rule(delivery, subscriber, silenced=quiet, now=now):
            case Send() if subscriber is not None:
                outcome = await deliver.attempt(self._channels, entry.alert, delivery, subscriber, now)
                return deliver.after(delivery, outcome, entry.since, now)
            case Drop(reason, status):
                return deliver.dropped(delivery, status, reason, now)
            case _:
                return delivery

    async def _save(self, lane: Lane, ledger: Ledger, now: datetime) -> Progress:
        """Write what came of the attempts; until it is written, nothing else is attempted."""
        lines = ledger.unsaved
        step = Step([_message(line, lane.partition, now) for line in lines])
        await commit(lane, NO_INPUT, step)
        ledger.settle(lines)
        ledger.unsaved = ()
        self._account(lines)
        return Progress(0, len(lines))

    def _account(self, lines: Sequence[Delivery]) -> None:
        """Count and log the ledger's new lines."""
        for line in lines:
            self._metrics.inc("tumen_deliveries_total", status=line.status)
            if line.status == "failed":
                log.emit(
                    "delivery.failed",
                    alert_id=line.alert_id,
                    subscriber_id=line.subscriber_id,
                    attempts=line.attempts,
                    http_status=line.http_status,
                    error=line.last_error,
                    due_at=line.due_at,
                )
            elif line.status == "parked":
                log.emit(
                    "delivery.parked",
                    alert_id=line.alert_id,
                    subscriber_id=line.subscriber_id,
                    attempts=line.attempts,
                    http_status=line.http_status,
                    error=line.last_error,
                )
            elif line.status != "intent":
                log.emit(
                    "delivery.settled",
                    alert_id=line.alert_id,
                    subscriber_id=line.subscriber_id,
                    status=line.status,
                    attempts=line.attempts,
                )


def _alert(record: Record) -> Alert:
    """Return the record's alert; its time must be one, since retries are reckoned from it."""
    alert = decode(record, Alert)
    try:
        moment(alert.detected_at)
        moment(alert.created_at)
    except ValueError as error:
        detail = f"alert: {error}"
        raise Undecodable(detail) from error
    return alert


def _message(line: Delivery, partition: int, now: datetime) -> Message:
    return encode(
        DELIVERIES,
        line,
        partition=partition,
        key=delivery_key(line),
        source=ALERTER,
        at=stamp(now),
        trace=line.alert_id,
    )


def _dead(record: Record, detail: str) -> Message:
    return dead_letter(
        record, group=ALERTER, stage=ALERTER, error=detail, error_class="Undecodable", attempts=1
    )
