"""Dead letters, for whoever looks after them: what there is, what was settled, and the way back onto the topic.

That a letter is done is a record of its own in the same dead-letter topic: nothing of the log is ever changed.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from services.bus.codec import DLQ
from services.bus.ports import Message
from services.bus.topics import TOPICS, Topic

if TYPE_CHECKING:
    from services.bus.ports import Bus, Record

SETTLED = "dlq-settled"
SETTLES = "dlq-settles-offset"
# One transaction carries a letter and its mark, or as many of both as keep it quick.
LETTERS_AT_ONCE = 100

How = Literal["replayed", "dropped"]


class UnknownLetterError(Exception):
    """There is no such letter, or nothing can be done with it; the message is one clear line."""


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
        return dict(self.record.headers).get(f"{DLQ}{name}", b"").decode("utf-8", "replace")

    @property
    def by_reference(self) -> bool:
        """Whether it has only the head of the value."""
        return bool(self.header("size"))


async def letters(bus: Bus, topic: Topic) -> list[Letter]:
    """Return the dead letters of a topic, oldest first."""
    held: dict[int, Record] = {}
    settled: dict[int, str] = {}
    async for record in bus.read(topic.dlq.name):
        headers = dict(record.headers)
        if SETTLED in headers:
            settled[int(headers[SETTLES])] = headers[SETTLED].decode("utf-8", "replace")
        else:
            held[record.offset] = record
    return [Letter(record, settled.get(offset)) for offset, record in held.items()]


def chosen(found: Sequence[Letter], topic: Topic, offsets: Collection[int] | None) -> list[Letter]:
    """Return the letters of these offsets (None: all that are not settled), or say which one is not there."""
    if offsets is None:
        return [letter for letter in found if letter.settled is None]
    held = {letter.record.offset: letter for letter in found}
    if missing := sorted(set(offsets) - held.keys()):
        message = f"{topic.dlq.short} has no letter at offset {missing[0]}"
        raise UnknownLetterError(message)
    return [held[offset] for offset in sorted(set(offsets))]


async def replay(
    bus: Bus, topic: Topic, offsets: Collection[int] | None, *, again: bool = False
) -> list[str]:
    """Append letters to their topic once more, each with its mark in the same transaction; return a line for each refused.

    ``ce_id`` stays what it was: who has heard it knows it again.
    """
    refused: list[str] = []
    ready: list[Message] = []
    for letter in chosen(await letters(bus, topic), topic, offsets):
        if letter.settled is not None and not again:
            refused.append(f"{_named(letter)} was {letter.settled} already; --again does it once more")
            continue
        value = await _value(bus, letter)
        if isinstance(value, str):
            refused.append(f"{_named(letter)} {value}")
            continue
        headers = tuple(header for header in letter.record.headers if not header[0].startswith(DLQ))
        partition = int(letter.header("original-partition"))
        ready += [
            Message(topic.name, partition, letter.record.key, value.value, headers),
            _mark(letter, "replayed"),
        ]
    for first in range(0, len(ready), 2 * LETTERS_AT_ONCE):
        await bus.append(ready[first : first + 2 * LETTERS_AT_ONCE])
    return refused


async def _value(bus: Bus, letter: Letter) -> Record | str:
    """Return the record with the original bytes, or why there is none."""
    if not letter.by_reference:
        return letter.record
    if not (where := letter.header("reference")):
        return "cannot be replayed: only its head was kept, for the whole was over the log's limit"
    topic, partition, offset = where.rsplit("/", 2)
    async for record in bus.read(topic, partition=int(partition)):
        if record.offset == int(offset):
            return record
    return f"cannot be replayed: {where} is no longer on the log"


async def drop(bus: Bus, topic: Topic, offsets: Collection[int] | None) -> list[str]:
    """Mark letters as done without sending them anywhere; return a line for each that was settled before."""
    found = chosen(await letters(bus, topic), topic, offsets)
    refused = [f"{_named(one)} was {one.settled} already" for one in found if one.settled is not None]
    await bus.append([_mark(one, "dropped") for one in found if one.settled is None])
    return refused


def _named(letter: Letter) -> str:
    return f"{letter.topic.dlq.short} {letter.record.offset}"


def _mark(letter: Letter, how: How) -> Message:
    headers = ((SETTLED, how.encode()), (SETTLES, str(letter.record.offset).encode()))
    return Message(letter.record.topic, 0, letter.record.key, None, headers)
