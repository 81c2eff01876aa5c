"""How the lanes of a service are worked: one after the other for virtual time, side by side in live processes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import TYPE_CHECKING, Protocol, TypeVar

from services.bus.pace import Pace
from services.bus.ports import BATCH_BYTES_MOST

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

    async def over(self, turns: Sequence[Callable[[], Awaitable[T]]]) -> list[T]:
        """Give every lane its turn, all at once; all of them end before the first failure is raised."""
        self._deadline = asyncio.get_running_loop().time() + DRAIN_S
        ended = await asyncio.gather(*(turn() for turn in turns), return_exceptions=True)
        given: list[T] = []
        for result in ended:
            if isinstance(result, BaseException):
                raise result
            given.append(result)
        return given

    async def poll(self, lane: Lane) -> Batch:
        """Return a batch as large as the measured speed allows."""
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

    def room(self) -> AbstractAsyncContextManager[object]:
        """Let so many lanes have a batch in memory."""
        return self._room

    def is_over(self) -> bool:
        """Whether this drain has gone on for long enough."""
        return asyncio.get_running_loop().time() >= self._deadline
