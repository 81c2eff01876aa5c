"""May this delivery go out now? Pure; every answer has a named reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from services.text.times import moment

if TYPE_CHECKING:
    from datetime import datetime

    from schemas import Delivery, Subscriber

OPEN = frozenset({"intent", "failed"})
"""Statuses that ask for another attempt."""


@dataclass(frozen=True, slots=True)
class Send:
    """Attempt it."""

    reason: Literal["first_attempt", "retry"]


@dataclass(frozen=True, slots=True)
class Wait:
    """Not yet."""

    reason: Literal["not_due"]


@dataclass(frozen=True, slots=True)
class Drop:
    """Never; ``status`` is what the ledger will say."""

    reason: Literal["already_settled", "subscriber_gone", "subscriber_disabled", "silenced"]
    status: Literal["parked", "silenced"]


Ruling: TypeAlias = Send | Wait | Drop


def rule(delivery: Delivery, subscriber: Subscriber | None, *, silenced: bool, now: datetime) -> Ruling:
    """Return what to do with an entry of the ledger at this moment."""
    if delivery.status not in OPEN:
        return Drop("already_settled", "parked")
    if delivery.due_at and moment(delivery.due_at) > now:
        return Wait("not_due")
    if subscriber is None:
        return Drop("subscriber_gone", "parked")
    if not subscriber.enabled:
        return Drop("subscriber_disabled", "parked")
    if silenced:
        return Drop("silenced", "silenced")
    return Send("retry" if delivery.attempts else "first_attempt")
