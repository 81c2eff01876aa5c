"""Live services: drain, wait for a wake-up or the next timer, drain again; stop within seconds when told to.

A log that cannot be reached now is waited for (``/ready`` says so meanwhile); anything else ends the process.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine, Sequence
from threading import Timer
from typing import TYPE_CHECKING, TypeVar

from services.bus.ports import BusUnavailable
from services.bus.tasks import beside
from services.obs import log
from services.obs.ending import end
from services.obs.standstill import task_stacks

if TYPE_CHECKING:
    from datetime import datetime

    from services.bus.loop import Service
    from services.clock import Clock

# A wait without a timer ends now and then anyway: leases are renewed and time-outs noticed.
WAIT_MAX_S = 5.0
# A timer that is due and does not move must not spin the loop.
WAIT_MIN_S = 0.01
# While the log cannot be reached: long enough not to spin, short enough to be back soon.
UNAVAILABLE_WAIT_S = 1.0
# A drain that does not end by then after SIGTERM is cancelled: five seconds in all, shutdown included.
DRAIN_GRACE_S = 3.0
# After SIGTERM, whatever hangs: supervisors kill after ten seconds, and say less.
STOP_S_MAX = 9.0

T = TypeVar("T")
Notice = Callable[[str, str], None]
"""(service name, what is the matter; "" when it is over)."""


def stop_on_signals(stop: asyncio.Event) -> None:
    """Set ``stop`` at SIGTERM or SIGINT; the second signal kills at once, as people expect.

    A process that does not come to its end in STOP_S_MAX is ended there, with a line that says so.
    """
    loop = asyncio.get_running_loop()
    cut_off = Timer(STOP_S_MAX, _cut_off, (loop,))
    cut_off.daemon = True

    def on_signal(number: int) -> None:
        if stop.is_set():
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        stop.set()
        cut_off.start()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal, number)


def _cut_off(loop: asyncio.AbstractEventLoop) -> None:
    """End the process, and say where it hangs (in a thread: the loop may be what hangs)."""
    end(lambda: log.emit("process.cut_off", seconds=STOP_S_MAX, stacks=task_stacks(loop)))


async def run_all(
    services: Sequence[Service],
    clock: Clock,
    stop: asyncio.Event,
    notice: Notice,
    *beside: Coroutine[None, None, None],
) -> None:
    """Run services, and what goes on beside them, until ``stop``; the first error stops the others and is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            for service in services:
                group.create_task(run(service, clock, stop, notice), name=service.name)
            for work in beside:
                group.create_task(work)
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None  # the command line knows it by its type


async def run(service: Service, clock: Clock, stop: asyncio.Event, notice: Notice) -> None:
    """Run one service until ``stop``."""
    stopping = asyncio.create_task(stop.wait())
    available = True
    try:
        while not stopping.done():
            try:
                await _turn(service, clock, stopping)
            except BusUnavailable as error:
                available = False
                notice(service.name, str(error))
                await asyncio.wait({stopping}, timeout=UNAVAILABLE_WAIT_S)
            else:
                if not available:
                    available = True
                    notice(service.name, "")
    finally:
        stopping.cancel()


async def _turn(service: Service, clock: Clock, stopping: asyncio.Task[bool]) -> None:
    """Drain once; when there was nothing, wait for a wake-up or the next timer."""
    progress = await race(service.drain(clock.now()), stopping, DRAIN_GRACE_S)
    if progress is None or not progress.moved:
        await race(service.wait(seconds_until(service.next_wakeup(), clock.now())), stopping)


def seconds_until(wakeup: datetime | None, now: datetime) -> float:
    """Return how long to wait for a timer, within WAIT_MIN_S and WAIT_MAX_S."""
    if wakeup is None:
        return WAIT_MAX_S
    return min(max((wakeup - now).total_seconds(), WAIT_MIN_S), WAIT_MAX_S)


async def race(
    work: Coroutine[None, None, T], stopping: asyncio.Task[bool], grace_s: float = 0.0
) -> T | None:
    """Return what ``work`` gives; None when the stop came first and the grace was not enough."""
    task = beside(work)
    try:
        await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done() and grace_s:
            await asyncio.wait({task}, timeout=grace_s)
        return task.result() if task.done() else None
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
