"""A consumer without a group over a fixed set of partitions, and what it has read and nobody has taken yet.

A group's own consumer throws positions and pauses away at every rebalance; this one knows of no group. It reads ahead
beside everything else, each partition up to its share of the room: who takes records need not wait for a fetch.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from services.bus.kafka.bell import Bell, breathe
from services.bus.kafka.engine import ASK_S, CLOSE_S, RETRY_S
from services.bus.kafka.faults import bounded, translated
from services.bus.ports import BATCH_BYTES_MAX, BusUnavailable, Record
from services.bus.tasks import beside

if TYPE_CHECKING:
    from services.bus.kafka.engine import Engine

# The broker holds a fetch this long when there is nothing; a partition that is taken over waits for it to end.
FETCH_WAIT_MS = 100
PARTITION_FETCH_BYTES = 1024 * 1024
# Read in one go: other tasks, the heartbeats among them, have their turn in between.
GO_RECORDS = 2_000
# What is read ahead and not yet taken, all partitions together; each has its share within these bounds.
ROOM_BYTES = 64 * 1024 * 1024
PLACE_BYTES_MIN = 2 * 1024 * 1024
PLACE_BYTES_MAX = 16 * 1024 * 1024
# Records have an overhead: many small ones count, too.
RECORD_BYTES = 512
# A fetch may bring markers only: the position moves, and the client tells nobody.
LOOK_S = 0.005
# Records that are known to be there and do not come for so long are a failure.
STALL_S = 10.0
# A wait goes on in slices, so that errors of the client are met.
REST_S = 1.0


class Reader:
    """Reads where it is told. ``positions`` is what will be read next, behind what is buffered."""

    def __init__(self, engine: Engine, consumer: AIOKafkaConsumer) -> None:
        """Take a started consumer; ``open`` makes one."""
        self._engine = engine
        self._consumer = consumer
        self.buffers: dict[TopicPartition, deque[Record]] = {}
        self.positions: dict[TopicPartition, int] = {}
        self._sizes: dict[TopicPartition, int] = {}
        self._followed: set[TopicPartition] = set()
        self._full: set[TopicPartition] = set()
        self._bell = Bell()
        self._failure: KafkaError | None = None
        self._reading: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, engine: Engine, positions: Mapping[TopicPartition, int | None]) -> Reader:
        """Begin at these positions; where there is none, wait for ``seek``."""
        consumer = AIOKafkaConsumer(
            group_id=None,
            isolation_level="read_committed",
            auto_offset_reset="earliest",  # retention may have removed what was not read for too long
            enable_auto_commit=False,
            fetch_max_wait_ms=FETCH_WAIT_MS,
            max_partition_fetch_bytes=PARTITION_FETCH_BYTES,
            max_poll_records=GO_RECORDS,
            **engine.cluster.client,
        )
        reader = cls(engine, consumer)
        try:
            async with bounded(ASK_S, "reader"):
                await consumer.start()
        except BaseException:
            await reader.close()
            raise
        consumer.assign(list(positions))
        for place, position in positions.items():
            reader.seek(place, position or 0)
            if position is None:
                reader.leave(place)
        reader._reading = beside(reader._read())
        return reader

    def seek(self, place: TopicPartition, position: int) -> None:
        """Read on from a position; what was buffered is forgotten."""
        self._consumer.seek(place, position)
        self._consumer.resume(place)
        self._followed.add(place)
        self._empty(place)
        self.positions[place] = position

    def leave(self, place: TopicPartition) -> None:
        """Read no more of a partition."""
        self._consumer.pause(place)
        self._followed.discard(place)
        self._empty(place)

    def _empty(self, place: TopicPartition) -> None:
        self.buffers[place] = deque()
        self._sizes[place] = 0
        self._full.discard(place)

    async def _read(self) -> None:
        """Take what comes into the buffers, for as long as the reader is open."""
        while True:
            try:
                got = await self._consumer.getmany(timeout_ms=int(REST_S * 1_000))
            except KafkaError as error:
                self._failure = error
                self._rewind()
                await self._engine.bell.heard(RETRY_S)
            else:
                for place, records in got.items():
                    self._take(place, records)
                await self._look(self._followed)
                self._engine.saw({place: self._consumer.last_stable_offset(place) for place in got})
            self._bell.ring()
            await breathe()

    def _take(self, place: TopicPartition, records: Iterable[Any]) -> None:
        """Buffer what came for a partition; one that has its share waits until some of it is taken."""
        topic = self._engine.names.own_topic(place.topic)
        fresh = [_record(topic, record) for record in records]
        self.buffers[place].extend(fresh)
        self._sizes[place] += sum(map(_weight, fresh))
        if self._sizes[place] >= self._share():
            self._full.add(place)
            self._consumer.pause(place)

    def _share(self) -> int:
        share = ROOM_BYTES // max(1, len(self._followed))
        return min(max(share, PLACE_BYTES_MIN), PLACE_BYTES_MAX)

    async def _look(self, places: Collection[TopicPartition]) -> None:
        """Note where the client stands: only its task of this moment moves it, so nothing is between it and us."""
        for place in self._followed.intersection(places):
            self.positions[place] = await self._consumer.position(place)

    def _rewind(self) -> None:
        """Read again what a failure may have swallowed."""
        for place in self._followed:
            self._consumer.seek(place, self.positions[place])

    async def fill(
        self, places: Collection[TopicPartition], records: int, size: int = BATCH_BYTES_MAX
    ) -> None:
        """Wait until so many records or bytes are buffered, a buffer is full, or the ends as they are known are reached."""
        clock = asyncio.get_running_loop().time
        since, before = clock(), -1
        while self._lacks(places, records, size):
            async with bounded(ASK_S, "read"):
                await self._look(places)
            self._demand()
            behind = [place for place in places if self._behind(place)]
            if not behind:
                return
            reached = sum(self.positions[place] for place in behind)
            if reached != before:
                since, before = clock(), reached
            elif clock() - since > STALL_S:
                message = f"{behind[0].topic}/{behind[0].partition}: Kafka gives no records"
                raise BusUnavailable(message)
            await self._bell.heard(LOOK_S)

    def _behind(self, place: TopicPartition) -> bool:
        return place in self._followed and self.positions[place] < self._engine.ends[place]

    def _lacks(self, places: Collection[TopicPartition], records: int, size: int) -> bool:
        if self._full and any(place in self._full for place in places):
            return False
        return not self.holds(places, records, size)

    def holds(self, places: Collection[TopicPartition], records: int, size: int) -> bool:
        """Whether so many records or bytes are buffered."""
        return (
            sum(len(self.buffers[place]) for place in places) >= records
            or sum(self._sizes[place] for place in places) >= size
        )

    def _demand(self) -> None:
        """Raise what reading met since it was last asked."""
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise translated(failure, "read") from failure
        if self._reading is not None and self._reading.done():
            if self._reading.cancelled():
                raise BusUnavailable("the reader is closed")
            self._reading.result()

    def unread(self, places: Iterable[TopicPartition]) -> bool:
        """Whether there is something to take or to read, as far as this process knows."""
        ends = self._engine.ends
        return any(self.buffers[place] or self.positions[place] < ends.get(place, 0) for place in places)

    def first(
        self, place: TopicPartition, records_max: int, bytes_max: int
    ) -> tuple[tuple[Record, ...], int]:
        """Return the first records of a buffer within the bounds, and the position behind them and their markers."""
        buffer = self.buffers[place]
        if len(buffer) <= records_max and self._sizes[place] <= bytes_max:
            return tuple(buffer), self.positions[place]
        records = tuple(up_to(buffer, records_max, bytes_max))
        if len(records) == len(buffer):
            return records, self.positions[place]
        return records, records[-1].offset + 1

    def drop(self, place: TopicPartition, offset: int) -> None:
        """Forget what is before an offset: it was committed."""
        buffer = self.buffers[place]
        self.take(place, sum(1 for _ in takewhile(lambda record: record.offset < offset, buffer)))

    def take(self, place: TopicPartition, records_max: int | None = None) -> list[Record]:
        """Take the first records out of a buffer."""
        buffer = self.buffers[place]
        if records_max is None or records_max >= len(buffer):
            taken = list(buffer)
            buffer.clear()
            self._sizes[place] = 0
        else:
            taken = [buffer.popleft() for _ in range(records_max)]
            self._sizes[place] -= sum(map(_weight, taken))
        self._go_on(place)
        return taken

    def _go_on(self, place: TopicPartition) -> None:
        """Read on once half of a full buffer is taken: a pause throws away what is on its way."""
        if place in self._full and self._sizes[place] <= self._share() // 2:
            self._full.discard(place)
            self._consumer.resume(place)

    async def wait(
        self, places: Callable[[], Collection[TopicPartition]], news: Callable[[], bool], timeout_s: float
    ) -> None:
        """Return when records have come, there is news, or the time is up."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while not (self._engine.closing or news() or self.unread(places())):
            self._demand()
            left = min(deadline - loop.time(), REST_S)
            if left <= 0:
                return
            await self._bell.heard(left, self._engine.bell)

    async def close(self) -> None:
        """Disconnect; a consumer without a group has nobody to tell."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait({self._reading})
        await asyncio.wait({beside(self._consumer.stop())}, timeout=CLOSE_S)


def _record(topic: str, record: Any) -> Record:
    """Return a record as the port knows it."""
    key = "" if record.key is None else record.key.decode("utf-8", "replace")
    return Record(topic, record.partition, record.offset, key, record.value, record.headers, record.timestamp)


def _weight(record: Record) -> int:
    return len(record.value or b"") + RECORD_BYTES


def up_to(records: Iterable[Record], records_max: int, bytes_max: int) -> Iterator[Record]:
    """Yield the first records within the bounds, at least one if there is any."""
    room = bytes_max
    for number, record in enumerate(records):
        room -= len(record.value or b"")
        if number >= records_max or (number and room < 0):
            return
        yield record
