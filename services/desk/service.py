"""The desk as a service: it follows the alerts and shows them. It owns nothing and writes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from schemas.alert import Alert
from services.bus.codec import Undecodable, decode
from services.bus.loop import Progress
from services.bus.ports import Record, Tail
from services.bus.topics import ALERTS
from services.clock import Clock
from services.desk.projection import Entry, Projection
from services.desk.stream import Hub
from services.obs.metrics import Metrics
from services.obs.records import skipped


class Desk:
    """Reads the alerts into a projection and gives them to the open streams."""

    name = "desk"

    def __init__(
        self, tail: Tail, clock: Clock, metrics: Metrics | None = None, watching: Sequence[str] = ()
    ) -> None:
        """Follow a tail of the alerts topic; ``watching`` is what the empty page says is being watched, a line each."""
        self._tail = tail
        self.clock = clock
        self.metrics = metrics or Metrics()
        self.watching = tuple(watching)
        self.projection = Projection()
        self.hub = Hub()

    async def drain(self, now: datetime) -> Progress:  # noqa: ARG002 - the seam's; the desk has no timers
        """Take in all alerts that there are."""
        total = Progress()
        while records := await self._tail.poll():
            fresh = [entry for record in records if (entry := self._entry(record)) is not None]
            self.projection = self.projection.add(fresh)
            self.hub.publish(fresh)
            total += Progress(records=len(records))
        return total

    def _entry(self, record: Record) -> Entry | None:
        """Return a record as an entry; one that cannot be read is named and counted, and the page goes on."""
        if record.topic != ALERTS.name or record.value is None:
            return None
        try:
            alert = decode(record, Alert)
        except Undecodable as error:
            skipped(record, "alert_undecodable", error.detail, self.metrics)
            return None
        return Entry(record.offset, alert, alert.to_json())

    def next_wakeup(self) -> datetime | None:
        """Return None: only new alerts matter."""
        return None

    async def wait(self, timeout_s: float) -> None:
        """Wait for alerts or the time."""
        await self._tail.wait(timeout_s)

    async def close(self) -> None:
        """Say goodbye to the streams and let the tail go."""
        self.hub.close()
        await self._tail.close()
