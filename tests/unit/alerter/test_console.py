"""The console writes what it is told, and a full disk is no reason to lose an alert."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from schemas import Alert, Delivery
from services.alerter.channels import Delivered, Retry
from services.alerter.channels.console import ConsoleChannel
from services.text.ids import stable_id
from tests.builders import T0, a_subscriber, an_alert

NOW = datetime(2026, 5, 12, 12, tzinfo=UTC)
DELIVERY = Delivery(
    id=stable_id("d"), alert_id=stable_id("a"), subscriber_id="reader", status="intent", at=T0
)


def failing(error: OSError) -> ConsoleChannel:
    """Return a console whose writer fails."""

    def write(alert: Alert) -> None:
        raise error

    return ConsoleChannel(write)


async def test_an_alert_is_written() -> None:
    """As it is; how it looks is the writer's business."""
    written: list[Alert] = []
    assert (
        await ConsoleChannel(written.append).deliver(an_alert(), DELIVERY, a_subscriber(), NOW) == Delivered()
    )
    assert written == [an_alert()]


async def test_a_writer_that_fails_is_tried_again() -> None:
    """Output to a full disk may work later."""
    outcome = await failing(OSError(28, "No space left on device")).deliver(
        an_alert(), DELIVERY, a_subscriber(), NOW
    )
    assert outcome == Retry("console: No space left on device")


async def test_a_closed_pipe_ends_the_run() -> None:
    """Nobody reads any more: the command line ends quietly."""
    with pytest.raises(BrokenPipeError):
        await failing(BrokenPipeError()).deliver(an_alert(), DELIVERY, a_subscriber(), NOW)
