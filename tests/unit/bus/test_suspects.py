"""What kills a process is isolated and dead-lettered at its third death; what is innocent never is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from services.bus.aisle import Aisle
from services.bus.attempts import DEATHS_MAX, read
from services.bus.loop import LaneService, Step
from services.bus.ports import (
    Batch,
    BusUnavailable,
    Lane,
    Membership,
    Message,
    MessageTooLarge,
    Outbox,
    Record,
)
from services.bus.sqlite import SqliteBus
from services.bus.suspects import ISOLATED_MAX, Suspects, TryAgain
from services.bus.topics import STORIES, VERDICTS

NOON = datetime(2026, 5, 12, 12, tzinfo=UTC)
GROUP = "judge"


class Killed(BaseException):
    """The process ends here, for those who can only read the log afterwards."""


class Judge:
    """Copies stories to verdicts; what it is given may kill it, fail it or blow it up."""

    state_topics: Sequence[str] = ()
    seen: list[tuple[str, ...]]

    def __init__(self, seen: list[tuple[str, ...]], killing: Callable[[str], None]) -> None:
        """Remember every call."""
        self._seen = seen
        self._killing = killing

    def load(self, record: Record) -> None:
        """Take nothing."""

    def next_wakeup(self) -> None:
        """Have no timers."""

    def step(self, records: Sequence[Record], now: datetime) -> Step:
        """Copy, or come to grief."""
        del now
        self._seen.append(tuple(record.key for record in records))
        messages = []
        for record in records:
            value = record.value or b""
            if value == b"deadly":
                raise Killed
            if value == b"bug":
                message = f"no {record.key}"
                raise ZeroDivisionError(message)
            if value == b"bomb":
                value = b"x" * (16 * 1024 * 1024 + 1)
            self._killing(record.key)
            messages.append(Message(VERDICTS.name, 0, record.key, value))
        return Step(messages)


class Said:
    """Remembers what was reported."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.dead: list[tuple[str, str, int]] = []
        self.suspicions: list[tuple[int, int]] = []
        self.why: list[str] = []

    def dead_lettered(self, record: Record, error_class: str, error: str, attempts: int) -> None:
        """Remember a letter."""
        assert error
        self.dead.append((record.key, error_class, attempts))

    def suspected(self, topic: str, partition: int, offset: int, deaths: int, error: str) -> None:
        """Remember a suspicion."""
        assert (topic, partition) == (STORIES.name, 0)
        assert error
        self.suspicions.append((offset, deaths))
        self.why.append(error)


class Life:
    """One process after another, all on one log."""

    def __init__(self, bus: SqliteBus) -> None:
        """Begin with none."""
        self.bus = bus
        self.seen: list[tuple[str, ...]] = []
        self.said = Said()
        self.killing: Callable[[str], None] = lambda _: None
        self.wrap: Callable[[Membership], Membership] = lambda membership: membership
        self.deaths = 0

    def strike(self, key: str) -> None:
        """Do what the test wants done to a record."""
        self.killing(key)

    async def born(self) -> tuple[LaneService, Membership]:
        """Start a process."""
        membership = self.wrap(await self.bus.join(GROUP, [STORIES.name]))
        service = LaneService(GROUP, membership, lambda _: Judge(self.seen, self.strike), reports=self.said)
        return service, membership

    async def live(self, end: type[BaseException] | None = None) -> None:
        """Work until all is done, or until this end; the dead tidy nothing up."""
        service, membership = await self.born()
        if end is None:
            await service.drain(NOON)
            await service.close()
            return
        with pytest.raises(end):
            await service.drain(NOON)
        await membership.close()

    async def until_done(self, end: type[BaseException] = Killed) -> None:
        """Start process after process until one survives."""
        while True:
            service, membership = await self.born()
            try:
                await service.drain(NOON)
            except end:
                self.deaths += 1
            else:
                return
            finally:
                await membership.close()

    async def note(self) -> str:
        """Return what is beside the offset now."""
        membership = await self.bus.join(GROUP, [STORIES.name])
        note = (await membership.lanes())[0].note
        await membership.close()
        return note


@pytest.fixture
async def life() -> AsyncIterator[Life]:
    """Open a log in memory."""
    bus = await SqliteBus.open(":memory:")
    yield Life(bus)
    await bus.close()


async def append(life: Life, *values: str) -> None:
    """Append stories with these values; the keys count them."""
    first = (await life.bus.ends(STORIES.name))[0]
    await life.bus.append(
        [Message(STORIES.name, 0, f"k{first + n}", value.encode()) for n, value in enumerate(values)]
    )


async def keys(life: Life, topic: str = VERDICTS.name) -> list[str]:
    """Return the keys of a topic."""
    return [record.key async for record in life.bus.read(topic)]


async def letters(life: Life) -> list[tuple[str, dict[str, str]]]:
    """Return the dead letters of stories: key and own headers."""
    return [
        (record.key, {name: value.decode() for name, value in record.headers if name.startswith("dlq-")})
        async for record in life.bus.read(STORIES.dlq.name)
    ]


async def test_what_kills_a_process_is_dead_lettered_at_its_third_death(life: Life) -> None:
    """It alone, without being run again; everything else is done exactly once, in order."""
    await append(life, "a", "b", "deadly", "c", "d")
    await life.until_done()
    assert await keys(life) == ["k0", "k1", "k3", "k4"]
    [(key, headers)] = await letters(life)
    assert key == "k2"
    assert headers["dlq-error-class"] == "ProcessDied"
    assert headers["dlq-attempts"] == "3"
    assert headers["dlq-original-offset"] == "2"
    assert headers["dlq-group"] == headers["dlq-stage"] == GROUP
    assert life.said.dead == [("k2", "ProcessDied", 3)]
    assert life.seen.count(("k2",)) == DEATHS_MAX
    assert life.deaths == 1 + DEATHS_MAX
    assert await life.note() == ""


async def test_one_that_waits_alone_is_known_at_once(life: Life) -> None:
    """A process that starts with one record is its third victim at the third start."""
    await append(life, "deadly")
    await life.until_done()
    assert life.deaths == DEATHS_MAX
    assert [key for key, _ in await letters(life)] == ["k0"]


async def test_several_deadly_ones_are_found_one_after_the_other(life: Life) -> None:
    """Each has deaths of its own."""
    await append(life, "deadly", "a", "deadly", "deadly", "b")
    await life.until_done()
    assert await keys(life) == ["k1", "k4"]
    assert [key for key, _ in await letters(life)] == ["k0", "k2", "k3"]


async def test_the_dead_in_a_batch_are_nobodys_fault(life: Life) -> None:
    """However often a process is killed while it runs a batch, its records are run and none is blamed."""
    await append(life, *"abcdef")
    kills = 10

    def kill(key: str) -> None:
        nonlocal kills
        if key == "k3" and kills and len(life.seen[-1]) > 1:
            kills -= 1
            raise Killed

    life.killing = kill
    await life.until_done()
    assert await letters(life) == []
    assert await keys(life) == [f"k{n}" for n in range(6)]


async def test_two_deaths_are_forgotten_when_a_record_passes(life: Life) -> None:
    """What is run well at the third try was innocent, and so is what stands behind it."""
    await append(life, "a", "b", "c")
    left = {"k1": 2, "k2": 2}

    def kill(key: str) -> None:
        if len(life.seen[-1]) == 1 and left.get(key):
            left[key] -= 1
            raise Killed

    await life.live()
    await append(life, "d", "e")
    life.killing = kill
    left = {"k3": 2, "k4": 2}
    first = True

    def once(key: str) -> None:
        nonlocal first
        if first:
            first = False
            raise Killed
        kill(key)

    life.killing = once
    await life.until_done()
    assert life.deaths == 5
    assert await letters(life) == []
    assert await keys(life) == [f"k{n}" for n in range(5)]


async def test_normal_work_leaves_no_note(life: Life) -> None:
    """One is written before the first batch after a take-over; the commit wipes it."""
    await append(life, "a", "b")
    await life.live()
    assert await life.note() == ""
    service, membership = await life.born()
    await service.drain(NOON)
    lane = (await membership.lanes())[0]
    notes = []
    life.killing = lambda _: notes.append(lane.note)
    await append(life, "c", "d")
    await service.drain(NOON)
    await append(life, "e", "f")
    await service.drain(NOON)
    assert [(note := read(text)) and note.how for text in notes] == ["together", "together", None, None]


async def test_a_bug_on_one_record_ends_two_processes_and_then_the_record(life: Life) -> None:
    """An exception goes the same road, and the letter has its class."""
    await append(life, "a", "bug", "b")
    for deaths in (1, 2):
        await life.live(ZeroDivisionError)
        assert life.said.suspicions[-1] == (1, deaths)
    await life.live()
    assert await keys(life) == ["k0", "k2"]
    [(key, headers)] = await letters(life)
    assert (key, headers["dlq-error-class"], headers["dlq-attempts"]) == ("k1", "ZeroDivisionError", "3")
    assert headers["dlq-error-message"] == "ZeroDivisionError: no k1"


async def test_a_bug_counts_in_the_same_process_too(life: Life) -> None:
    """Who drains on after an error counts on."""
    await append(life, "bug", "a")
    service, _ = await life.born()
    for _ in range(DEATHS_MAX - 1):
        with pytest.raises(ZeroDivisionError):
            await service.drain(NOON)
    await service.drain(NOON)
    assert await keys(life) == ["k1"]
    assert life.said.dead == [("k0", "ZeroDivisionError", 3)]


async def test_an_output_that_is_too_large_is_found_in_its_batch(life: Life) -> None:
    """Its record goes to the dead letters within the same drain; nobody dies of it."""
    await append(life, "a", "bomb", "b")
    await life.live()
    assert await keys(life) == ["k0", "k2"]
    [(key, headers)] = await letters(life)
    assert (key, headers["dlq-error-class"], headers["dlq-attempts"]) == ("k1", "MessageTooLarge", "1")
    assert "16,777,217 bytes" in headers["dlq-error-message"]
    assert life.said.dead == [("k1", "MessageTooLarge", 1)]


class Narrow:
    """A lane whose dead letters may have so many bytes only, and which may be away."""

    def __init__(self, lane: Lane, size: int) -> None:
        """Wrap a lane."""
        self._lane = lane
        self._size = size
        self.away = 0
        self.topic, self.partition = lane.topic, lane.partition
        self.poll, self.restore = lane.poll, lane.restore

    @property
    def note(self) -> str:
        """The note of the lane."""
        return self._lane.note

    @asynccontextmanager
    async def transaction(self, batch: Batch, note: str = "") -> AsyncIterator[Outbox]:
        """Refuse large dead letters when all else is well."""
        async with self._lane.transaction(batch, note) as outbox:
            yield NarrowOutbox(outbox, self._size)
            if batch.records and self.away:
                self.away -= 1
                raise BusUnavailable("away")


class NarrowOutbox:
    """An outbox that takes no large dead letters."""

    def __init__(self, outbox: Outbox, size: int) -> None:
        """Wrap an outbox."""
        self._outbox = outbox
        self._size = size

    def send(self, message: Message) -> None:
        """Take a message unless it is a large dead letter."""
        if message.topic.endswith(".dlq") and len(message.value or b"") > self._size:
            message_ = f"{message.key}: too large for the dead letters"
            raise MessageTooLarge(message_)
        self._outbox.send(message)

    def send_all(self, messages: Iterable[Message]) -> None:
        """Take them one by one."""
        for message in messages:
            self.send(message)


class NarrowMembership:
    """A membership of narrow lanes."""

    def __init__(self, membership: Membership, size: int) -> None:
        """Wrap a membership."""
        self._membership = membership
        self._size = size
        self.wrapped: dict[Lane, Narrow] = {}
        self.wait, self.close = membership.wait, membership.close
        self.moving, self.hold_while = membership.moving, membership.hold_while

    async def lanes(self) -> Sequence[Lane]:
        """Return the wrapped lanes."""
        return [
            self.wrapped.setdefault(lane, Narrow(lane, self._size)) for lane in await self._membership.lanes()
        ]


async def test_a_letter_that_is_too_large_goes_by_reference(life: Life) -> None:
    """Its head, where the whole is, how large it is and its digest."""
    life.wrap = lambda membership: NarrowMembership(membership, 3_000)
    await append(life, "a", "bug", "b")
    await life.bus.append([Message(STORIES.name, 0, "large", b"deadly" + b"!" * 5_000)])
    life.killing = lambda key: _raise(Killed) if key == "large" else None
    await life.until_done((Killed, ZeroDivisionError))  # type: ignore[arg-type]  # except takes both
    found = [record async for record in life.bus.read(STORIES.dlq.name)]
    assert [record.key for record in found] == ["k1", "large"]
    headers = dict(found[1].headers)
    assert found[1].value == (b"deadly" + b"!" * 5_000)[:2_048]
    assert headers["dlq-reference"] == f"{STORIES.name}/0/3".encode()
    assert headers["dlq-size"] == b"5006"
    assert len(headers["dlq-sha256"]) == 64
    assert headers["dlq-error-class"] == b"ProcessDied"


async def test_a_reference_that_is_too_large_ends_the_process(life: Life) -> None:
    """A dead-letter topic that takes nothing is the operator's to mend: nothing is lost meanwhile."""
    life.wrap = lambda membership: NarrowMembership(membership, -1)
    await append(life, "a", "bomb")
    await life.live(MessageTooLarge)
    await life.live(MessageTooLarge)
    assert await letters(life) == []
    life.wrap = lambda membership: membership
    await life.live()
    assert [key for key, _ in await letters(life)] == ["k1"]


def _raise(error: type[BaseException]) -> None:
    raise error


async def test_a_bus_that_is_away_is_nobodys_death(life: Life) -> None:
    """A commit that fails because of the log says nothing of the record, however often it does."""
    await append(life, "a")
    narrow = NarrowMembership(await life.bus.join(GROUP, [STORIES.name]), 10_000)
    service = LaneService(GROUP, narrow, lambda _: Judge(life.seen, life.strike), reports=life.said)
    await service.drain(NOON)
    await append(life, "b", "c")
    lane = next(iter(narrow.wrapped.values()))
    for batch in (("b", "c"), ("d",)):
        if batch == ("d",):
            await append(life, "d")
        lane.away = 5
        for _ in range(5):
            with pytest.raises(BusUnavailable):
                await service.drain(NOON)
        await service.drain(NOON)
    await service.close()
    assert await keys(life) == ["k0", "k1", "k2", "k3"]
    assert life.said.dead == []


async def test_an_end_in_good_order_is_nobodys_death(life: Life) -> None:
    """A drain that is cancelled in the middle of a trial takes the trial back when it closes."""
    await append(life, "a")
    for _ in range(DEATHS_MAX + 2):
        narrow = NarrowMembership(await life.bus.join(GROUP, [STORIES.name]), 10_000)
        service = LaneService(GROUP, narrow, lambda _: Judge(life.seen, life.strike), reports=life.said)
        life.killing = lambda _: _raise(asyncio.CancelledError)
        with pytest.raises(asyncio.CancelledError):
            await service.drain(NOON)
        assert (note := read(next(iter(narrow.wrapped.values())).note))
        assert note.how == "alone"
        assert note.deaths == 0
        await service.close()
    life.killing = lambda _: None
    await life.live()
    assert await keys(life) == ["k0"]
    assert life.said.dead == []


async def test_many_suspects_are_run_in_several_turns(life: Life) -> None:
    """Others of the process have theirs in between; none is passed over."""
    await append(life, *("a" for _ in range(ISOLATED_MAX + 50)))
    first = True

    def kill(_: str) -> None:
        nonlocal first
        if first:
            first = False
            raise Killed

    life.killing = kill
    await life.until_done()
    assert await keys(life) == [f"k{n}" for n in range(ISOLATED_MAX + 50)]
    assert {len(call) for call in life.seen[1:]} == {1}


async def test_a_suspect_is_run_while_nothing_else_is(life: Life) -> None:
    """Services of one process share an aisle: who stands in it alone waits for the others to leave it."""
    aisle = Aisle()
    service = LaneService(
        GROUP,
        await life.bus.join(GROUP, [STORIES.name]),
        lambda _: Judge(life.seen, life.strike),
        aisle=aisle,
    )
    await append(life, "a")
    async with aisle.together():
        drain = asyncio.ensure_future(service.drain(NOON))
        await asyncio.wait({drain}, timeout=0.05)
        assert life.seen == []
    await drain
    assert life.seen == [("k0",)]


async def test_a_suspicion_of_what_has_passed_is_dropped(life: Life) -> None:
    """What it named is behind the offset, or retention took it: nothing is isolated for it."""
    await append(life, "a")
    membership = await life.bus.join(GROUP, [STORIES.name])
    lane = (await membership.lanes())[0]
    async with lane.transaction(await lane.poll(), "rested 0 1 2 dead"):
        pass
    await membership.close()
    await append(life, "b", "c")
    await life.live()
    assert life.seen == [("k1", "k2")]
    assert life.said.dead == []


class Left:
    """A lane with two records that was left with a note; what is appended may be too large."""

    topic, partition = STORIES.name, 0
    batch = Batch(tuple(Record(STORIES.name, 0, n, f"k{n}", b"a", (), 0) for n in range(2)), 2)

    def __init__(self, note: str = "") -> None:
        """Take the note."""
        self.note = note
        self.too_large = False
        self.sent: list[Message] = []

    async def poll(self, *_: int) -> Batch:
        """Return both records."""
        return self.batch

    async def restore(self, topic: str, partition: int | None = None) -> AsyncIterator[Record]:
        """Have no state."""
        for record in self.batch.records[2:]:
            yield record

    @asynccontextmanager
    async def transaction(self, batch: Batch, note: str = "") -> AsyncIterator[Outbox]:
        """Take a transaction, or refuse it for its size."""
        yield self
        if batch.records and self.too_large:
            raise MessageTooLarge("too large")
        self.note = note

    def send(self, message: Message) -> None:
        """Take a message."""
        self.sent.append(message)

    def send_all(self, messages: Iterable[Message]) -> None:
        """Take messages."""
        self.sent += messages


@pytest.fixture
def said() -> Said:
    """Return somebody to report to."""
    return Said()


@pytest.fixture
def suspects(said: Said) -> Suspects:
    """Return what a process knows at its start."""
    return Suspects(GROUP, Aisle(), said)


def test_a_suspicion_says_what_became_of_whoever_left_it(suspects: Suspects, said: Said) -> None:
    """A process that lost its lane and has it again has not ended, and neither has one that rested."""
    for note in ("alone 0 2 1 another", "rested 0 2 1 another", f"alone 0 2 1 {suspects._token}"):
        suspects.take(Left(note))
    assert said.suspicions == [(0, 2), (0, 1), (0, 1)]
    assert said.why == [
        "a process ended before it had committed this",
        "an earlier process suspected this and had not committed it",
        "this process took the partition anew before it had committed this",
    ]


async def test_what_was_suspected_in_a_lane_goes_with_it(suspects: Suspects) -> None:
    """Its next owner finds the note; when it comes back without one, nothing is suspected any more."""
    suspects.take(Left("rested 0 2 0 another"))
    suspects.keep([])
    back = Left()
    suspects.take(back)
    suspects.keep([back])
    assert not await suspects.among(back, back.batch)


async def test_a_fate_goes_with_its_lane(suspects: Suspects, said: Said) -> None:
    """A record whose output was too large for this owner is run again when its lane comes back."""
    seen: list[tuple[str, ...]] = []
    judge = Judge(seen, lambda _: None)
    lane = Left("rested 0 1 0 another")
    lane.too_large = True
    suspects.take(lane)
    with pytest.raises(TryAgain):
        await suspects.isolate(lane, judge, lane.batch, NOON, lambda: None)
    suspects.keep([])
    back = Left("rested 0 1 0 another")
    suspects.take(back)
    await suspects.isolate(back, judge, back.batch, NOON, lambda: None)
    assert seen == [("k0",), ("k0",)]
    assert said.dead == []
    assert [message.key for message in back.sent] == ["k0"]
