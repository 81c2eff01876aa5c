"""Does the event loop run? Its lag is measured; a loop that hangs is dumped and the process ended, to be started anew.

Time counts as the process lives it: one that was stopped (SIGSTOP, a paused container) or slept with its machine has
not hung, however long that was. Hence no wall clock and not faulthandler's own timer, which would end such a process at
the moment it goes on. Two watchers see what one alone would not: a thread that counts its own ticks (a loop that
waits for something, or computes in Python), and a timer of processor time, whose signal needs no interpreter (a loop that
computes in C and lets no thread of Python run).
"""

from __future__ import annotations

import asyncio
import faulthandler
import os
import signal
import sys
from threading import Event, Thread
from typing import TYPE_CHECKING

from services.obs import log
from services.obs.ending import end
from services.obs.standstill import thread_stacks

if TYPE_CHECKING:
    from services.obs.metrics import Metrics

BEAT_S = 0.5
"""Between two measurements: a few thousandths of a second of work an hour."""
LAG_S_MAX = 0.25
"""Above this a heartbeat to the log may come late, and people notice on the desk."""
LAG_LINE_EVERY_S = 60.0
"""A busy service says it once a minute, with the worst."""
STDERR = 2
TICKS = 20
"""Of the watching thread until a hang is one: what a stop and a wake-up cost is one tick."""


class Pulse:
    """Measures one event loop, and ends the process when it has not run for ``hang_s`` (0: never)."""

    def __init__(self, metrics: Metrics, hang_s: float) -> None:
        """Take where to show the lag, and how long is too long."""
        self._metrics = metrics
        self._hang_s = hang_s
        self._beats = 0
        self._over = Event()
        self._worst_s = 0.0
        self._times = 0
        self._said_at = -LAG_LINE_EVERY_S
        self._stderr: int | None = None
        """A descriptor of stderr that never waits for a reader."""

    async def beat(self, stopping: asyncio.Task[bool]) -> None:
        """Measure until told to stop; the watchers watch meanwhile."""
        clock = asyncio.get_running_loop().time
        self._begin()
        try:
            while not stopping.done():
                self._alive()
                begun = clock()
                await asyncio.wait({stopping}, timeout=BEAT_S)
                if not stopping.done():
                    self._note(max(0.0, clock() - begun - BEAT_S), clock())
        finally:
            self._end()

    def _note(self, lag_s: float, now_s: float) -> None:
        """Show the lag; say so when it is long, but not at every beat."""
        self._metrics.set("tumen_loop_lag_seconds", lag_s)
        if lag_s > LAG_S_MAX:
            self._worst_s = max(self._worst_s, lag_s)
            self._times += 1
        if self._times and now_s - self._said_at >= LAG_LINE_EVERY_S:
            log.emit("loop.lagged", seconds=round(self._worst_s, 3), times=self._times)
            self._worst_s, self._times, self._said_at = 0.0, 0, now_s

    def _begin(self) -> None:
        if self._hang_s:
            self._stderr = reopened(STDERR)
            file = sys.stderr if self._stderr is None else self._stderr
            faulthandler.register(signal.SIGPROF, file=file, all_threads=True, chain=True)
            Thread(target=self._watch, name="tumen-pulse", daemon=True).start()

    def _alive(self) -> None:
        self._beats += 1
        if self._hang_s:
            signal.setitimer(signal.ITIMER_PROF, self._hang_s)

    def _end(self) -> None:
        self._over.set()
        if self._hang_s:
            signal.setitimer(signal.ITIMER_PROF, 0)
            faulthandler.unregister(signal.SIGPROF)
            if self._stderr is not None:
                os.close(self._stderr)

    def _watch(self) -> None:
        """Count ticks without a beat (in a thread of its own)."""
        seen, missed = 0, 0
        while not self._over.wait(self._hang_s / TICKS):
            missed = missed + 1 if seen == self._beats else 0
            seen = self._beats
            if missed >= TICKS:
                signal.setitimer(signal.ITIMER_PROF, self._hang_s)  # what is said now should come true
                end(lambda: log.emit("loop.hung", seconds=self._hang_s, stacks=thread_stacks()))


def reopened(descriptor: int) -> int | None:
    """Return a second descriptor of a file, whose writes never wait; None where the system gives none."""
    try:
        return os.open(f"/proc/self/fd/{descriptor}", os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError:  # a socket, another's file, or no Linux
        return None
