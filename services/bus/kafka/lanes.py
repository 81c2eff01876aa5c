"""One input partition, owned through its transactional id: whoever starts that id's producer last, owns it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from aiokafka.errors import KafkaError
from aiokafka.structs import OffsetAndMetadata

from services.bus.kafka import producers, reading
from services.bus.kafka.faults import EXPIRED, FENCED, translated
from services.bus.kafka.producers import Placed
from services.bus.ports import (
    BATCH_BYTES_MAX,
    BATCH_RECORDS_MAX,
    NO_INPUT,
    Batch,
    BusUnavailable,
    LaneLost,
    Message,
    Outbox,
    Record,
)
from services.bus.tasks import beside

if TYPE_CHECKING:
    from aiokafka import AIOKafkaProducer, TopicPartition

    from services.bus.kafka.engine import Engine
    from services.bus.kafka.membership import KafkaMembership
    from services.bus.signals import Fate

# A transaction that takes longer has an unknown outcome; the cluster aborts it by then.
COMMIT_S = 15.0


class KafkaOutbox:
    """Collects messages; nothing is sent before the block has ended well."""

    def __init__(self, engine: Engine) -> None:
        """Start empty."""
        self.messages: list[Placed] = []
        self._engine = engine

    def send(self, message: Message) -> None:
        """Append one message if the transaction commits."""
        self.messages.append((self._engine.prepare(message), message))

    def send_all(self, messages: Iterable[Message]) -> None:
        """Append these messages, in order, if the transaction commits."""
        prepare = self._engine.prepare
        self.messages += [(prepare(message), message) for message in messages]


class KafkaLane:
    """One owned partition. ``lost`` is set by a rebalance, by being fenced, and by an outcome nobody knows."""

    def __init__(
        self,
        membership: KafkaMembership,
        place: TopicPartition,
        producer: AIOKafkaProducer,
        committed: OffsetAndMetadata,
    ) -> None:
        """Take a started producer, and the position and note that were committed when it had started."""
        self._membership = membership
        self._engine = membership.engine
        self.place = place
        self._producer = producer
        self._committed = int(committed.offset)
        self._note = str(committed.metadata)
        self._committing: asyncio.Task[None] | None = None
        self.lost = False
        self.fate: Fate = "unknown"
        """Of a lane that was lost: why."""
        self.proven_at = membership.number
        """The assignment under which ownership was last proven: by taking over, or by a commit."""

    @property
    def topic(self) -> str:
        """The input topic."""
        return self._engine.names.own_topic(self.place.topic)

    @property
    def partition(self) -> int:
        """The input partition."""
        return int(self.place.partition)

    @property
    def note(self) -> str:
        """The word kept with the committed offset."""
        return self._note

    async def poll(self, records_max: int = BATCH_RECORDS_MAX, bytes_max: int = BATCH_BYTES_MAX) -> Batch:
        """Return the next records; one more than wanted is read, so that a batch ends behind the last marker."""
        await self._decided()
        self._demand()
        reader = self._membership.reader
        if not reader.holds([self.place], records_max + 1, bytes_max):
            if self._engine.stale([self.place]):  # all of them in one question: the others ask next
                await self._engine.look(self._membership.places)
            await reader.fill([self.place], records_max + 1, bytes_max)
        self._demand()
        records, behind = reader.first(self.place, records_max, bytes_max)
        return Batch(records, behind) if records else NO_INPUT

    @asynccontextmanager
    async def transaction(self, batch: Batch, note: str = "") -> AsyncIterator[Outbox]:
        """Commit the outbox and the offset at the end of the block; a cancelled caller does not stop it half-way."""
        await self._decided()
        self._demand()
        outbox = KafkaOutbox(self._engine)
        yield outbox
        if batch.next_offset is None and not outbox.messages and not note:
            return
        await self._decided()
        self._demand()
        if batch.records and batch.records[0].offset < self._committed:
            message = f"{self.topic}/{self.partition}: offset {batch.records[0].offset} was committed before"
            raise ValueError(message)
        self._committing = beside(self._commit(batch, outbox.messages, note))
        await asyncio.shield(self._committing)

    async def _decided(self) -> None:
        """Wait until a commit whose caller was cancelled has an outcome."""
        if self._committing is not None:
            await asyncio.wait({self._committing})

    async def _commit(self, batch: Batch, messages: list[Placed], note: str) -> None:
        group, signals, clock = self._membership.group, self._engine.signals, asyncio.get_running_loop().time
        begun = clock()
        reach = self._committed if batch.next_offset is None else batch.next_offset
        moved = batch.next_offset is not None or bool(note)
        offsets = {self.place: OffsetAndMetadata(reach, note)} if moved else {}
        try:
            async with asyncio.timeout(COMMIT_S):
                reached = await producers.transact(
                    self._producer, messages, offsets, group, self._engine.narrow
                )
        except BaseException as error:
            causes = tuple(producers.causes(self._producer, error))
            self.fate = _fate(causes)
            (signals.fenced if self.fate == "fenced" else signals.aborted)(self._membership.name)
            self.lose(fenced=self.fate == "fenced")
            if isinstance(error, producers.BatchRefused):
                self._engine.narrow.add(error.topic)
                message = f"{self.topic}/{self.partition} is taken anew: {error}"
                raise LaneLost(message) from error
            if (reason := self._reason(error)) is error:
                raise
            raise reason from error
        signals.committed(self._membership.name, clock() - begun, len(batch.records), len(messages))
        self._engine.publish(reached)
        self.proven_at = self._membership.number
        if moved:
            self._note = note
        if batch.next_offset is not None:
            self._committed = batch.next_offset
            self._engine.commits[group, self.place] = batch.next_offset
            if not self.lost:
                self._membership.reader.drop(self.place, batch.next_offset)

    def _reason(self, error: BaseException) -> BaseException:
        """Return what the owner is told: lost quietly, not now, or the error itself: a message's, or a bug."""
        where = f"{self.topic}/{self.partition}"
        if self.fate == "fenced":
            return LaneLost(f"{where} has another owner now")
        if self.fate == "expired":
            return LaneLost(f"{where} was idle for so long that the cluster forgot its producer")
        if isinstance(error, TimeoutError):
            return BusUnavailable(f"{where}: Kafka did not commit within {COMMIT_S:g} s")
        if isinstance(
            error, (KafkaError, AssertionError, OSError)
        ):  # the client asserts that it knows a broker
            return translated(error, f"{where}: commit", "Write")
        return error

    def lose(self, *, fenced: bool = False) -> None:
        """Void the lane: its producer is given up once what it commits has an outcome."""
        if self.lost:
            return
        self.lost = True
        self._membership.was_lost(self, fenced=fenced)
        self._engine.later(self._give_up())

    async def _give_up(self) -> None:
        if self._committing is not None:
            await asyncio.wait({self._committing}, timeout=COMMIT_S)
        await producers.discard(self._producer)

    def _demand(self) -> None:
        if self.lost:
            message = f"{self.topic}/{self.partition} has another owner now, or must be taken anew"
            raise LaneLost(message)

    async def restore(self, topic: str, partition: int | None = None) -> AsyncIterator[Record]:
        """Read the latest record of each key of a state topic, to the last stable offset."""
        await self._decided()
        self._demand()
        place = self._engine.place(topic, self.partition if partition is None else partition)
        clock = asyncio.get_running_loop().time
        begun, count = clock(), 0
        async for record in reading.latest(self._engine, place):
            self._demand()
            yield record
            count += 1
        self._engine.signals.restored(self._membership.name, clock() - begun, count)


def _fate(causes: Sequence[BaseException]) -> Fate:
    """Return what a failed commit says of its lane."""
    if any(isinstance(cause, FENCED) for cause in causes):
        return "fenced"
    return "expired" if any(isinstance(cause, EXPIRED) for cause in causes) else "unknown"
