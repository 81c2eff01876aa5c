"""A service under observation: how long its drains take, and how far behind the process is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.bootstrap.parts import ALERTER, CLASSIFIER, CORRELATOR, POLLER
from services.bus.ports import BusUnavailable
from services.bus.topics import ALERTS, FEEDS, STORIES, VERDICTS
from services.obs import log

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from services.bootstrap.tally import Tally
    from services.bus.loop import Progress, Service
    from services.bus.ports import Bus
    from services.clock import Clock
    from services.obs.metrics import Metrics

INPUTS = {POLLER: FEEDS.name, CLASSIFIER: STORIES.name, CORRELATOR: VERDICTS.name, ALERTER: ALERTS.name}
"""What each service with a group reads."""


class Observed:
    """Passes every call on; measures and logs the drains that moved something."""

    def __init__(self, service: Service, clock: Clock, metrics: Metrics) -> None:
        """Take the service and what to tell."""
        self.service = service
        self.name = service.name
        self._clock = clock
        self._metrics = metrics

    async def drain(self, now: datetime) -> Progress:
        """Drain, and say how it went."""
        begun = self._clock.now()
        try:
            progress = await self.service.drain(now)
        except (BusUnavailable, BrokenPipeError):
            raise  # waited for, or the quiet end of a pipe: no failure of the service
        except Exception as error:
            log.emit("service.failed", service=self.name, error=f"{type(error).__name__}: {error}")
            raise
        if progress.moved:
            seconds = (self._clock.now() - begun).total_seconds()
            self._metrics.observe("tumen_batch_seconds", seconds, service=self.name)
            log.emit(
                "service.drained",
                service=self.name,
                records=progress.records,
                messages=progress.messages,
                seconds=round(seconds, 4),
            )
        return progress

    def next_wakeup(self) -> datetime | None:
        """Return the service's next timer."""
        return self.service.next_wakeup()

    async def wait(self, timeout_s: float) -> None:
        """Wait as the service does."""
        await self.service.wait(timeout_s)

    async def close(self) -> None:
        """Close the service."""
        await self.service.close()


async def measure_lag(bus: Bus, names: Collection[str], tally: Tally) -> dict[str, int]:
    """Show how many records of its input each service has not yet committed; return that by group."""
    return {
        name: tally.lags(name, topic, dict(await bus.lag(name, topic)))
        for name in names
        if (topic := INPUTS.get(name)) is not None and tally.owned.get(name)
    }
