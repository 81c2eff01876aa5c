"""The one loop: decides before the transaction, adopts after it, and survives a lane that is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from services.bus.loop import LaneService, Progress, Step, commit
from services.bus.ports import BusUnavailable, Lane, LaneLost, Message, Record
from services.bus.sqlite import SqliteBus
from services.bus.topics import FEED_SEEN, STORIES, VERDICTS

NOON = datetime(2026, 5, 12, 12, tzinfo=UTC)
GROUP = "count"


class CountingStage:
    """Counts the records of a lane, says each count, and keeps it as state."""

    state_topics: Sequence[str] = (FEED_SEEN.name,)

    def __init__(self, lane: Lane) -> None:
        """Start at nothing."""
        self.partition = lane.partition
        self.key = "count"
        self.count = 0
        self.timer: datetime | None = None
        self.silent = False
        self.before_commit: Callable[[], None] = lambda: None

    def load(self, record: Record) -> None:
        """Take the last count of this lane."""
        if record.key == self.key:
            self.count = int(record.value or b"0")

    def step(self, records: Sequence[Record], now: datetime) -> Step:
        """Say the new count; with no records, say that the timer is over."""
        if any(record.value == b"bug" for record in records):
            raise ZeroDivisionError
        count = self.count + len(records)
        messages = [Message(FEED_SEEN.name, self.partition, self.key, str(count).encode())] if records else []
        messages += [Message(VERDICTS.name, 0, record.key, record.value) for record in records]
        if self.timer and self.timer <= now and not self.silent:
            messages.append(Message(VERDICTS.name, 0, "timer", b"timer"))

        def adopt() -> None:
            self.count = count
            self.timer = None

        self.before_commit()
        return Step(messages, adopt)

    def next_wakeup(self) -> datetime | None:
        """Return the timer."""
        return self.timer


class Counting:
    """A service of counting stages, and the stages it made."""

    def __init__(self, service: LaneService, stages: dict[int, CountingStage]) -> None:
        """Take both."""
        self.service = service
        self.stages = stages


async def counting(bus: SqliteBus) -> Counting:
    """Start a counting service."""
    stages: dict[int, CountingStage] = {}

    def make(lane: Lane) -> CountingStage:
        stages[lane.partition] = CountingStage(lane)
        return stages[lane.partition]

    return Counting(LaneService("counter", await bus.join(GROUP, [STORIES.name]), make), stages)


@pytest.fixture
async def bus() -> AsyncIterator[SqliteBus]:
    """Open a log in memory."""
    opened = await SqliteBus.open(":memory:")
    yield opened
    await opened.close()


async def append(bus: SqliteBus, count: int, partition: int = 0, value: bytes = b"1") -> None:
    """Append stories to one partition."""
    await bus.append([Message(STORIES.name, partition, str(n), value) for n in range(count)])


async def said(bus: SqliteBus) -> list[str]:
    """Return the keys of all verdicts."""
    return [record.key async for record in bus.read(VERDICTS.name)]


async def test_a_timer_that_has_nothing_to_say_is_over(bus: SqliteBus) -> None:
    """No empty transaction is made for it, and it does not come back at the same moment."""
    counter = await counting(bus)
    await append(bus, 1)
    await counter.service.drain(NOON)
    (stage,) = [stage for stage in counter.stages.values() if stage.count]
    stage.timer, stage.silent = NOON, True

    assert await counter.service.drain(NOON) == Progress()

    assert counter.service.next_wakeup() is None
    assert await said(bus) == ["0"]


async def test_a_drain_does_all_that_is_due(bus: SqliteBus) -> None:
    """Batch after batch until the lanes are empty; the second drain has nothing to do."""
    counter = await counting(bus)
    await append(bus, 1_200)
    await append(bus, 3, partition=5)
    progress = await counter.service.drain(NOON)
    assert progress == Progress(records=1_203, messages=1_203 + 4)
    assert (counter.stages[0].count, counter.stages[5].count) == (1_200, 3)
    assert not (await counter.service.drain(NOON)).moved


async def test_state_is_read_when_a_lane_is_taken(bus: SqliteBus) -> None:
    """A service that starts again goes on where the last one was."""
    first = await counting(bus)
    await append(bus, 4)
    await first.service.drain(NOON)
    await first.service.close()
    second = await counting(bus)
    await append(bus, 2)
    await second.service.drain(NOON)
    assert second.stages[0].count == 6


async def test_a_timer_commits_without_records(bus: SqliteBus) -> None:
    """A timer that is due leads to messages; one in the future is the next wake-up."""
    counter = await counting(bus)
    await counter.service.drain(NOON)
    assert counter.service.next_wakeup() is None
    counter.stages[2].timer = NOON + timedelta(hours=2)
    counter.stages[3].timer = NOON + timedelta(hours=1)
    assert counter.service.next_wakeup() == NOON + timedelta(hours=1)
    assert not (await counter.service.drain(NOON)).moved
    assert await counter.service.drain(NOON + timedelta(hours=1)) == Progress(0, 1)
    assert counter.service.next_wakeup() == NOON + timedelta(hours=2)
    assert await said(bus) == ["timer"]


async def test_a_lane_lost_on_the_way_stops_only_itself(bus: SqliteBus) -> None:
    """Its step is not adopted, the other lanes are drained, and the new owner does the work once."""
    counter = await counting(bus)
    await counter.service.drain(NOON)
    for partition in range(8):
        await append(bus, 5, partition)
    membership = counter.service._membership
    lost = next(lane for lane in await membership.lanes() if lane.partition == 2)

    def lose() -> None:
        lost.lost = True  # type: ignore[attr-defined]  # what a rebalance does

    counter.stages[2].before_commit = lose
    progress = await counter.service.drain(NOON)
    assert progress.records == 35
    assert counter.stages[2].count == 0
    assert (await counter.service.drain(NOON)).records == 5
    assert len(await said(bus)) == 40


async def test_a_bug_in_a_stage_ends_the_drain(bus: SqliteBus) -> None:
    """An exception on one record is not swallowed; what stood before it is committed, and nothing behind it."""
    counter = await counting(bus)
    await append(bus, 1)
    await append(bus, 1, value=b"bug")
    await append(bus, 1)
    with pytest.raises(ZeroDivisionError):
        await counter.service.drain(NOON)
    assert await said(bus) == ["0"]
    assert (await bus.lag(GROUP, STORIES.name))[0] == 2


async def test_a_bug_in_a_timer_ends_the_drain(bus: SqliteBus) -> None:
    """There is no record to blame: nothing is isolated, nothing is tried again."""
    counter = await counting(bus)
    await counter.service.drain(NOON)
    counter.stages[2].timer = NOON

    def fail() -> None:
        raise ZeroDivisionError

    counter.stages[2].before_commit = fail
    with pytest.raises(ZeroDivisionError):
        await counter.service.drain(NOON)


async def test_a_step_is_adopted_only_after_its_commit(bus: SqliteBus) -> None:
    """When the log cannot take the messages, the stage's state is what it was."""
    counter = await counting(bus)
    await append(bus, 3)
    lane = (await counter.service._membership.lanes())[0]
    stage = CountingStage(lane)
    batch = await lane.poll()
    step = stage.step(batch.records, NOON)
    await counter.service.close()
    with pytest.raises(LaneLost):
        await commit(lane, batch, step)
    assert stage.count == 0


async def test_a_cancelled_drain_goes_on_with_what_the_log_says(bus: SqliteBus) -> None:
    """Whether the cancelled commit happened or not, counts and messages agree afterwards."""
    counter = await counting(bus)
    await append(bus, 2_000)
    for turns in range(1, 60, 4):
        drain = asyncio.ensure_future(counter.service.drain(NOON))
        for _ in range(turns):
            await asyncio.wait([asyncio.ensure_future(_nothing())])
        drain.cancel()
        await asyncio.gather(drain, return_exceptions=True)
    await counter.service.drain(NOON)
    assert counter.stages[0].count == len(await said(bus)) == 2_000


async def _nothing() -> None:
    """Give other tasks a turn."""


async def test_waiting_and_closing_are_the_memberships(bus: SqliteBus) -> None:
    """A service wakes for records, and leaves its group at the end."""
    counter = await counting(bus)
    waiting = asyncio.ensure_future(counter.service.wait(60))
    await append(bus, 1)
    await asyncio.wait_for(waiting, 5)
    await counter.service.close()
    assert await counter.service.drain(NOON) == Progress()
    await bus.close()
    with pytest.raises(BusUnavailable):
        await bus.join(GROUP, [STORIES.name])
