"""What Kafka and its client report, as the errors of the port; every wait on the cluster is bounded here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka import errors

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
    errors.AuthenticationFailedError,
    errors.UnsupportedSaslMechanismError,
)


def translated(error: BaseException, what: str) -> BusError:
    """Return the port's error for one of the client's, in one line."""
    said = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, REFUSED):
        return BusDamaged(f"{what}: Kafka refuses it ({said}): check credentials and ACLs")
    if isinstance(error, TOO_LARGE):
        return MessageTooLarge(f"{what}: {said}")
    return BusUnavailable(f"{what}: Kafka does not answer as it should now ({said})")


@asynccontextmanager
async def bounded(seconds: float, what: str) -> AsyncIterator[None]:
    """Give the block so much time; its failures become the port's errors.

    The client asserts that it knows a broker; while the cluster lets none in (after a freeze, say) it knows none.
    """
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        message = f"{what}: Kafka did not answer within {seconds:g} s"
        raise BusUnavailable(message) from error
    except (errors.KafkaError, AssertionError) as error:
        raise translated(error, what) from error
