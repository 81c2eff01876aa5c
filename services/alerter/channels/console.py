"""The console: whoever runs tumen reads the alerts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from schemas import Alert, Delivery, Subscriber
from services.alerter.channels import Delivered, Outcome, Retry


class ConsoleChannel:
    """Writes each alert through a callable: text on a terminal, a JSON line in a pipe."""

    def __init__(self, write: Callable[[Alert], None]) -> None:
        """Take the writer."""
        self._write = write

    async def deliver(
        self, alert: Alert, delivery: Delivery, subscriber: Subscriber, now: datetime
    ) -> Outcome:
        """Write the alert; without a single await, so that alerts keep their order."""
        del delivery, subscriber, now
        try:
            self._write(alert)
        except BrokenPipeError:
            raise  # nobody reads any more: the command line ends quietly
        except OSError as error:
            return Retry(f"console: {error.strerror or type(error).__name__}")
        return Delivered()
