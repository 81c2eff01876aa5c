"""Every delivery is sent, waits or is dropped, for a reason with a name."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from schemas import Delivery, Subscriber
from services.alerter.throttle import Drop, Ruling, Send, Wait, rule
from services.text.ids import stable_id
from tests.builders import a_subscriber

NOW = datetime(2026, 5, 12, 12, tzinfo=UTC)


def a_delivery(**fields: Any) -> Delivery:
    """Return an intent that is due."""
    alert = stable_id("alert")
    defaults = {
        "id": stable_id(alert, "reader"),
        "alert_id": alert,
        "subscriber_id": "reader",
        "status": "intent",
        "due_at": "2026-05-12T12:00:00.000Z",
        "at": "2026-05-12T11:00:00.000Z",
    }
    return Delivery.model_validate({**defaults, **fields})


@pytest.mark.parametrize(
    ("fields", "subscriber", "silenced", "ruling"),
    [
        ({}, a_subscriber(), False, Send("first_attempt")),
        ({"status": "failed", "attempts": 3}, a_subscriber(), False, Send("retry")),
        ({"due_at": "2026-05-12T12:00:00.001Z"}, a_subscriber(), False, Wait("not_due")),
        ({"status": "sent"}, a_subscriber(), False, Drop("already_settled", "parked")),
        ({}, None, False, Drop("subscriber_gone", "parked")),
        ({}, a_subscriber(enabled=False), False, Drop("subscriber_disabled", "parked")),
        ({"status": "failed"}, a_subscriber(), True, Drop("silenced", "silenced")),
    ],
)
def test_each_case_has_its_ruling(
    fields: dict[str, Any], subscriber: Subscriber | None, silenced: bool, ruling: Ruling
) -> None:
    """A subscriber who went or a silence that began meanwhile settles what is still open."""
    assert rule(a_delivery(**fields), subscriber, silenced=silenced, now=NOW) == ruling
