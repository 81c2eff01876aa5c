"""What every bus must do, asserted of each: order, exactly once, groups, restore, wake-up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING

import pytest

from services.bus.ports import (
    NO_INPUT,
    Batch,
    Bus,
    Lane,
    LaneLost,
    Membership,
    Message,
    MessageTooLarge,
    Record,
)
from services.bus.sqlite import SqliteBus
from services.bus.topics import STORIES, STORYLINES, VERDICTS
from tests.kafka_bus import kafka_opener

if TYPE_CHECKING:
    from pathlib import Path

SOON_S = 5.0
Opener = Callable[[], Awaitable[Bus]]


@pytest.fixture(params=["sqlite-memory", "sqlite-file", pytest.param("kafka", marks=pytest.mark.broker)])
def open_bus(request: pytest.FixtureRequest, tmp_path: Path) -> Opener:
    """Return an opener of the bus under test; each test on Kafka has topics and groups of its own."""
    if request.param == "kafka":
        return kafka_opener(request.getfixturevalue("broker"))

    async def opener() -> Bus:
        path = ":memory:" if request.param == "sqlite-memory" else str(tmp_path / "bus.db")
        return await SqliteBus.open(path, durable=False)

    return opener


@pytest.fixture
async def bus(open_bus: Opener) -> AsyncIterator[Bus]:
    """Open the bus under test, close it at the end."""
    opened = await open_bus()
    yield opened
    await opened.close()


def a_message(
    number: int, *, partition: int = 0, key: str | None = None, topic: str = STORIES.name
) -> Message:
    """Return a message whose value is its number."""
    headers = (("ce_id", str(number).encode()), ("x-own", b"\x00\xff"))
    return Message(topic, partition, key or f"k{number}", str(number).encode(), headers)


def numbers(records: object) -> list[int]:
    """Return the numbers of records made by ``a_message``."""
    return [int(record.value) for record in records]  # type: ignore[attr-defined]


async def lane_of(membership: Membership, partition: int = 0) -> Lane:
    """Return the member's lane of a partition."""
    return next(lane for lane in await membership.lanes() if lane.partition == partition)


async def everything(bus: Bus, topic: str = VERDICTS.name) -> list[Record]:
    """Return a topic's records."""
    return [record async for record in bus.read(topic)]


async def relay(lane: Lane, records_max: int = 500) -> int:
    """Copy what a lane has to the verdicts, in one transaction; return how many records."""
    batch = await lane.poll(records_max)
    if batch.records:
        async with lane.transaction(batch) as outbox:
            outbox.send_all(
                Message(VERDICTS.name, 0, record.key, record.value, record.headers)
                for record in batch.records
            )
    return len(batch.records)


async def test_a_record_is_what_was_appended(bus: Bus) -> None:
    """Topic, partition, key, value, headers and order survive; offsets count up; the append has a time."""
    await bus.append([a_message(1, partition=2), Message(STORIES.name, 2, "gone", None)])
    first, second = await everything(bus, STORIES.name)
    assert (first.topic, first.partition, first.offset, first.key) == (STORIES.name, 2, 0, "k1")
    assert first.value == b"1"
    assert first.headers == (("ce_id", b"1"), ("x-own", b"\x00\xff"))
    assert first.timestamp_ms > 1_700_000_000_000
    assert (second.offset, second.value, second.headers) == (1, None, ())


async def test_order_is_kept_within_a_partition(bus: Bus) -> None:
    """A lane sees its partition's records in the order of their appends, whatever goes to others between."""
    for start in range(0, 60, 6):
        await bus.append([a_message(n, partition=n % 3) for n in range(start, start + 6)])
    membership = await bus.join("g", [STORIES.name])
    for partition in range(3):
        batch = await (await lane_of(membership, partition)).poll()
        assert numbers(batch.records) == list(range(partition, 60, 3))


async def test_polling_again_gives_the_same_records(bus: Bus) -> None:
    """Only a transaction moves a lane."""
    await bus.append([a_message(n) for n in range(5)])
    lane = await lane_of(await bus.join("g", [STORIES.name]))
    assert await lane.poll() == await lane.poll()


async def test_poll_does_not_wait(bus: Bus) -> None:
    """An empty lane answers at once with an empty batch."""
    lane = await lane_of(await bus.join("g", [STORIES.name]))
    assert await asyncio.wait_for(lane.poll(), SOON_S) == NO_INPUT


async def test_a_batch_is_bounded(bus: Bus) -> None:
    """A poll returns at most so many records and bytes, and a record over the bytes comes alone."""
    await bus.append([Message(STORIES.name, 0, str(n), b"x" * 1_000) for n in range(5)])
    lane = await lane_of(await bus.join("g", [STORIES.name]))
    assert len((await lane.poll(3)).records) == 3
    assert len((await lane.poll(bytes_max=2_500)).records) == 2
    assert len((await lane.poll(bytes_max=10)).records) == 1


async def test_a_transaction_moves_outputs_and_offset_together(bus: Bus) -> None:
    """What was committed is in the log, and the next poll goes on behind it."""
    await bus.append([a_message(n) for n in range(10)])
    lane = await lane_of(await bus.join("g", [STORIES.name]))
    assert await relay(lane, 4) == 4
    assert numbers(await everything(bus)) == [0, 1, 2, 3]
    assert numbers((await lane.poll()).records) == [4, 5, 6, 7, 8, 9]


async def test_an_exception_in_the_block_leaves_everything_as_it_was(bus: Bus) -> None:
    """Neither outputs nor offset move when the block fails."""
    await bus.append([a_message(n) for n in range(3)])
    lane = await lane_of(await bus.join("g", [STORIES.name]))
    batch = await lane.poll()
    with pytest.raises(ZeroDivisionError):
        await _fail_in_transaction(lane, batch)
    assert await everything(bus) == []
    assert await lane.poll() == batch
    assert await relay(lane) == 3
    assert numbers(await everything(bus)) == [0, 1, 2]


async def _fail_in_transaction(lane: Lane, batch: Batch) -> None:
    async with lane.transaction(batch) as outbox:
        outbox.send(a_message(1, topic=VERDICTS.name))
        raise ZeroDivisionError


async def test_a_timer_appends_without_input(bus: Bus) -> None:
    """A transaction without input appends and leaves the offset alone."""
    await bus.append([a_message(1)])
    lane = await lane_of(await bus.join("g", [STORIES.name]))
    async with lane.transaction(NO_INPUT) as outbox:
        outbox.send(a_message(7, topic=VERDICTS.name))
    assert numbers(await everything(bus)) == [7]
    assert numbers((await lane.poll()).records) == [1]


async def test_a_note_is_kept_with_the_offset(bus: Bus) -> None:
    """Without input it stands beside the offset as it is; moving on replaces it; who comes next reads it."""
    await bus.append([a_message(n) for n in range(3)])
    first = await bus.join("g", [STORIES.name])
    lane = await lane_of(first)
    assert lane.note == ""
    async with lane.transaction(NO_INPUT, "first word"):
        pass
    assert lane.note == "first word"
    assert numbers((await lane.poll()).records) == [0, 1, 2]
    async with lane.transaction(NO_INPUT) as outbox:
        outbox.send(a_message(7, topic=VERDICTS.name))
    assert lane.note == "first word"
    async with lane.transaction(await lane.poll(1), "second word, é") as outbox:
        outbox.send(a_message(8, topic=VERDICTS.name))
    await first.close()

    second = await bus.join("g", [STORIES.name])
    lane = await lane_of(second)
    assert lane.note == "second word, é"
    assert numbers((await lane.poll()).records) == [1, 2]
    await relay(lane, 1)
    assert lane.note == ""
    await second.close()
    lane = await lane_of(await bus.join("g", [STORIES.name]))
    assert (lane.note, numbers((await lane.poll()).records)) == ("", [2])


async def test_a_note_is_left_as_it_was_when_its_block_fails(bus: Bus) -> None:
    """It is part of the transaction."""
    await bus.append([a_message(n) for n in range(2)])
    lane = await lane_of(await bus.join("g", [STORIES.name]))
    async with lane.transaction(NO_INPUT, "kept"):
        pass
    batch = await lane.poll()
    with pytest.raises(ZeroDivisionError):
        await _fail_in_transaction(lane, batch)
    assert lane.note == "kept"
    assert await lane.poll() == batch


async def test_a_group_resumes_where_it_committed(bus: Bus) -> None:
    """A later member of the group continues; another group begins at the start."""
    await bus.append([a_message(n) for n in range(4)])
    membership = await bus.join("g", [STORIES.name])
    await relay(await lane_of(membership), 3)
    await membership.close()
    assert numbers((await (await lane_of(await bus.join("g", [STORIES.name]))).poll()).records) == [3]
    assert numbers((await (await lane_of(await bus.join("h", [STORIES.name]))).poll()).records) == [
        0,
        1,
        2,
        3,
    ]


async def test_an_append_is_all_or_nothing(bus: Bus) -> None:
    """One message that cannot be taken keeps the others out, and says which it is."""
    large = Message(STORIES.name, 0, "the-large-one", b"x" * (16 * 1024 * 1024 + 1))
    with pytest.raises(MessageTooLarge, match=r"tumen\.stories\.v1 the-large-one: 16,777,217 bytes"):
        await bus.append([a_message(1), large])
    with pytest.raises(ValueError, match="no partition 99"):
        await bus.append([a_message(1), a_message(2, partition=99)])
    with pytest.raises(UnicodeEncodeError):
        await bus.append([a_message(1), Message(STORIES.name, 0, "half of a \ud83d", b"x")])
    assert await everything(bus, STORIES.name) == []


async def test_a_key_that_is_no_text_is_said_where_it_is_sent(bus: Bus) -> None:
    """It is the sender's bug, not the log's trouble; the lane goes on."""
    await bus.append([a_message(1)])
    lane = await lane_of(await bus.join("g", [STORIES.name]))
    batch = await lane.poll()
    with pytest.raises(UnicodeEncodeError):
        async with lane.transaction(batch) as outbox:
            outbox.send(Message(VERDICTS.name, 0, "half of a \ud83d", b"x"))
    async with lane.transaction(batch) as outbox:
        outbox.send(Message(VERDICTS.name, 0, "whole", b"x"))
    assert [record.key for record in await everything(bus, VERDICTS.name)] == ["whole"]


async def test_restore_reads_the_latest_record_of_each_key(bus: Bus) -> None:
    """Superseded values and ended keys do not appear; the order is that of the log."""
    values = [("a", b"1"), ("b", b"1"), ("c", b"1"), ("a", b"2"), ("b", None), ("c", None), ("c", b"2")]
    await bus.append([Message(STORYLINES.name, 0, key, value) for key, value in values])
    lane = await lane_of(await bus.join("g", [VERDICTS.name]))
    state = [(record.key, record.value) async for record in lane.restore(STORYLINES.name)]
    assert state == [("a", b"2"), ("c", b"2")]


async def test_restore_of_a_topic_that_keeps_all_is_the_same(bus: Bus) -> None:
    """The latest per key, too, where the log has every record."""
    await bus.append([a_message(n, key="ab"[n % 2], topic=VERDICTS.name) for n in range(5)])
    lane = await lane_of(await bus.join("g", [STORIES.name]))
    assert numbers([record async for record in lane.restore(VERDICTS.name, 0)]) == [3, 4]


async def test_read_ends_at_the_end_seen_at_the_call(bus: Bus) -> None:
    """A reader does not chase a writer; tombstones are included."""
    await bus.append([a_message(n) for n in range(3)])
    seen = []
    async for record in bus.read(STORIES.name, partition=0):
        seen.append(record)
        await bus.append([a_message(9)])
    assert numbers(seen) == [0, 1, 2]
    assert [record async for record in bus.read(STORIES.name, partition=1)] == []


async def test_a_tail_starts_where_it_is_told(bus: Bus) -> None:
    """From the start it has everything, from now only what comes."""
    await bus.append([a_message(1), a_message(2, topic=VERDICTS.name)])
    both = [STORIES.name, VERDICTS.name]
    old, new = await bus.tail(both), await bus.tail(both, start=False)
    assert sorted(numbers(await old.poll())) == [1, 2]
    assert numbers(await new.poll()) == []
    await bus.append([a_message(3)])
    await new.wait(SOON_S)
    assert numbers(await new.poll()) == [3]
    assert numbers(await old.poll()) == [3]
    assert await old.poll() == await new.poll()


async def test_a_tail_takes_bounded_steps(bus: Bus) -> None:
    """A poll returns at most so many records; the next goes on, over all partitions."""
    await bus.append([a_message(n, partition=n % 2) for n in range(10)])
    tail = await bus.tail([STORIES.name])
    steps = [numbers(await tail.poll(4)) for _ in range(4)]
    assert [len(step) for step in steps] == [4, 4, 2, 0]
    assert sorted(n for step in steps for n in step) == list(range(10))


async def test_waiting_ends_when_something_comes(bus: Bus) -> None:
    """Members and tails wake on an append, long before their time is up."""
    membership = await bus.join("g", [STORIES.name])
    tail = await bus.tail([STORIES.name])
    waiting = asyncio.gather(membership.wait(60), tail.wait(60))
    await bus.append([a_message(1)])
    await asyncio.wait_for(waiting, SOON_S)
    await asyncio.wait_for(asyncio.gather(membership.wait(60), tail.wait(60)), SOON_S)
    assert numbers((await (await lane_of(membership)).poll()).records) == [1]


async def test_waiting_ends_when_the_time_is_up(bus: Bus) -> None:
    """Nothing comes: the wait returns."""
    membership = await bus.join("g", [STORIES.name])
    tail = await bus.tail([STORIES.name])
    await asyncio.wait_for(asyncio.gather(membership.wait(0.02), tail.wait(0.02), tail.wait(0)), SOON_S)
    assert not await tail.poll()


async def test_waiting_ends_when_the_assignment_changes(bus: Bus) -> None:
    """A standby learns at once that the owner has left."""
    owner = await bus.join("g", [VERDICTS.name])
    standby = await bus.join("g", [VERDICTS.name])
    assert [len(await member.lanes()) for member in (owner, standby)] == [1, 0]
    waiting = asyncio.ensure_future(standby.wait(60))
    await owner.close()
    await asyncio.wait_for(waiting, SOON_S)
    assert len(await standby.lanes()) == 1


async def test_waiting_ends_when_the_bus_closes(open_bus: Opener) -> None:
    """Nobody waits on a closed bus."""
    bus = await open_bus()
    membership, tail = await bus.join("g", [STORIES.name]), await bus.tail([STORIES.name])
    waiting = asyncio.gather(membership.wait(60), tail.wait(60))
    await asyncio.wait([asyncio.ensure_future(tail.wait(0.02))])
    assert not waiting.done()
    await bus.close()
    await asyncio.wait_for(waiting, SOON_S)
    assert waiting.done()


async def test_a_cancelled_poll_has_taken_nothing(bus: Bus) -> None:
    """A tail whose poll is cancelled gives the same records next time."""
    await bus.append([a_message(n) for n in range(5)])
    tail = await bus.tail([STORIES.name])
    poll = asyncio.ensure_future(tail.poll())
    await _nothing()
    await asyncio.wait([poll], timeout=0)
    poll.cancel()
    await asyncio.gather(poll, return_exceptions=True)
    assert numbers(await tail.poll()) == [0, 1, 2, 3, 4]


async def test_a_lane_stays_the_same_object_while_it_is_owned(bus: Bus) -> None:
    """State may be kept per lane: it is hashable, and asking again gives the same one."""
    membership = await bus.join("g", [STORIES.name])
    before = {lane: lane.partition for lane in await membership.lanes()}
    assert {lane: lane.partition for lane in await membership.lanes()} == before
    assert list(before.values()) == list(range(await bus.partitions(STORIES.name)))


async def settled(members: list[Membership]) -> list[set[int]]:
    """Return who owns what once nobody changes anything."""
    while True:
        owned = [{lane.partition for lane in await member.lanes()} for member in members]
        again = [{lane.partition for lane in await member.lanes()} for member in members]
        if owned == again and sum(map(len, owned)) == len(set().union(*owned)) == 8:
            return owned
        for member in members:
            await member.wait(0.05)


async def test_members_share_the_partitions(bus: Bus) -> None:
    """Each partition has one owner, shares are fair, and who leaves leaves everything to the others."""
    members: list[Membership] = [await bus.join("g", [STORIES.name])]
    lost = await (members[0]).lanes()
    for _ in range(2):
        members.append(await bus.join("g", [STORIES.name]))
        owned = await asyncio.wait_for(settled(members), SOON_S)
        assert {len(partitions) for partitions in owned} <= {8 // len(members), 8 // len(members) + 1}
    await members.pop().close()
    await members.pop(0).close()
    assert await asyncio.wait_for(settled(members), SOON_S) == [set(range(8))]
    for lane in lost:
        with pytest.raises(LaneLost):
            await lane.poll()
        with pytest.raises(LaneLost):
            async with lane.transaction(NO_INPUT):
                pass
        with pytest.raises(LaneLost):
            _ = [record async for record in lane.restore(STORYLINES.name, 0)]


async def test_lanes_stay_while_their_owner_is_busy(bus: Bus) -> None:
    """A newcomer waits for what the owner has under way; the owner is told, and commits it."""
    first = await bus.join("g", [STORIES.name])
    begun, busy = await first.lanes(), [True]
    first.hold_while(lambda: bool(busy))
    assert not first.moving
    joining = asyncio.create_task(bus.join("g", [STORIES.name]))
    async with asyncio.timeout(SOON_S):
        while not first.moving:
            await first.wait(0.05)
            await first.lanes()
    for lane in begun:
        async with lane.transaction(NO_INPUT) as outbox:
            outbox.send(a_message(lane.partition, topic=VERDICTS.name))
    busy.clear()
    async with asyncio.timeout(SOON_S):
        while first.moving:
            await first.lanes()
            await first.wait(0.05)
        second = await joining
        assert {len(owned) for owned in await settled([first, second])} == {4}
    assert sorted(numbers(await everything(bus))) == list(range(8))


async def test_a_lane_given_up_cannot_commit(bus: Bus) -> None:
    """Work begun before a rebalance is void, and the new owner does it once."""
    await bus.append([a_message(n, partition=n % 8) for n in range(16)])
    first = await bus.join("g", [STORIES.name])
    begun = [(lane, await lane.poll()) for lane in await first.lanes()]
    second = await bus.join("g", [STORIES.name])
    await asyncio.wait_for(settled([first, second]), SOON_S)
    for lane, batch in begun:
        try:
            async with lane.transaction(batch) as outbox:
                outbox.send_all(Message(VERDICTS.name, 0, r.key, r.value) for r in batch.records)
        except LaneLost:
            continue
    for lane in await second.lanes():
        await relay(lane)
    assert sorted(numbers(await everything(bus))) == list(range(16))


async def test_lag_and_ends_count(bus: Bus) -> None:
    """Ends are next offsets; lag is what a group has not committed."""
    await bus.append([a_message(n, partition=1) for n in range(5)])
    assert (await bus.ends(STORIES.name))[1] == 5
    assert (await bus.lag("g", STORIES.name))[1] == 5
    await relay(await lane_of(await bus.join("g", [STORIES.name]), 1), 3)
    assert await bus.lag("g", STORIES.name) == {n: 2 if n == 1 else 0 for n in range(8)}


async def test_many_tasks_at_once(bus: Bus) -> None:
    """Appends and transactions of many tasks interleave; every record is relayed exactly once."""
    membership = await bus.join("g", [STORIES.name])

    async def produce(partition: int) -> None:
        for n in range(20):
            await bus.append([a_message(partition * 100 + n, partition=partition)])

    async def consume(lane: Lane) -> None:
        done = 0
        while done < 20:
            moved = await relay(lane, 7)
            done += moved
            if not moved:
                await membership.wait(0.05)

    lanes = await membership.lanes()
    await asyncio.gather(*(produce(n) for n in range(8)), *(consume(lane) for lane in lanes))
    assert sorted(numbers(await everything(bus))) == sorted(p * 100 + n for p in range(8) for n in range(20))


async def test_cancelled_work_is_done_wholly_or_not_at_all(bus: Bus) -> None:
    """A commit whose task is cancelled either happened or did not; going on gives every record once."""
    await bus.append([a_message(n) for n in range(40)])
    lane = await lane_of(await bus.join("g", [STORIES.name]))
    for turns in range(40):
        task = asyncio.ensure_future(relay(lane, 1))
        for _ in range(turns % 7):
            await asyncio.wait([asyncio.ensure_future(_nothing())])
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    while await relay(lane, 3):
        pass
    assert numbers(await everything(bus)) == list(range(40))


async def _nothing() -> None:
    """Give other tasks a turn."""


async def test_a_reopened_bus_has_what_was_committed(
    open_bus: Opener, request: pytest.FixtureRequest
) -> None:
    """Records and offsets outlive the process, where the log is not in memory."""
    if "memory" in request.node.name:
        pytest.skip("a log in memory ends with its process")
    first = await open_bus()
    await first.append([a_message(n) for n in range(3)])
    await relay(await lane_of(await first.join("g", [STORIES.name])), 2)
    await first.close()
    second = await open_bus()
    assert numbers((await (await lane_of(await second.join("g", [STORIES.name]))).poll()).records) == [2]
    assert numbers(await everything(second)) == [0, 1]
    await second.close()


async def test_two_openers_see_each_other(open_bus: Opener, request: pytest.FixtureRequest) -> None:
    """What one appends wakes the other, and is there."""
    if "memory" in request.node.name:
        pytest.skip("a log in memory has one opener")
    first, second = await open_bus(), await open_bus()
    membership = await second.join("g", [STORIES.name])
    waiting = asyncio.ensure_future(membership.wait(60))
    await first.append([a_message(5)])
    await asyncio.wait_for(waiting, SOON_S)
    assert numbers((await (await lane_of(membership)).poll()).records) == [5]
    await first.close()
    await second.close()
