"""What goes on beside the services: upkeep of the log, lag, and the watch over progress."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from services.bootstrap.observed import measure_lag
from services.bus.ports import BusUnavailable
from services.bus.tasks import beside
from services.obs import log
from services.obs.ending import end
from services.obs.standstill import Standstill, task_stacks

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from services.bootstrap.opening import Log
    from services.bootstrap.tally import Tally

LOOK_S = 5.0
"""Between two looks at lag, and at whether the log needs compaction, expiry or a checkpoint."""
LOOKS_MIN = 4
"""Before a standstill is one: a short bound is looked at more often."""
SILENCE_S_MIN = 60.0
"""The adapters' own bounds on what one look asks add up to less: what takes longer hangs."""
LOG = "log"
"""Stands for a group where the log itself gives no answer."""


class Standing:
    """What readiness knows: that all has begun, that nothing ends, and which services cannot reach the log, and why."""

    def __init__(self, stop: asyncio.Event) -> None:
        """Begin before the beginning."""
        self._stop = stop
        self._faults: dict[str, str] = {}
        self.started = False

    def notice(self, service: str, what: str) -> None:
        """Take what a runner says of a service; "" ends it."""
        if what:
            log.emit("bus.unavailable", service=service, error=what)
            self._faults[service] = what
        else:
            self._faults.pop(service, None)

    def fault(self) -> str | None:
        """Return why the log cannot be used."""
        return next(iter(self._faults.values()), None)

    def phase(self) -> str | None:
        """Return what the process does instead of its work."""
        if self._stop.is_set():
            return "stopping"
        return None if self.started else "starting"


class Watch:
    """Looks after the log and after progress, every few seconds."""

    def __init__(
        self, bus: Log, names: Sequence[str], tally: Tally, standing: Standing, stall_s: float
    ) -> None:
        """Take whom to watch, and after how long a standstill ends the process (0: never)."""
        self._bus = bus
        self._names = names
        self._tally = tally
        self._standing = standing
        self._stall_s = stall_s
        self._standstill = Standstill()
        self.leave: Callable[[int], None] = os._exit

    async def keep(self, stopping: asyncio.Task[bool]) -> None:
        """Look until told to stop; what is under way then is given up."""
        pause_s = min(LOOK_S, self._stall_s / LOOKS_MIN) if self._stall_s else LOOK_S
        clock = asyncio.get_running_loop().time
        before, look = clock(), beside(self._look())
        try:
            while not stopping.done():
                await asyncio.wait({look, stopping}, timeout=pause_s, return_when=asyncio.FIRST_COMPLETED)
                elapsed_s, before = min(clock() - before, 2 * pause_s), clock()
                if look.done():
                    self._judge(look.result(), elapsed_s)
                    await asyncio.wait({stopping}, timeout=pause_s)
                    look = beside(self._look())
                else:
                    self._judge_silence(elapsed_s)
        finally:
            look.cancel()
            await asyncio.wait({look})

    async def _look(self) -> dict[str, int] | None:
        """Tend the log and measure lag; None when the log cannot be reached: the services meet it too, and say so."""
        try:
            await self._bus.maintain()
            return await measure_lag(self._bus, self._names, self._tally)
        except BusUnavailable:
            return None

    def _judge(self, lags: dict[str, int] | None, elapsed_s: float) -> None:
        """End the process where a group has stood still; ``elapsed_s`` is at most two pauses."""
        self._standstill.forgive(LOG)
        if lags is None:
            return
        for group in self._names:
            if self._standing.fault() is not None or group not in lags:
                self._standstill.forgive(group)
                continue
            still_s = self._standstill.look(group, lags[group], self._tally.commits[group], elapsed_s)
            if self._stall_s and still_s >= self._stall_s:
                self._end(still_s, group, lags[group])

    def _judge_silence(self, elapsed_s: float) -> None:
        """End the process where the log answers nothing, which is no outage: those have an end, and are said."""
        if self._standing.fault() is not None:
            self._standstill.forgive(LOG)
            return
        still_s = self._standstill.look(LOG, 1, self._tally.commits.total(), elapsed_s)
        if self._stall_s and still_s >= max(self._stall_s, SILENCE_S_MIN):
            self._end(still_s)

    def _end(self, still_s: float, group: str | None = None, lag: int | None = None) -> None:
        seconds, stacks = round(still_s, 1), task_stacks()
        end(
            lambda: log.emit("process.stalled", group=group, lag=lag, seconds=seconds, stacks=stacks),
            self.leave,
        )
