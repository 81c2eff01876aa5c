"""What Kafka and its client report, as the errors of the port; every wait on the cluster is bounded here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

from aiokafka import errors

from services.bus.kafka.connecting import Refusal, refusals
from services.bus.ports import BusDamaged, BusError, BusUnavailable, MessageTooLarge

FENCED = (errors.ProducerFenced, errors.InvalidProducerEpoch)
"""Another owner of the lane has begun."""
EXPIRED = (errors.InvalidProducerIdMapping,)
"""The cluster forgot an id that was idle too long (transactional.id.expiration.ms)."""
TOO_LARGE = (errors.MessageSizeTooLargeError, errors.RecordListTooLargeError)
REFUSED = (
    errors.TopicAuthorizationFailedError,
    errors.GroupAuthorizationFailedError,
    errors.ClusterAuthorizationFailedError,
    errors.TransactionalIdAuthorizationFailed,
)
"""An ACL is missing."""
BOOTSTRAP = "Unable to bootstrap"
"""What the client says when no address of the cluster could be used, for whatever reason."""


class Refused(BusUnavailable):
    """A broker cannot be used, and it is known why."""

    def __init__(self, what: str, refusal: Refusal) -> None:
        """Take what was tried and the reason; an address is not said twice."""
        where = what if what.endswith(refusal.where) else f"{what}: {refusal.where}"
        super().__init__(f"{where}: {refusal.why}")
        self.settled = refusal.settled


def translated(error: BaseException, what: str, operation: str = "Read") -> BusError:
    """Return the port's error for one of the client's, in one line; ``operation`` on topics is what was tried."""
    for link in _chain(error):
        if isinstance(link, REFUSED):
            return BusDamaged(f"{what}: {_refused(link, operation)}")
    said = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, TOO_LARGE):
        return MessageTooLarge(f"{what}: {said}")
    noted = [one for one in refusals() if BOOTSTRAP not in said or one.is_of(said)]
    if noted:
        return Refused(what, noted[0])
    if BOOTSTRAP in said:
        said = "it ends connections at the first question: does it want a user (kafka.security_protocol)?"
    return BusUnavailable(f"{what}: Kafka does not answer as it should now ({said})")


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _refused(error: BaseException, operation: str) -> str:
    """Say which ACL is missing; the client names the topic, group or id where it knows it."""
    named = error.args[0] if error.args else ""
    resource = (
        ", ".join(sorted(map(str, named))) if isinstance(named, (set, frozenset, list, tuple)) else str(named)
    )
    match error:
        case errors.TopicAuthorizationFailedError():
            lacks = f"{operation} on topic {resource}"
        case errors.GroupAuthorizationFailedError():
            lacks = f"Read on group {resource}"
        case errors.TransactionalIdAuthorizationFailed():
            lacks = f"Write on transactional id {resource}"
        case _:
            lacks = f"{operation} on the cluster"
    return f"Kafka does not allow {lacks.strip()}: `tumen topics acls` prints what each service needs"


def told(error: BusUnavailable) -> BusError:
    """Return what to raise when the first connection failed: waiting does not mend what is settled."""
    return BusDamaged(str(error)) if isinstance(error, Refused) and error.settled else error


@asynccontextmanager
async def bounded(seconds: float, what: str, operation: str = "Read") -> AsyncIterator[None]:
    """Give the block so much time; its failures become the port's errors, with the reason where one is known.

    The client asserts that it knows a broker; while the cluster lets none in (after a freeze, say) it knows none.
    """
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        if noted := refusals():
            raise Refused(what, noted[0]) from error
        message = f"{what}: Kafka did not answer within {seconds:g} s"
        raise BusUnavailable(message) from error
    except (errors.KafkaError, AssertionError) as error:
        raise translated(error, what, operation) from error
