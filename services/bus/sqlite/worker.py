"""The one thread of a process that touches SQLite.

The event loop never blocks on a lock or a disk. While somebody waits, the thread looks for other processes'
commits every few milliseconds; otherwise it sleeps.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Protocol, TypeVar

from services.bus.ports import BusError, BusUnavailable

T = TypeVar("T")

# How often a waiting process looks for others' commits: half of the wake-up time promised on an idle bus.
WATCH_S = 0.01
# A thread that is busy for longer than this at close is left behind: SIGTERM promises five seconds.
CLOSE_S_MAX = 4.0


class Job(Protocol):
    """What the thread runs; it raises nothing."""

    def __call__(self) -> None:
        """Do it."""


class Worker:
    """Runs jobs one after another in its own thread."""

    def __init__(self, name: str) -> None:
        """Start the thread."""
        self.closing = threading.Event()
        self.watch: Callable[[], None] = lambda: None
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._watchers = 0
        self._next_watch = 0.0
        self._ended = False
        threading.Thread(target=self._run, name=name, daemon=True).start()

    async def run(self, work: Callable[[], T]) -> T:
        """Run work in the thread. A cancelled caller leaves it undone, or done completely."""
        if self.closing.is_set():
            raise BusUnavailable("the bus is closed")
        return await self._submit(work)

    def later(self, work: Callable[[], None]) -> None:
        """Run work in the thread after what is queued; nobody waits, so what goes wrong the next caller meets."""

        def chore() -> None:
            with suppress(BusError):
                work()

        self._jobs.put(chore)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch for other processes' commits inside the block."""
        self._watchers += 1
        if self._watchers == 1:
            self._jobs.put(None)
        try:
            yield
        finally:
            self._watchers -= 1

    async def close(self, last: Callable[[], None]) -> None:
        """Run the last job, then end the thread. Call it once, from the loop that runs the jobs."""
        self.closing.set()
        job = self._submit(last)
        self._jobs.put(self._end)
        done, _ = await asyncio.wait({job}, timeout=CLOSE_S_MAX)
        for finished in done:
            finished.result()

    def _submit(self, work: Callable[[], T]) -> asyncio.Future[T]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._jobs.put(partial(_carry_out, work, future, loop))
        return future

    def _run(self) -> None:
        while not self._ended:
            job = self._next()
            if job is not None:
                job()
                del job  # an idle thread keeps nothing alive
            if self._watchers and not self.closing.is_set() and monotonic() >= self._next_watch:
                with suppress(BusError):  # whoever polls next meets the same error and can say so
                    self.watch()
                self._next_watch = monotonic() + WATCH_S

    def _next(self) -> Job | None:
        if not self._watchers:
            return self._jobs.get()
        try:
            return self._jobs.get(timeout=max(0.0, self._next_watch - monotonic()))
        except Empty:
            return None

    def _end(self) -> None:
        self._ended = True


def _carry_out(work: Callable[[], T], future: asyncio.Future[T], loop: asyncio.AbstractEventLoop) -> None:
    """Do the work, unless its task was cancelled before it began, and tell the task."""
    if future.cancelled():
        return
    settle: Callable[[], None]
    try:
        settle = partial(future.set_result, work())
    except BaseException as error:  # noqa: BLE001 - it belongs to whoever awaits the job
        settle = partial(future.set_exception, error)
    with suppress(RuntimeError):  # the loop is closed: nobody waits any more
        loop.call_soon_threadsafe(_unless_done, future, settle)


def _unless_done(future: asyncio.Future[T], settle: Callable[[], None]) -> None:
    if not future.done():
        settle()
