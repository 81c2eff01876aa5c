"""The desk on a real log."""

from __future__ import annotations

from datetime import UTC, datetime

from schemas import Alert
from services.bus.codec import encode
from services.bus.ports import Message
from services.bus.sqlite import SqliteBus
from services.bus.topics import ALERTS
from services.clock import VirtualClock
from services.desk.service import Desk
from tests.desk_alerts import day, english, korean

NOW = datetime(2026, 5, 12, 18, 0, tzinfo=UTC)


async def test_a_desk_that_starts_late_knows_the_day_and_then_follows() -> None:
    """The projection is rebuilt from the log, then moves with it; positions are the log's own."""
    bus = await SqliteBus.open(":memory:")
    try:
        await bus.append([message(alert) for alert in day()[:3]])
        desk = Desk(await bus.tail([ALERTS.name]), VirtualClock(NOW))
        assert (await desk.drain(NOW)).records == 3
        assert [entry.alert for entry in desk.projection.entries[:2]] == [korean(), english()]
        assert not (await desk.drain(NOW)).moved
        await bus.append([message(alert) for alert in day()[3:]])
        await desk.wait(5)
        await desk.drain(NOW)
        assert [entry.position for entry in desk.projection.entries] == list(range(7))
        await desk.close()
    finally:
        await bus.close()


def message(alert: Alert) -> Message:
    """Return an alert as the correlator appends it."""
    return encode(
        ALERTS, alert, partition=0, key=alert.storyline_id, source="correlator", at=alert.created_at
    )
