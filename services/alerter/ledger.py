"""The ledger in memory: which deliveries are open, with the alerts to send, and which were settled."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from schemas import Delivery
from services.alerter.throttle import OPEN
from services.text.ids import stable_id
from services.text.times import moment

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import datetime

    from schemas import Alert


@dataclass(frozen=True, slots=True)
class Entry:
    """An open delivery, what to deliver, and its alert's place in the log."""

    delivery: Delivery
    alert: Alert
    order: int
    since: datetime
    """When there first was something to deliver."""

    @property
    def turn(self) -> tuple[int, str]:
        """What entries are sent by: the alert's place, then the subscriber."""
        return self.order, self.delivery.subscriber_id


class Ledger:
    """One lane's deliveries by id. Settled ones are remembered by id alone: nobody is told twice."""

    def __init__(self, deliveries: Iterable[Delivery] = ()) -> None:
        """Take the last line about each delivery; open ones wait for their alerts (``attach``)."""
        self._open: dict[str, Entry] = {}
        self._orphans: dict[str, list[Delivery]] = {}
        self._settled: set[str] = set()
        self.unsaved: tuple[Delivery, ...] = ()
        """Results of attempts that no transaction has taken yet: saved before anything is attempted again."""
        for delivery in deliveries:
            if delivery.status in OPEN:
                self._orphans.setdefault(delivery.alert_id, []).append(delivery)
            else:
                self._settled.add(delivery.id)

    @property
    def wanted_alerts(self) -> Collection[str]:
        """Ids of the alerts that open deliveries still lack."""
        return self._orphans.keys()

    def attach(self, alert: Alert, order: int) -> None:
        """Give an alert to the open deliveries that wait for it."""
        for delivery in self._orphans.pop(alert.id, ()):
            since = moment(delivery.at if delivery.status == "intent" else alert.detected_at)
            self._open[delivery.id] = Entry(delivery, alert, order, since)

    def orphans(self) -> list[Delivery]:
        """Return, and let go of, the open deliveries whose alert is not to be had."""
        left = [delivery for waiting in self._orphans.values() for delivery in waiting]
        self._orphans.clear()
        return sorted(left, key=lambda delivery: (delivery.alert_id, delivery.subscriber_id))

    def knows(self, delivery_id: str) -> bool:
        """Return whether there is, or was, such a delivery."""
        return delivery_id in self._open or delivery_id in self._settled

    def add(self, entries: Iterable[Entry]) -> None:
        """Take new entries, settled ones (silenced from the start) by id."""
        for entry in entries:
            if entry.delivery.status in OPEN:
                self._open[entry.delivery.id] = entry
            else:
                self._settled.add(entry.delivery.id)

    def settle(self, deliveries: Iterable[Delivery]) -> None:
        """Take the next line about deliveries."""
        for delivery in deliveries:
            entry = self._open.pop(delivery.id, None)
            if delivery.status not in OPEN:
                self._settled.add(delivery.id)
            elif entry is not None:
                self._open[delivery.id] = replace(entry, delivery=delivery)

    def due(self, now: datetime) -> list[Entry]:
        """Return the entries whose time has come, in their turn."""
        due = (entry for entry in self._open.values() if _due_at(entry) <= now)
        return sorted(due, key=lambda entry: entry.turn)

    def next_due(self) -> datetime | None:
        """Return when the next attempt is due."""
        return min(map(_due_at, self._open.values()), default=None)


def delivery_id(alert_id: str, subscriber_id: str) -> str:
    """Return the idempotency key that a receiver sees on every attempt."""
    return stable_id(alert_id, subscriber_id)


def delivery_key(delivery: Delivery) -> str:
    """Return the key of a delivery's record."""
    return f"{delivery.alert_id}/{delivery.subscriber_id}"


def _due_at(entry: Entry) -> datetime:
    return moment(entry.delivery.due_at or entry.delivery.at)
