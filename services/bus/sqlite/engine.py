"""What the parts of one bus share: the thread, the store, the bell and the clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, TypeVar

from services.bus.signals import SILENT
from services.bus.sqlite.store import Rows
from services.bus.sqlite.upkeep import WAL_PAGES_SOFT, checkpoint

if TYPE_CHECKING:
    from services.bus.signals import Signals
    from services.bus.sqlite.bell import Bell
    from services.bus.sqlite.store import Store
    from services.bus.sqlite.worker import Worker

T = TypeVar("T")

# What was known this long ago is good enough to call a partition empty without asking the database.
FRESH_S = 0.01
# A timer this long is long enough; a wait for longer sets another one.
TIMER_S_MAX = 3_600.0


@dataclass(slots=True)
class Engine:
    """The shared parts. ``private`` says that no other process can write: a database in memory."""

    worker: Worker
    store: Store
    bell: Bell
    clock_ms: Callable[[], int]
    lease_ms: int
    private: bool
    signals: Signals = SILENT
    _checkpoint_queued: bool = field(default=False, init=False)

    def fresh(self) -> bool:
        """Return whether ``store.ends`` is recent enough to be believed."""
        return self.private or monotonic() - self.store.checked_at < FRESH_S

    def look(self) -> None:
        """Look for other processes' commits (in the worker's thread)."""
        if not self.private and self.store.refresh():
            self.bell.ring()

    async def run(self, work: Callable[[], T]) -> T:
        """Run work in the worker's thread."""
        return await self.worker.run(work)

    async def look_if_stale(self) -> None:
        """Make ``store.ends`` fresh."""
        if not self.fresh():
            await self.worker.run(self.look)

    def write(self, work: Callable[[int], dict[int, int]]) -> None:
        """Commit what work writes at the given time, then wake readers (in the worker's thread)."""
        with self.store.writing():
            ends = work(self.clock_ms())
        self.store.publish(ends)
        self.bell.ring()
        self._mind_the_wal()

    def announce(self, group: str, generation: int) -> None:
        """Let this process's other members know that a group has changed (in the worker's thread)."""
        if self.store.generations.get(group) != generation:
            self.store.generations = {**self.store.generations, group: generation}
            self.bell.ring()

    def append(self, rows: Rows) -> None:
        """Append rows outside any group (in the worker's thread)."""
        self.write(lambda now_ms: self.store.append(rows, now_ms))

    def _mind_the_wal(self) -> None:
        """Queue a checkpoint when nobody else keeps the write-ahead log short; the committer does not wait."""
        if self.store.wal_pages < WAL_PAGES_SOFT or self._checkpoint_queued:
            return
        self._checkpoint_queued = True
        self.worker.later(self._checkpoint)

    def _checkpoint(self) -> None:
        self._checkpoint_queued = False
        checkpoint(self.store)

    async def wait_until(self, ready: Callable[[], bool], timeout_s: float) -> None:
        """Return when ``ready`` holds or the time is up; ``ready`` is asked again after every commit."""
        await self.look_if_stale()
        if ready():
            return
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        with nullcontext() if self.private else self.worker.watching():
            while (left := deadline - loop.time()) > 0:
                ring = self.bell.listen()
                timer = loop.call_later(min(left, TIMER_S_MAX), self.bell.stop_listening, ring)
                try:
                    if not ready():
                        await ring
                finally:
                    timer.cancel()
                    self.bell.stop_listening(ring)
                if ready() or self.worker.closing.is_set():
                    return
