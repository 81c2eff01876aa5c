"""Many dead letters, and large ones: read as they come, looked up together, appended within bounds, no reader left open."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any

import pytest

from services.bootstrap import deadletters
from services.bootstrap.deadletters import BYTES_AT_ONCE, LETTERS_AT_ONCE, DeadLetters
from services.bus.codec import as_reference, dead_letter
from services.bus.ports import Message, MessageTooLarge, Record
from services.bus.sqlite import SqliteBus
from services.bus.topics import STORIES

LARGE = BYTES_AT_ONCE // 3


class Watched:
    """A log that counts what is read, what is appended together, and readers that nobody closed."""

    def __init__(self, bus: SqliteBus) -> None:
        """Take the real one."""
        self._bus = bus
        self.reads: list[tuple[str, int | None]] = []
        self.appends: list[list[Message]] = []
        self.open = 0
        self.limit_bytes = 2 * BYTES_AT_ONCE

    def __getattr__(self, name: str) -> Any:
        """Do the rest as the real one."""
        return getattr(self._bus, name)

    async def read(self, topic: str, *, partition: int | None = None) -> AsyncIterator[Record]:
        """Count and read."""
        self.reads.append((topic, partition))
        self.open += 1
        try:
            async for record in self._bus.read(topic, partition=partition):
                yield record
        finally:
            self.open -= 1

    async def append(self, messages: Sequence[Message]) -> None:
        """Count and append, all or none."""
        for message in messages:
            if len(message.value or b"") > self.limit_bytes:
                raise MessageTooLarge("over the limit", message.topic, message.key)
        self.appends.append(list(messages))
        await self._bus.append(messages)


@pytest.fixture
async def log() -> AsyncIterator[Watched]:
    """Open a log in memory."""
    bus = await SqliteBus.open(":memory:")
    yield Watched(bus)
    await bus.close()


async def fail(log: Watched, values: Sequence[bytes], *, by_reference: bool = False) -> None:
    """Put stories on the log, over its partitions, and a letter of each into the dead letters."""
    for number, value in enumerate(values):
        await log._bus.append([Message(STORIES.name, number % 3, str(number), value, (("ce_id", b"1"),))])
    stories = [record async for record in log._bus.read(STORIES.name)]
    for story in sorted(stories, key=lambda story: int(story.key)):
        letter = dead_letter(story, group="g", stage="classifier", error="bad", error_class="E", attempts=3)
        where = f"{story.topic}/{story.partition}/{story.offset}"
        await log._bus.append([as_reference(letter, where) if by_reference else letter])


async def stories(log: Watched) -> list[tuple[int, str, bytes | None]]:
    """Return what is on the topic."""
    return [(one.partition, one.key, one.value) async for one in log._bus.read(STORIES.name)]


async def test_large_letters_go_in_appends_of_bounded_size(log: Watched) -> None:
    """A dozen of the largest do not become one transaction; each goes with its mark."""
    await fail(log, [b"x" * LARGE] * 7)
    outcome = await DeadLetters(log, STORIES).replay(None)
    assert (outcome.settled, outcome.refused) == (7, [])
    sizes = [sum(len(message.value or b"") for message in messages) for messages in log.appends]
    assert max(sizes) <= BYTES_AT_ONCE
    assert [len(messages) for messages in log.appends] == [4, 4, 4, 2]
    assert sorted(await stories(log)) == sorted([(n % 3, str(n), b"x" * LARGE) for n in range(7)] * 2)


async def test_many_letters_go_in_appends_of_bounded_number(log: Watched) -> None:
    """And two readings of the letters do for all of them."""
    await fail(log, [b"{"] * (LETTERS_AT_ONCE + 5))
    dead = DeadLetters(log, STORIES)
    assert (await dead.replay(None)).settled == LETTERS_AT_ONCE + 5
    assert [len(messages) for messages in log.appends] == [2 * LETTERS_AT_ONCE, 10]
    assert log.reads == [(STORIES.dlq.name, None)] * 2
    log.appends.clear()
    assert (await dead.drop(None)).settled == 0
    assert sum(map(len, log.appends)) == 0


async def test_originals_of_many_references_are_looked_up_in_one_reading_of_their_partition(
    log: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thousand letters are not a thousand readings of the topic; what is gone or not the same is refused."""
    await fail(log, [f"story {n}".encode() for n in range(30)], by_reference=True)
    [first, *_] = [record async for record in log._bus.read(STORIES.dlq.name)]
    strangers = [("dlq-reference", f"{STORIES.name}/0/{2**40}".encode()), ("dlq-sha256", b"0" * 64)]
    for name, held in strangers:
        headers = tuple((key, held if key == name else value) for key, value in first.headers)
        await log._bus.append([Message(STORIES.dlq.name, 0, "odd", b"head", headers)])
    outcome = await DeadLetters(log, STORIES).replay(None)
    assert outcome.settled == 30
    assert outcome.refused == [
        "letter 31 of tumen.stories.v1.dlq cannot be replayed: at tumen.stories.v1/0/0 is another message now",
        f"letter 30 of tumen.stories.v1.dlq cannot be replayed: tumen.stories.v1/0/{2**40} is no longer on the log",
    ]
    assert log.reads == [(STORIES.dlq.name, None)] * 2 + [(STORIES.name, n) for n in range(3)]
    twice = [(n % 3, str(n), f"story {n}".encode()) for n in range(30)] * 2
    assert sorted(await stories(log)) == sorted(twice)

    monkeypatch.setattr(deadletters, "REFERENCES_AT_ONCE", 10)
    log.reads.clear()
    again = await DeadLetters(log, STORIES).replay(range(30), again=True)
    assert again.settled == 30
    assert len(log.reads) == 2 + 3 * 3, "what waits for its original is bounded, too"


async def test_no_reader_is_left_open(log: Watched) -> None:
    """Whether all is read, one is found, or whoever asked has seen enough."""
    await fail(log, [b"a", b"b", b"c"], by_reference=True)
    dead = DeadLetters(log, STORIES)
    assert (await dead.letter(1)).record.key == "1"
    assert log.open == 0
    async with aclosing(dead.letters()) as found:
        async for _ in found:
            break
    assert log.open == 0
    await dead.replay([0])
    assert log.open == 0
    with pytest.raises(deadletters.UnknownLetterError, match="no letter at offset 9"):
        await dead.drop([0, 9])
    assert log.open == 0
    assert [one.settled async for one in dead.letters()] == ["replayed", None, None], "nothing was dropped"


@pytest.mark.parametrize(
    "reference",
    [
        *(
            "there",
            f"{STORIES.name}/0",
            f"{STORIES.name}/x/0",
            f"{STORIES.name}/0/-1",
            f"{STORIES.name}/99/0",
        ),
        *("tumen.subscribers.v1/0/0", f"{STORIES.name}/0/{'9' * 30}"),
    ],
)
async def test_a_reference_that_names_no_place_of_the_topic_is_one_line(log: Watched, reference: str) -> None:
    """Nothing else is read for it, and nothing of another topic gets here."""
    await fail(log, [b"a"])
    [letter] = [record async for record in log._bus.read(STORIES.dlq.name)]
    odd = as_reference(Message(letter.topic, 0, "odd", b"a", letter.headers), reference)
    await log._bus.append([odd])
    outcome = await DeadLetters(log, STORIES, lambda name: f"news{name.removeprefix('tumen')}").replay([1])
    assert outcome.settled == 0
    why = f"dlq-reference {reference!r} is no place in news.stories.v1 (topic/partition/offset)"
    assert outcome.refused == [f"letter 1 of news.stories.v1.dlq cannot be replayed: {why}"]
    assert {topic for topic, _ in log.reads} == {STORIES.dlq.name}


async def test_one_that_is_too_large_does_not_keep_the_others(log: Watched) -> None:
    """It stays, with the reason, and whoever mends the limit replays it then."""
    await fail(log, [b"a", b"x" * 1_000, b"c"])
    log.limit_bytes = 100
    dead = DeadLetters(log, STORIES)
    outcome = await dead.replay(None)
    assert outcome.settled == 2
    assert outcome.refused == ["letter 1 of tumen.stories.v1.dlq cannot be replayed: over the limit"]
    log.limit_bytes = 10_000
    assert (await dead.replay(None)).settled == 1
