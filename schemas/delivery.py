"""Delivery: the ledger's line about one alert and one subscriber."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from schemas.common import Id, Timestamp, Wire
from schemas.subscriber import SubscriberId

DeliveryStatus = Literal["intent", "sent", "failed", "parked", "silenced", "grouped", "held"]


class Delivery(Wire):
    """What became of one alert for one subscriber; ``failed`` will be tried again, ``parked`` will not."""

    schema_: Literal["delivery/1"] = Field("delivery/1", alias="schema")
    id: Id
    """Of (alert_id, subscriber_id): the idempotency key that a receiver sees on every attempt."""
    alert_id: Id
    subscriber_id: SubscriberId
    status: DeliveryStatus
    attempts: Annotated[int, Field(ge=0)] = 0
    last_error: str | None = None
    http_status: int | None = None
    due_at: Timestamp | None = None
    """When the next attempt may be made; absent once settled."""
    at: Timestamp
