"""Consume, decide, produce: the one loop of the services that turn records into messages.

It knows no broker and decides nothing: a Stage does, before the transaction begins.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Protocol

from services.bus.aisle import Aisle
from services.bus.ports import NO_INPUT, Batch, LaneLost, Message, Record
from services.bus.suspects import NoReports, Suspects, TryAgain
from services.bus.work import OneByOne, SideBySide

if TYPE_CHECKING:
    from datetime import datetime

    from services.bus.ports import Lane, Membership
    from services.bus.suspects import Reports
    from services.bus.work import Work

# A note is a transaction of tenths of a second; what is being committed while the log is away may take its whole bound.
REST_S_MAX = 1.0


@dataclass(frozen=True, slots=True)
class Progress:
    """What one drain did; ``moved`` says whether another drain of the pipeline is worthwhile."""

    records: int = 0
    messages: int = 0

    @property
    def moved(self) -> bool:
        """Whether anything was read or written."""
        return bool(self.records or self.messages)

    def __add__(self, other: Progress) -> Progress:
        """Return the sum."""
        return Progress(self.records + other.records, self.messages + other.messages)


class Service(Protocol):
    """The one seam: live loops, ``--once``, demo, replay and tests all call these."""

    @property
    def name(self) -> str:
        """The service's name on the command line, in logs and in metrics."""

    async def drain(self, now: datetime) -> Progress:
        """Do all that is due at ``now``, commit it, return."""

    def next_wakeup(self) -> datetime | None:
        """Return when a timer is due next; None: only new records matter."""

    async def wait(self, timeout_s: float) -> None:
        """Return when there may be something to drain, or the time is up."""

    async def close(self) -> None:
        """Give up ownership and release everything."""


@dataclass(frozen=True, slots=True)
class Step:
    """What a stage decided: the messages to append, and how to adopt the new state once they are."""

    messages: Sequence[Message] = ()
    adopt: Callable[[], None] = field(default=lambda: None)


class Stage(Protocol):
    """The deciding half of a service, for one lane: no I/O."""

    @property
    def state_topics(self) -> Sequence[str]:
        """Topics whose latest records are this lane's state, read once when the lane is taken."""

    def load(self, record: Record) -> None:
        """Take one record of a state topic into memory."""

    def step(self, records: Sequence[Record], now: datetime) -> Step:
        """Decide on records (none: timers only). Must not change state: ``Step.adopt`` does, after the commit."""

    def next_wakeup(self) -> datetime | None:
        """Return when a timer of this lane is due next."""


class LaneService:
    """A service whose lanes each run a stage: classifier and correlator.

    ``live``: lanes are worked side by side, batches are as large as the stage's measured speed allows, large ones are
    decided off the event loop, and a drain ends after a while although there is more. Else (virtual time) everything
    is done one after the other, the same way every time.
    """

    def __init__(  # noqa: PLR0913 - what its stage does, and how it is run
        self,
        name: str,
        membership: Membership,
        make_stage: Callable[[Lane], Stage],
        *,
        live: bool = False,
        reports: Reports | None = None,
        aisle: Aisle | None = None,
    ) -> None:
        """Take the group membership and a maker of stages; services of one process share an aisle."""
        self.name = name
        self._suspects = Suspects(name, aisle or Aisle(), reports or NoReports())
        self._membership = membership
        self._make_stage = make_stage
        self._stages: dict[Lane, Stage] = {}
        self._work: Work = SideBySide() if live else OneByOne()
        self._again = False

    async def drain(self, now: datetime) -> Progress:
        """Work every owned lane until it is empty and its timers are in the future, or its turn is over.

        A lane that is lost on the way is dropped and the others go on. A batch that fails is taken again, record by
        record. Anything else is a bug or the bus's trouble and ends the drain; the lane's state is then read anew,
        since its last commit may or may not have happened.
        """
        total, self._again = Progress(), True
        while self._again:
            self._again = False
            lanes = await self._membership.lanes()
            self._stages = {lane: stage for lane, stage in self._stages.items() if lane in lanes}
            self._suspects.keep(lanes)
            turns = [partial(self._turn, lane, now) for lane in lanes]
            total = sum(await self._work.over(turns), total)
        return total

    async def _turn(self, lane: Lane, now: datetime) -> Progress:
        """Drain one lane; one that is lost is dropped quietly."""
        try:
            return await self._drain_lane(lane, now)
        except LaneLost:
            self._stages.pop(lane, None)
            return Progress()
        except TryAgain:
            self._stages.pop(lane, None)
            self._again = True
            return Progress()
        except BaseException:
            self._stages.pop(lane, None)
            raise

    async def _drain_lane(self, lane: Lane, now: datetime) -> Progress:
        stage = await self._stage(lane)
        total = Progress()
        while True:
            batch = await self._work.poll(lane)
            wakeup = stage.next_wakeup()
            if not batch.records and (wakeup is None or wakeup > now):
                return total
            if await self._suspects.among(lane, batch):
                total += Progress(*await self._suspects.isolate(lane, stage, batch, now, self._work.demand))
            else:
                async with self._suspects.together(lane, batch), self._work.room():
                    step = await self._work.decide(stage, batch.records, now)
                    if not batch.records and not step.messages:
                        step.adopt()
                        return total
                    await commit(lane, batch if batch.records else NO_INPUT, step)
                total += Progress(len(batch.records), len(step.messages))
            if self._work.is_over():
                return total

    async def _stage(self, lane: Lane) -> Stage:
        """Return the lane's stage; a new one has read the lane's state before anybody sees it."""
        if lane not in self._stages:
            stage = self._make_stage(lane)
            for topic in stage.state_topics:
                async for record in lane.restore(topic):
                    stage.load(record)
            self._stages[lane] = stage
            self._suspects.take(lane)
        return self._stages[lane]

    def next_wakeup(self) -> datetime | None:
        """Return the earliest timer of the lanes owned now."""
        due = [wakeup for stage in self._stages.values() if (wakeup := stage.next_wakeup()) is not None]
        return min(due, default=None)

    async def wait(self, timeout_s: float) -> None:
        """Wait for records, a rebalance or the time."""
        await self._membership.wait(timeout_s)

    async def close(self) -> None:
        """Leave the group, and no suspicion behind; a log that is away is not waited for, one suspicion does no harm."""
        with suppress(TimeoutError):
            async with asyncio.timeout(REST_S_MAX):
                await self._suspects.rest()
        await self._membership.close()


async def commit(lane: Lane, batch: Batch, step: Step) -> None:
    """Append a step's messages and move the offset in one transaction; then adopt the step's state."""
    async with lane.transaction(batch) as outbox:
        outbox.send_all(step.messages)
    step.adopt()
