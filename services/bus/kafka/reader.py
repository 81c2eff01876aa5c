"""A consumer without a group over a fixed set of partitions, and what it has read and nobody has taken yet.

A group's own consumer throws positions and pauses away at every rebalance; this one knows of no group.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from services.bus.kafka.engine import ASK_S, CLOSE_S
from services.bus.kafka.faults import bounded
from services.bus.ports import BATCH_BYTES_MAX, BATCH_RECORDS_MAX, BusUnavailable, Record

if TYPE_CHECKING:
    from services.bus.kafka.engine import Engine

# The broker holds a fetch this long when there is nothing; a partition that is taken over waits for it to end.
FETCH_WAIT_MS = 100
PARTITION_FETCH_BYTES = 1024 * 1024
# One wait for records that are known to be there; several of them without one record are a failure.
PULL_S = 1.0
PULLS_MAX = 10
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
                consumer.pause(place)
        return reader

    def seek(self, place: TopicPartition, position: int) -> None:
        """Read on from a position; what was buffered is forgotten."""
        self._consumer.seek(place, position)
        self._consumer.resume(place)
        self.buffers[place] = deque()
        self.positions[place] = position

    def leave(self, place: TopicPartition) -> None:
        """Read no more of a partition."""
        self._consumer.pause(place)
        self.buffers[place] = deque()

    async def _pull(self, places: Collection[TopicPartition], timeout_s: float, records_max: int) -> None:
        """Take what the consumer has, or waits for, into the buffers; a cancelled pull has taken nothing."""
        if not places:
            return
        got = await self._consumer.getmany(
            *places, timeout_ms=int(timeout_s * 1_000), max_records=records_max
        )
        for place, records in got.items():
            self.buffers[place].extend(map(self._record, records))
        for place in places:
            self.positions[place] = await self._consumer.position(place)

    def _record(self, record: Any) -> Record:
        return Record(
            self._engine.names.own_topic(record.topic),
            record.partition,
            record.offset,
            (record.key or b"").decode("utf-8", "replace"),
            record.value,
            tuple(record.headers),
            record.timestamp,
        )

    async def fill(
        self, places: Collection[TopicPartition], records: int, size: int = BATCH_BYTES_MAX
    ) -> None:
        """Read until so many records or bytes are buffered, or the ends as they are known are reached."""
        pulls = 0
        async with bounded(ASK_S, "read"):
            await self._pull(places, 0, records)
        while self._lacks(places, records, size):
            behind = [place for place in places if self.positions[place] < self._engine.ends[place]]
            if not behind:
                return
            before = [self.positions[place] for place in behind]
            async with bounded(ASK_S, "read"):
                await self._pull(behind, PULL_S, records)
            pulls = pulls + 1 if before == [self.positions[place] for place in behind] else 0
            if pulls >= PULLS_MAX:
                message = f"{behind[0].topic}/{behind[0].partition}: Kafka gives no records"
                raise BusUnavailable(message)

    def _lacks(self, places: Collection[TopicPartition], records: int, size: int) -> bool:
        if sum(len(self.buffers[place]) for place in places) >= records:
            return False
        return sum(len(record.value or b"") for place in places for record in self.buffers[place]) < size

    def unread(self, places: Iterable[TopicPartition]) -> bool:
        """Whether there is something to take or to read, as far as this process knows."""
        ends = self._engine.ends
        return any(self.buffers[place] or self.positions[place] < ends.get(place, 0) for place in places)

    def drop(self, place: TopicPartition, offset: int) -> None:
        """Forget what is before an offset: it was committed."""
        buffer = self.buffers[place]
        while buffer and buffer[0].offset < offset:
            buffer.popleft()

    async def wait(
        self, places: Callable[[], Collection[TopicPartition]], news: Callable[[], bool], timeout_s: float
    ) -> None:
        """Return when records have come, there is news, or the time is up."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while not (self._engine.closing or news() or self.unread(places())):
            left = min(deadline - loop.time(), REST_S)
            if left <= 0:
                return
            await self._rest(places(), left)

    async def _rest(self, places: Collection[TopicPartition], seconds: float) -> None:
        """Wait for records or the bell; a client that fails at once is not asked in a loop."""
        work = {asyncio.ensure_future(self._engine.bell.heard(seconds))}
        if places:
            work.add(asyncio.ensure_future(self._pull(places, seconds, BATCH_RECORDS_MAX)))
        try:
            done, _ = await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
            async with bounded(ASK_S, "read"):
                for finished in done:
                    finished.result()
        finally:
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)

    async def close(self) -> None:
        """Disconnect; a consumer without a group has nobody to tell."""
        await asyncio.wait({asyncio.ensure_future(self._consumer.stop())}, timeout=CLOSE_S)


def up_to(records: Iterable[Record], records_max: int, bytes_max: int) -> Iterator[Record]:
    """Yield the first records within the bounds, at least one if there is any."""
    room = bytes_max
    for number, record in enumerate(records):
        room -= len(record.value or b"")
        if number >= records_max or (number and room < 0):
            return
        yield record
