"""Try, read the failure, try again later, or park it with its reason."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from services.alerter.channels import Channels, Delivered, Outcome, Refused, Retry, scheme
from services.text.clean import one_line
from services.text.times import stamp

if TYPE_CHECKING:
    from schemas import Alert, Delivery, Subscriber
    from schemas.delivery import DeliveryStatus

CHANNEL_TIMEOUT_S = 5.0
"""For one attempt on any channel: a dead receiver holds the others up for seconds, and a round of attempts ends well
before the lease does (10 s, renewed when a third has passed), or a standby would send the same alerts."""
BACKOFF_FIRST = timedelta(seconds=30)
BACKOFF_MAX = timedelta(hours=1)
DOUBLINGS_MAX = 7
"""30 s doubled seven times is more than BACKOFF_MAX."""
ATTEMPTS_MAX = 12
"""Five hours of trying."""
AGE_MAX = timedelta(hours=24)
"""Yesterday's alert is an archive, not a message."""
ERROR_MAX = 200


async def attempt(
    channels: Channels, alert: Alert, delivery: Delivery, subscriber: Subscriber, now: datetime
) -> Outcome:
    """Hand an alert to the subscriber's channel, within CHANNEL_TIMEOUT_S."""
    channel = channels.get(scheme(subscriber.channel))
    if channel is None:
        return Refused(f"no channel for {scheme(subscriber.channel)[:20]!r} URLs")
    try:
        async with asyncio.timeout(CHANNEL_TIMEOUT_S):
            return await channel.deliver(alert, delivery, subscriber, now)
    except TimeoutError:
        return Retry("timed out")


def after(delivery: Delivery, outcome: Outcome, since: datetime, now: datetime) -> Delivery:
    """Return the ledger's next line. ``since``: when there first was something to deliver."""
    attempts = delivery.attempts + 1
    told = {"attempts": attempts, "http_status": outcome.http_status}
    match outcome:
        case Delivered():
            return _line(delivery, now, status="sent", **told)
        case Refused():
            return _line(delivery, now, status="parked", last_error=outcome.reason, **told)
        case Retry():
            due_at = now + max(backoff(attempts), outcome.after or timedelta())
            if attempts >= ATTEMPTS_MAX or due_at - since > AGE_MAX:
                reason = f"gave up after {attempts} attempts: {outcome.reason}"
                return _line(delivery, now, status="parked", last_error=reason, **told)
            return _line(
                delivery, now, status="failed", last_error=outcome.reason, due_at=stamp(due_at), **told
            )


def dropped(delivery: Delivery, status: DeliveryStatus, reason: str, now: datetime) -> Delivery:
    """Return the ledger's last line about a delivery that is not attempted any more."""
    return _line(delivery, now, status=status, last_error=reason)


def backoff(attempts: int) -> timedelta:
    """Return how long to leave a receiver alone after this many failures in a row."""
    doublings = min(max(attempts - 1, 0), DOUBLINGS_MAX)
    return min(BACKOFF_FIRST * (1 << doublings), BACKOFF_MAX)


def _line(delivery: Delivery, now: datetime, **fields: object) -> Delivery:
    """Return the next line; what is not given is settled: no error, no status, no further attempt."""
    error = fields.get("last_error")
    settled = {"last_error": None, "http_status": None, "due_at": None, "at": stamp(now)}
    short = {"last_error": one_line(str(error), ERROR_MAX)} if error else {}
    return delivery.model_copy(update={**settled, **fields, **short})
