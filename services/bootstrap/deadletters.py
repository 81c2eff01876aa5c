"""Dead letters, for whoever looks after them: what there is, what was settled, and the way back onto the topic.

That a letter is done is a record of its own in the same dead-letter topic: nothing of the log is ever changed. Whoever
may write there may write anything: headers are read as such, and what they should not be is said of the letter.

Letters are read twice, first what was settled and then the letters themselves, one after another: a topic may hold
more than fits into memory.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from services.bus.codec import DLQ
from services.bus.ports import BATCH_BYTES_MAX, Message, MessageTooLarge
from services.bus.topics import TOPICS, Topic

if TYPE_CHECKING:
    from services.bus.ports import Bus, Record

SETTLED = "dlq-settled"
SETTLES = "dlq-settles-offset"
# One transaction carries a letter and its mark, or as many of both as keep it quick.
LETTERS_AT_ONCE = 100
BYTES_AT_ONCE = BATCH_BYTES_MAX
# Letters by reference wait until so many can be looked for in one reading of their topic; each is a few kilobytes.
REFERENCES_AT_ONCE = 1_000
_NUMBER = re.compile(r"-?[0-9]{1,18}")
_PLACE = re.compile(r"(.+)/([0-9]{1,9})/([0-9]{1,18})")

How = Literal["replayed", "dropped"]
HOW: tuple[How, ...] = ("replayed", "dropped")


class UnknownLetterError(Exception):
    """There is no such letter; the message is one clear line."""


@dataclass(frozen=True, slots=True)
class Letter:
    """One dead letter; ``settled`` says how it was done with, if it was."""

    record: Record
    settled: str | None

    @property
    def topic(self) -> Topic:
        """The topic that it was meant for."""
        return TOPICS[self.record.topic.removesuffix(".dlq")]

    def header(self, name: str) -> str:
        """Return a header of the letter; "" for one that it lacks."""
        return _header(self.record, f"{DLQ}{name}")

    def number(self, name: str) -> int | None:
        """Return the number in a header; None where there is none."""
        return _number(self.header(name))

    @property
    def by_reference(self) -> bool:
        """Whether it has only the head of the value."""
        return bool(self.header("size"))


@dataclass(slots=True)
class Outcome:
    """What became of letters: how many were settled, and a line for each that was not."""

    settled: int = 0
    refused: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """The dead letters of one topic. ``called`` gives a topic's name on the cluster, for what people read."""

    bus: Bus
    topic: Topic
    called: Callable[[str], str] = str

    async def letters(self, offsets: Collection[int] | None = None) -> AsyncGenerator[Letter, None]:
        """Yield the letters at these offsets (None: all), oldest first; UnknownLetterError names one that is not there."""
        settled = await self._settled(offsets)
        async with _reading(self.bus, self.topic.dlq.name) as records:
            async for record in records:
                if _mark(record) is None and (offsets is None or record.offset in offsets):
                    yield Letter(record, settled.get(record.offset))

    async def letter(self, offset: int) -> Letter:
        """Return the letter at an offset."""
        async with aclosing(self.letters((offset,))) as found:
            return await anext(found)

    async def _settled(self, offsets: Collection[int] | None) -> dict[int, How]:
        """Return how letters were settled, by offset, having seen that there is a letter at each of ``offsets``."""
        settled: dict[int, How] = {}
        missing = set(offsets or ())
        async with _reading(self.bus, self.topic.dlq.name) as records:
            async for record in records:
                if (mark := _mark(record)) is None:
                    missing.discard(record.offset)
                else:
                    settled[mark[0]] = mark[1]
        if missing:
            message = f"{self.called(self.topic.dlq.name)} has no letter at offset {min(missing)}"
            raise UnknownLetterError(message)
        return settled

    async def replay(self, offsets: Collection[int] | None, *, again: bool = False) -> Outcome:
        """Append letters (None: all that are not settled) to their topic once more, each with its mark.

        ``ce_id`` stays what it was: who has heard it knows it again. They go in the order in which they came, those by
        reference after the others.
        """
        batch = _Batch(self)
        partitions = await self.bus.partitions(self.topic.name)
        referring: list[Letter] = []
        async with aclosing(self.letters(offsets)) as found:
            async for letter in found:
                if letter.settled is not None and (offsets is None or not again):
                    if offsets is not None:
                        batch.refuse(letter, f"was {letter.settled} already; --again does it once more")
                elif fault := self._fault(letter, partitions):
                    batch.refuse(letter, f"cannot be replayed: {fault}")
                elif letter.by_reference:
                    referring.append(letter)
                    if len(referring) == REFERENCES_AT_ONCE:
                        await self._refer(batch, referring)
                        referring.clear()
                else:
                    await batch.replay(letter, letter.record)
        await self._refer(batch, referring)
        await batch.send()
        return batch.outcome

    async def drop(self, offsets: Collection[int] | None) -> Outcome:
        """Mark letters (None: all that are not settled) as done without sending them anywhere."""
        batch = _Batch(self)
        async with aclosing(self.letters(offsets)) as found:
            async for letter in found:
                if letter.settled is None:
                    await batch.drop(letter)
                elif offsets is not None:
                    batch.refuse(letter, f"was {letter.settled} already")
        await batch.send()
        return batch.outcome

    def _fault(self, letter: Letter, partitions: int) -> str | None:
        """Return which of its headers keeps a letter from being replayed."""
        name = self.called(self.topic.name)
        partition = letter.number("original-partition")
        if partition is None or not 0 <= partition < partitions:
            return f"dlq-original-partition {letter.header('original-partition')[:80]!r} is no partition of {name}"
        if not letter.by_reference:
            return None
        if not (reference := letter.header("reference")):
            return "only its head was kept, for the whole was over the log's limit"
        found = _PLACE.fullmatch(reference)
        if found is None or found[1] != self.topic.name or int(found[2]) >= partitions:
            return f"dlq-reference {reference[:80]!r} is no place in {name} (topic/partition/offset)"
        return None

    async def _refer(self, batch: _Batch, referring: Collection[Letter]) -> None:
        """Replay letters whose whole is still on their topic: each partition is read once for all of them."""
        wanted: dict[int, dict[int, list[Letter]]] = {}
        for letter in referring:
            _, number, offset = letter.header("reference").rsplit("/", 2)
            wanted.setdefault(int(number), {}).setdefault(int(offset), []).append(letter)
        for partition, places in sorted(wanted.items()):
            async with _reading(self.bus, self.topic.name, partition) as records:
                async for record in records:
                    for letter in places.pop(record.offset, ()):
                        await self._restore(batch, letter, record)
                    if not places:
                        break
            for gone, letters in sorted(places.items()):
                for letter in letters:
                    where = f"{self.called(self.topic.name)}/{partition}/{gone}"
                    batch.refuse(letter, f"cannot be replayed: {where} is no longer on the log")

    async def _restore(self, batch: _Batch, letter: Letter, original: Record) -> None:
        """Replay the original, if it is what the letter was made of: a topic that was made anew counts from 0."""
        if letter.header("sha256") == hashlib.sha256(original.value or b"").hexdigest():
            await batch.replay(letter, original)
            return
        where = f"{self.called(self.topic.name)}/{original.partition}/{original.offset}"
        batch.refuse(letter, f"cannot be replayed: at {where} is another message now")


class _Batch:
    """Gathers what is appended together, within bounds, and keeps account."""

    def __init__(self, of: DeadLetters) -> None:
        self._of = of
        self._held: list[tuple[Letter, tuple[Message, ...]]] = []
        self._bytes = 0
        self.outcome = Outcome()

    def refuse(self, letter: Letter, why: str) -> None:
        """Note why a letter stays as it is."""
        self.outcome.refused.append(
            f"letter {letter.record.offset} of {self._of.called(letter.topic.dlq.name)} {why}"
        )

    async def replay(self, letter: Letter, source: Record) -> None:
        """Send a letter's message back, with the headers that it had."""
        headers = tuple(header for header in source.headers if not header[0].startswith(DLQ))
        partition = letter.number("original-partition") or 0
        message = Message(letter.topic.name, partition, source.key, source.value, headers)
        await self._add(letter, message, _settling(letter, "replayed"))

    async def drop(self, letter: Letter) -> None:
        """Mark a letter and send nothing."""
        await self._add(letter, _settling(letter, "dropped"))

    async def _add(self, letter: Letter, *messages: Message) -> None:
        size = sum(map(_size, messages))
        if self._held and (len(self._held) >= LETTERS_AT_ONCE or self._bytes + size > BYTES_AT_ONCE):
            await self.send()
        self._held.append((letter, messages))
        self._bytes += size

    async def send(self) -> None:
        """Append what is held, each letter's messages together; what is too large by itself is refused."""
        held, self._held, self._bytes = self._held, [], 0
        try:
            await self._of.bus.append([message for _, messages in held for message in messages])
        except MessageTooLarge as error:
            if len(held) == 1:
                self.refuse(held[0][0], f"cannot be replayed: {error}")
                return
            for one in held:
                self._held = [one]
                await self.send()
        else:
            self.outcome.settled += len(held)


@asynccontextmanager
async def _reading(
    bus: Bus, topic: str, partition: int | None = None
) -> AsyncIterator[AsyncIterator[Record]]:
    """Read a topic; whoever has found what he wanted leaves no reader behind."""
    records = bus.read(topic, partition=partition)
    try:
        yield records
    finally:
        if isinstance(records, AsyncGenerator):
            await records.aclose()


def _header(record: Record, name: str) -> str:
    return dict(record.headers).get(name, b"").decode("utf-8", "replace")


def _number(text: str) -> int | None:
    return int(text) if _NUMBER.fullmatch(text) else None


def _size(message: Message) -> int:
    return len(message.value or b"") + sum(len(name) + len(held) for name, held in message.headers)


def _mark(record: Record) -> tuple[int, How] | None:
    """Return which letter a record settles, and how; None for what is no mark, and so a letter."""
    how = next((how for how in HOW if how == _header(record, SETTLED)), None)
    offset = _number(_header(record, SETTLES))
    return None if how is None or offset is None or not 0 <= offset < record.offset else (offset, how)


def _settling(letter: Letter, how: How) -> Message:
    headers = ((SETTLED, how.encode()), (SETTLES, str(letter.record.offset).encode()))
    return Message(letter.record.topic, 0, letter.record.key, None, headers)
