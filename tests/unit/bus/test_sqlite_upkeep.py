"""Compaction, tombstones, retention and the write-ahead log, with a clock in hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.bus.ports import Message
from services.bus.sqlite import SqliteBus, upkeep
from services.bus.sqlite.store import COMPACTION_LAG_MS, TOMBSTONE_KEPT_MS
from services.bus.topics import ALERTS, DAY_MS, DELIVERIES, FEED_STATE, STORIES, STORYLINES
from tests.bus_process import finish, heard, start

Clock = list[int]


@pytest.fixture
def now() -> Clock:
    """Return a wall clock that stands still until it is moved."""
    return [1_800_000_000_000]


@pytest.fixture
async def bus(now: Clock) -> AsyncIterator[SqliteBus]:
    """Open a log in memory under that clock."""
    opened = await SqliteBus.open(":memory:", clock_ms=lambda: now[0])
    yield opened
    await opened.close()


async def put(bus: SqliteBus, *pairs: tuple[str, bytes | None], topic: str = STORYLINES.name) -> None:
    """Append keys and values, one transaction each."""
    for key, value in pairs:
        await bus.append([Message(topic, 0, key, value)])


async def held(bus: SqliteBus, topic: str = STORYLINES.name) -> list[tuple[int, str, bytes | None]]:
    """Return what the log holds of a topic."""
    return [(record.offset, record.key, record.value) async for record in bus.read(topic)]


async def state(bus: SqliteBus, topic: str = STORYLINES.name) -> dict[str, bytes | None]:
    """Return what a lane would restore of a topic."""
    membership = await bus.join("restore", [ALERTS.name])
    lane = (await membership.lanes())[0]
    found = {record.key: record.value async for record in lane.restore(topic)}
    await membership.close()
    return found


async def test_superseded_records_go_after_a_while(bus: SqliteBus, now: Clock) -> None:
    """Readers that are minutes behind see every value; later only the latest of each key is left."""
    await put(bus, ("a", b"1"), ("b", b"1"), ("a", b"2"), ("a", b"3"))
    assert (await bus.maintain()).removed == 0
    now[0] += COMPACTION_LAG_MS
    assert (await bus.maintain()).removed == 2
    assert await held(bus) == [(1, "b", b"1"), (3, "a", b"3")]
    assert (await bus.maintain()).removed == 0


async def test_a_key_twice_in_one_transaction_is_compacted(bus: SqliteBus, now: Clock) -> None:
    """The later one wins there, too."""
    await bus.append([Message(STORYLINES.name, 0, "a", bytes((n,))) for n in range(5)])
    now[0] += COMPACTION_LAG_MS
    await bus.maintain()
    assert await held(bus) == [(4, "a", b"\x04")]


async def test_a_tombstone_is_seen_for_a_day_and_then_goes(bus: SqliteBus, now: Clock) -> None:
    """The value goes first; who comes within a day still learns that the key has ended."""
    await put(bus, ("a", b"1"), ("b", b"1"), ("a", None))
    now[0] += COMPACTION_LAG_MS
    await bus.maintain()
    assert await held(bus) == [(1, "b", b"1"), (2, "a", None)]
    now[0] += TOMBSTONE_KEPT_MS
    await bus.maintain()
    assert await held(bus) == [(1, "b", b"1")]
    assert await state(bus) == {"b": b"1"}


async def test_a_key_that_comes_back_outlives_its_tombstone(bus: SqliteBus, now: Clock) -> None:
    """The tombstone is due, but it is no longer the key's latest word."""
    await put(bus, ("a", b"1"), ("a", None), ("a", b"2"))
    now[0] += TOMBSTONE_KEPT_MS
    await bus.maintain()
    assert await held(bus) == [(2, "a", b"2")]
    assert await state(bus) == {"a": b"2"}


async def test_old_records_expire(bus: SqliteBus, now: Clock) -> None:
    """By the wall clock at append; younger ones, and topics that keep all, are left alone."""
    await put(bus, ("old", b""), topic=STORIES.name)
    await put(bus, ("for ever", b""), topic=ALERTS.name)
    now[0] += 13 * DAY_MS
    await put(bus, ("young", b""), topic=STORIES.name)
    assert (await bus.maintain()).removed == 0
    now[0] += DAY_MS
    assert (await bus.maintain()).removed == 1
    assert [key for _, key, _ in await held(bus, STORIES.name)] == ["young"]
    now[0] += 1_000 * DAY_MS
    await bus.maintain()
    assert [key for _, key, _ in await held(bus, ALERTS.name)] == ["for ever"]


async def test_a_compacted_topic_with_an_age_forgets_old_keys(bus: SqliteBus, now: Clock) -> None:
    """The ledger of deliveries keeps 400 days, the latest of a key included."""
    await put(bus, ("a", b"1"), ("a", b"2"), topic=DELIVERIES.name)
    now[0] += 400 * DAY_MS
    await put(bus, ("b", b"1"), topic=DELIVERIES.name)
    await bus.maintain()
    assert [key for _, key, _ in await held(bus, DELIVERIES.name)] == ["b"]
    assert await state(bus, DELIVERIES.name) == {"b": b"1"}


async def test_holes_do_not_stop_readers(bus: SqliteBus, now: Clock) -> None:
    """A lane and a tail whose next records are gone go on behind the hole, and know when there is nothing."""
    membership = await bus.join("g", [STORIES.name])
    lane = (await membership.lanes())[0]
    tail = await bus.tail([STORIES.name])
    await put(bus, *((str(n), b"") for n in range(5)), topic=STORIES.name)
    now[0] += 14 * DAY_MS
    await bus.maintain()
    assert (await bus.lag("g", STORIES.name))[0] == 0
    lane = (await membership.lanes())[0]
    assert (await lane.poll()).records == ()
    assert await tail.poll() == []
    await asyncio.wait_for(asyncio.gather(membership.wait(0.01), tail.wait(0.01)), 5)
    await put(bus, ("new", b""), topic=STORIES.name)
    batch = await lane.poll()
    assert [record.key for record in batch.records] == ["new"]
    async with lane.transaction(batch):
        pass
    assert [record.key for record in await tail.poll()] == ["new"]
    assert (await bus.lag("g", STORIES.name))[0] == 0


async def test_much_to_remove_is_removed_in_steps(bus: SqliteBus, now: Clock) -> None:
    """One call removes a bounded number of records; the next goes on."""
    count = upkeep.STEP_ROWS_MAX * upkeep.STEPS_MAX + 10
    await bus.append([Message(STORIES.name, n % 8, str(n), b"") for n in range(count)])
    now[0] += 14 * DAY_MS
    assert (await bus.maintain()).removed <= count - 10
    assert (await bus.maintain()).removed > 0
    assert (await bus.maintain()).removed == 0


async def test_one_process_does_the_upkeep(tmp_path: Path, now: Clock) -> None:
    """The second is told; when the first says nothing more, or closes, the second takes over."""
    path = str(tmp_path / "bus.db")
    first = await SqliteBus.open(path, clock_ms=lambda: now[0])
    second = await SqliteBus.open(path, clock_ms=lambda: now[0])
    assert (await first.maintain()).on_duty
    assert not (await second.maintain()).on_duty
    now[0] += upkeep.DUTY_MS
    assert (await second.maintain()).on_duty
    assert not (await first.maintain()).on_duty
    await second.close()
    assert (await first.maintain()).on_duty
    await first.close()


async def test_the_write_ahead_log_stays_bounded(tmp_path: Path) -> None:
    """Even when nobody calls for upkeep, while another process reads."""
    path = tmp_path / "bus.db"
    bus = await SqliteBus.open(str(path), durable=False)
    reader = await SqliteBus.open(str(path))
    tail = await reader.tail([STORIES.name])
    largest = 0
    for _ in range(60):
        await bus.append([Message(STORIES.name, 0, "k", b"x" * 4_000)] * 500)
        await tail.poll()
        largest = max(largest, wal_bytes(path))
    assert largest <= 2 * upkeep.WAL_PAGES_SOFT * 8_192
    await reader.close()
    await bus.close()
    assert wal_bytes(path) == 0


def wal_bytes(path: Path) -> int:
    """Return the size of a database's write-ahead log."""
    log = path.with_name(path.name + "-wal")
    return log.stat().st_size if log.exists() else 0


writes = st.lists(
    st.tuples(
        st.sampled_from("abcde"), st.none() | st.binary(max_size=3), st.integers(0, 2 * TOMBSTONE_KEPT_MS)
    ),
    max_size=40,
)


@given(writes, st.booleans())
def test_restore_is_the_last_value_of_each_key(
    given_writes: list[tuple[str, bytes | None, int]], maintained: bool
) -> None:
    """Whatever is written when, and whether or not upkeep ran in between."""

    async def play() -> dict[str, bytes | None]:
        now = [1_800_000_000_000]
        bus = await SqliteBus.open(":memory:", clock_ms=lambda: now[0])
        for key, value, later_ms in given_writes:
            await put(bus, (key, value), topic=FEED_STATE.name)
            now[0] += later_ms
            if maintained:
                await bus.maintain()
        found = await state(bus, FEED_STATE.name)
        await bus.close()
        return found

    wanted = {key: value for key, value, _ in given_writes}
    assert asyncio.run(play()) == {key: value for key, value in wanted.items() if value is not None}


async def test_another_processs_records_arrive(tmp_path: Path) -> None:
    """What a separate process appends wakes members and tails here, and can be read."""
    path = tmp_path / "bus.db"
    bus = await SqliteBus.open(str(path))
    membership, tail = await bus.join("g", [STORIES.name]), await bus.tail([STORIES.name])
    process = start("append", path, 3)
    try:
        await asyncio.wait_for(asyncio.gather(membership.wait(60), tail.wait(60)), 20)
        assert [record.key for record in await tail.poll()] == ["0", "1", "2"]
        assert len((await (await membership.lanes())[0].poll()).records) == 3
        assert heard(process) == "done"
    finally:
        finish(process)
    await bus.close()
