"""Live: one bounded queue per reader, server-sent events out of it.

A reader that falls behind is let go and resumes where it was (``Last-Event-ID``); nobody waits for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field

from services.desk.projection import Entry, Filter, position_text

STREAMS_MAX = 100
"""Open streams: a newsroom's screens; the next one gets 503 and Retry-After."""
QUEUE_MAX = 256
"""Alerts waiting for one reader: minutes of the worst burst."""
BEAT_SECONDS = 10.0
"""A page that hears nothing for two and a half beats says that it is not live."""
WRITE_SECONDS_MAX = 10.0
"""For the reader's socket to take one event."""
RETRY_MS = 2_000
"""How soon a browser comes back by itself."""

Write = Callable[[bytes], Awaitable[None]]


@dataclass(eq=False, slots=True)
class Reader:
    """One open stream. ``None`` in the queue means: say goodbye."""

    wanted: Filter
    queue: asyncio.Queue[Entry | None] = field(default_factory=lambda: asyncio.Queue(QUEUE_MAX))
    slow: bool = False

    def offer(self, entry: Entry | None) -> None:
        """Queue an entry; a full queue marks the reader as too slow."""
        try:
            self.queue.put_nowait(entry)
        except asyncio.QueueFull:
            self.slow = True


class Hub:
    """The open streams of one desk."""

    def __init__(self) -> None:
        """Start with none."""
        self._readers: set[Reader] = set()
        self._closed = False

    def __len__(self) -> int:
        """Return how many streams are open."""
        return len(self._readers)

    @property
    def full(self) -> bool:
        """Whether another stream must be refused."""
        return self._closed or len(self._readers) >= STREAMS_MAX

    @contextlib.contextmanager
    def reader(self, wanted: Filter) -> Iterator[Reader]:
        """Take part in what is published, until the block ends."""
        reader = Reader(wanted)
        self._readers.add(reader)
        try:
            yield reader
        finally:
            self._readers.discard(reader)

    def publish(self, entries: Sequence[Entry]) -> None:
        """Give entries to every reader that wants them, without waiting for any."""
        for reader in self._readers:
            for entry in entries:
                if reader.wanted.wants(entry.alert):
                    reader.offer(entry)

    def close(self) -> None:
        """Say goodbye to every reader and take no more."""
        self._closed = True
        for reader in self._readers:
            reader.offer(None)


def event(name: str, data: bytes, position: int | None = None) -> bytes:
    """Return one server-sent event; the data is JSON, which never holds a raw line break."""
    head = b"" if position is None else f"id: {position_text(position)}\n".encode()
    return head + f"event: {name}\ndata: ".encode() + data + b"\n\n"


def alert_event(entry: Entry) -> bytes:
    """Return the event of one alert."""
    return event("alert", entry.json, entry.position)


def note(name: str, **fields: object) -> bytes:
    """Return an event without a position: hello, beat, reset, bye."""
    return event(name, json.dumps(fields).encode())


async def pump(
    reader: Reader, write: Write, beat: Callable[[], bytes], beat_seconds: float = BEAT_SECONDS
) -> str:
    """Write what is queued, and a beat when nothing is, until goodbye; return why it ended."""
    while not reader.slow:
        try:
            entry = await asyncio.wait_for(reader.queue.get(), beat_seconds)
        except TimeoutError:
            await send(write, beat())
            continue
        if entry is None:
            await send(write, note("bye"))
            return "bye"
        await send(write, alert_event(entry))
    return "slow"


async def send(write: Write, data: bytes) -> None:
    """Write with a time limit: a reader whose socket takes nothing must not hold memory."""
    async with asyncio.timeout(WRITE_SECONDS_MAX):
        await write(data)
