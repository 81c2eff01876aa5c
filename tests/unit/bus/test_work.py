"""A live service works its lanes side by side, decides large batches off the loop, and comes up for air."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from services.bus import work
from services.bus.attempts import Note
from services.bus.loop import LaneService, Progress, Step
from services.bus.ports import BATCH_RECORDS_MIN, Batch, BusUnavailable, Lane, Message, Outbox, Record
from services.bus.sqlite import SqliteBus
from services.bus.topics import STORIES, VERDICTS
from services.bus.work import LANES_AT_ONCE, SideBySide

NOON = datetime(2026, 5, 12, 12, tzinfo=UTC)


class Copying:
    """Copies its records, and notes where and how many at a time."""

    state_topics: Sequence[str] = ()

    def __init__(self, lane: Lane, copier: Copier) -> None:
        """Take whom to ask before a decision."""
        self.lane = lane
        self.copier = copier
        self.threads: list[bool] = []
        self.sizes: list[int] = []

    def load(self, record: Record) -> None:
        """Take nothing."""

    def next_wakeup(self) -> datetime | None:
        """Have no timers."""
        return None

    def step(self, records: Sequence[Record], now: datetime) -> Step:
        """Copy."""
        assert now == NOON
        self.copier.before(self.lane)
        self.threads.append(threading.current_thread() is threading.main_thread())
        self.sizes.append(len(records))
        return Step([Message(VERDICTS.name, 0, record.key, record.value) for record in records])


class Copier:
    """A live service of copying stages."""

    def __init__(self) -> None:
        """Start without stages."""
        self.stages: dict[int, Copying] = {}
        self.before: Callable[[Lane], None] = lambda _: None
        self.service: LaneService

    async def join(self, bus: SqliteBus) -> LaneService:
        """Start the service."""

        def make(lane: Lane) -> Copying:
            self.stages[lane.partition] = Copying(lane, self)
            return self.stages[lane.partition]

        self.service = LaneService("copier", await bus.join("g", [STORIES.name]), make, live=True)
        return self.service


@pytest.fixture
async def bus() -> AsyncIterator[SqliteBus]:
    """Open a log in memory."""
    opened = await SqliteBus.open(":memory:")
    yield opened
    await opened.close()


@pytest.fixture
def copier() -> Copier:
    """Return a copier that has not joined."""
    return Copier()


async def append(bus: SqliteBus, count: int, partition: int = 0) -> None:
    """Append stories to one partition."""
    await bus.append([Message(STORIES.name, partition, str(n), b"x") for n in range(count)])


async def test_large_batches_are_decided_off_the_loop(bus: SqliteBus, copier: Copier) -> None:
    """Heartbeats and timers go on meanwhile; a few records are not worth a thread."""
    service = await copier.join(bus)
    await append(bus, 10 * work.OFF_LOOP_RECORDS)
    await append(bus, work.OFF_LOOP_RECORDS // 2, partition=1)
    while (await service.drain(NOON)).moved:
        pass
    for stage in copier.stages.values():
        assert stage.threads == [size <= work.OFF_LOOP_RECORDS for size in stage.sizes]
    assert any(size > work.OFF_LOOP_RECORDS for stage in copier.stages.values() for size in stage.sizes)


async def test_batches_grow_when_the_stage_is_fast(bus: SqliteBus, copier: Copier) -> None:
    """The first is small, the next as large as the speed allows; order is kept."""
    service = await copier.join(bus)
    await append(bus, 3_000)
    done = Progress()
    while (progress := await service.drain(NOON)).moved:
        done += progress
    assert done.records == 3_000
    first, second, *_ = copier.stages[0].sizes
    assert first == BATCH_RECORDS_MIN
    assert second > 1_000
    assert [record.key async for record in bus.read(VERDICTS.name)] == [str(n) for n in range(3_000)]


async def test_a_drain_ends_although_there_is_more(
    bus: SqliteBus, copier: Copier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each lane had one batch; the next drain goes on."""
    monkeypatch.setattr(work, "DRAIN_S", 0.0)
    service = await copier.join(bus)
    await append(bus, 600)
    await append(bus, 600, partition=1)
    assert (await service.drain(NOON)).records == 2 * BATCH_RECORDS_MIN
    assert (await service.drain(NOON)).records > 2 * BATCH_RECORDS_MIN


async def test_a_failure_waits_for_the_other_lanes(bus: SqliteBus, copier: Copier) -> None:
    """The others commit what they have; the failure is then raised, and its lane is read anew."""
    service = await copier.join(bus)
    for partition in range(4):
        await append(bus, 3, partition)

    def fail(lane: Lane) -> None:
        if lane.partition == 1:
            raise ZeroDivisionError

    copier.before = fail
    with pytest.raises(ZeroDivisionError):
        await service.drain(NOON)
    assert len([record async for record in bus.read(VERDICTS.name)]) == 9
    copier.before = lambda _: None
    assert (await service.drain(NOON)).records == 3


async def test_a_cancelled_drain_ends_its_lanes(bus: SqliteBus, copier: Copier) -> None:
    """Nothing is left running, and what was not committed is done by the next drain."""
    service = await copier.join(bus)
    for partition in range(4):
        await append(bus, 200, partition)
    drain = asyncio.ensure_future(service.drain(NOON))

    def cancel(_: Lane) -> None:
        drain.get_loop().call_soon_threadsafe(drain.cancel)

    copier.before = cancel
    with pytest.raises(asyncio.CancelledError):
        await drain
    copier.before = lambda _: None
    while (await service.drain(NOON)).moved:
        pass
    assert len([record async for record in bus.read(VERDICTS.name)]) == 800


async def test_once_the_log_is_away_no_lane_begins(bus: SqliteBus) -> None:
    """Lanes that wait for room share the failure of those that have it, instead of waiting as long each for the same."""
    side_by_side, begun, full = SideBySide(), 0, asyncio.Event()

    async def commit() -> None:
        nonlocal begun
        async with side_by_side.room():
            begun += 1
            if begun == LANES_AT_ONCE:
                full.set()
            await full.wait()
            raise BusUnavailable("Kafka did not commit")

    with pytest.raises(BusUnavailable, match="Kafka did not commit"):
        await side_by_side.over([commit] * (LANES_AT_ONCE + 12))
    assert begun == LANES_AT_ONCE

    async def poll() -> Batch:
        (lane,) = (await (await bus.join("g", [STORIES.name])).lanes())[:1]
        return await side_by_side.poll(lane)

    assert await side_by_side.over([poll]) == [Batch()], "the next drain begins anew"


async def test_a_lane_that_commits_while_another_cannot_ends_with_that(bus: SqliteBus) -> None:
    """What it is at is finished; nothing is polled after it."""
    side_by_side = SideBySide()
    (lane, *_) = await (await bus.join("g", [STORIES.name])).lanes()
    failed = asyncio.Event()

    async def fail() -> None:
        failed.set()
        raise BusUnavailable("away")

    async def go_on() -> None:
        assert not side_by_side.is_over()
        await failed.wait()
        assert side_by_side.is_over()
        await side_by_side.poll(lane)

    with pytest.raises(BusUnavailable, match="away"):
        await side_by_side.over([go_on, fail])


async def test_a_failure_that_waiting_does_not_mend_comes_first() -> None:
    """A bug ends the process although another lane, before it, could not reach the log."""

    async def away() -> None:
        raise BusUnavailable("away")

    async def buggy() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await SideBySide().over([away, buggy])


class Suspect:
    """A lane that was left with a suspicion, on a log that is away by now."""

    topic = STORIES.name
    note = str(Note("rested", 0, 2, 0, "another process"))
    tried: list[int]

    def __init__(self, partition: int, tried: list[int]) -> None:
        """Take the partition, and where to note what is tried."""
        self.partition = partition
        self.tried = tried

    async def poll(self, *_: int) -> Batch:
        """Have two records."""
        return Batch(tuple(Record(self.topic, self.partition, n, "", b"x", (), 0) for n in range(2)), 2)

    async def restore(self, topic: str, partition: int | None = None) -> AsyncIterator[Record]:
        """Have no state."""
        nothing: tuple[Record, ...] = ()
        for record in nothing:
            yield record

    @asynccontextmanager
    async def transaction(self, batch: Batch, note: str = "") -> AsyncIterator[Outbox]:
        """Fail."""
        self.tried.append(self.partition)
        raise BusUnavailable("away")
        yield


class Suspected:
    """The membership of such lanes."""

    moving = False

    def __init__(self) -> None:
        """Have three."""
        self.tried: list[int] = []
        self._lanes = [Suspect(partition, self.tried) for partition in range(3)]

    async def lanes(self) -> Sequence[Lane]:
        """Return them."""
        return self._lanes

    def hold_while(self, busy: Callable[[], bool]) -> None:
        """Move nothing."""

    async def wait(self, timeout_s: float) -> None:
        """Have news."""

    async def close(self) -> None:
        """Hold nothing."""


async def test_suspects_of_other_lanes_are_not_begun_while_the_log_is_away(copier: Copier) -> None:
    """They take turns, so that the wait for the log would be as long for each of them, one behind the other."""
    membership = Suspected()
    service = LaneService("copier", membership, lambda lane: Copying(lane, copier), live=True)
    with pytest.raises(BusUnavailable, match="away"):
        await service.drain(NOON)
    assert membership.tried == [0]
