"""How the lanes of a service are worked: one after the other for virtual time, side by side in live processes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import TYPE_CHECKING, Protocol, TypeVar

from services.bus.pace import Pace
from services.bus.ports import BATCH_BYTES_MOST, BusUnavailable

if TYPE_CHECKING:
    from datetime import datetime

    from services.bus.loop import Stage, Step
    from services.bus.ports import Batch, Lane, Record

LANES_AT_ONCE = 4
"""While one lane decides, others commit and read; each holds a batch in memory."""
OFF_LOOP_RECORDS = 32
"""Deciding on more takes longer than heartbeats, timers and other services should wait."""
DRAIN_S = 0.5
"""A lane begins no further batch after this: assignments and signals are looked at between drains."""

T = TypeVar("T")


class Work(Protocol):
    """How a service goes about its lanes."""

    async def over(self, turns: Sequence[Callable[[], Awaitable[T]]]) -> list[T]:
        """Give every lane its turn; return what each gives."""

    async def poll(self, lane: Lane) -> Batch:
        """Return a lane's next batch, of a size that suits."""

    async def decide(self, stage: Stage, records: Sequence[Record], now: datetime) -> Step:
        """Let a stage decide on a batch."""

    def room(self) -> AbstractAsyncContextManager[object]:
        """Wait until there is room for another lane's batch, from deciding on it to its commit."""

    def demand(self) -> None:
        """Raise if a lane should begin nothing, because another has met why the log cannot be reached."""

    def is_over(self) -> bool:
        """Whether the lanes should stop although there is more."""


class OneByOne:
    """Nothing depends on how fast this machine is: the same input leads to the same batches in the same order."""

    async def over(self, turns: Sequence[Callable[[], Awaitable[T]]]) -> list[T]:
        """Give every lane its turn; the next begins when one has ended."""
        return [await turn() for turn in turns]

    async def poll(self, lane: Lane) -> Batch:
        """Return a batch of the usual size."""
        return await lane.poll()

    async def decide(self, stage: Stage, records: Sequence[Record], now: datetime) -> Step:
        """Decide here and now."""
        return stage.step(records, now)

    def room(self) -> AbstractAsyncContextManager[object]:
        """Have room: lanes come one after the other."""
        return nullcontext()

    def demand(self) -> None:
        """Raise nothing: a failure has ended everything."""

    def is_over(self) -> bool:
        """Never stop before a lane is empty."""
        return False


class SideBySide:
    """Commits, fetches and decisions of different lanes overlap; one decision at a time, since they share a processor."""

    def __init__(self) -> None:
        """Begin without knowing how fast the stages are."""
        self._pace = Pace()
        self._deciding = asyncio.Lock()
        self._room = asyncio.Semaphore(LANES_AT_ONCE)
        self._deadline = 0.0
        self._away: BusUnavailable | None = None
        """Why the log could not be reached by one of the lanes in this drain."""

    async def over(self, turns: Sequence[Callable[[], Awaitable[T]]]) -> list[T]:
        """Give every lane its turn, all at once; all of them end before a failure is raised.

        Once a lane could not reach the log, the others finish what they are at and begin nothing: each would wait as
        long for the same answer, and it would be said late. A failure that waiting does not mend comes first.
        """
        self._deadline, self._away = asyncio.get_running_loop().time() + DRAIN_S, None
        ended = await asyncio.gather(*map(self._noting, turns), return_exceptions=True)
        if failed := [result for result in ended if isinstance(result, BaseException)]:
            raise min(failed, key=lambda error: isinstance(error, BusUnavailable))
        return [result for result in ended if not isinstance(result, BaseException)]

    async def _noting(self, turn: Callable[[], Awaitable[T]]) -> T:
        try:
            return await turn()
        except BusUnavailable as error:
            self._away = self._away or error
            raise

    def demand(self) -> None:
        """Raise why the log could not be reached, once a lane has met it."""
        if self._away is not None:
            raise BusUnavailable(str(self._away)) from self._away

    async def poll(self, lane: Lane) -> Batch:
        """Return a batch as large as the measured speed allows."""
        self.demand()
        return await lane.poll(self._pace.records_max, BATCH_BYTES_MOST)

    async def decide(self, stage: Stage, records: Sequence[Record], now: datetime) -> Step:
        """Decide, off the loop when it takes a while, and measure it."""
        clock = asyncio.get_running_loop().time
        async with self._deciding:
            begun = clock()
            if len(records) > OFF_LOOP_RECORDS:
                step = await asyncio.to_thread(stage.step, records, now)
            else:
                step = stage.step(records, now)
            self._pace.took(len(records), clock() - begun)
        return step

    @asynccontextmanager
    async def room(self) -> AsyncIterator[None]:
        """Let so many lanes have a batch in memory."""
        async with self._room:
            self.demand()
            yield

    def is_over(self) -> bool:
        """Whether this drain has gone on for long enough, or cannot go on."""
        return self._away is not None or asyncio.get_running_loop().time() >= self._deadline
