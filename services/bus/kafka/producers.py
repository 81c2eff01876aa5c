"""Transactions as aiokafka needs them to be done: every send awaited, every wait bounded, no producer kept in doubt."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaProducer, TopicPartition

from services.bus.kafka.engine import REQUEST_BYTES_MAX
from services.bus.kafka.faults import TOO_LARGE, bounded
from services.bus.ports import MessageTooLarge
from services.bus.tasks import seen

if TYPE_CHECKING:
    from aiokafka.structs import OffsetAndMetadata

    from services.bus.kafka.engine import Cluster, Engine
    from services.bus.ports import Message

# The cluster aborts what a dead process left open; a successor's start does so at once.
TRANSACTION_MS = 15_000
# A predecessor's transaction is finished before a start returns.
START_S = 20.0
BATCH_BYTES = 1024 * 1024
STOP_S = 2.0

Placed = tuple["TopicPartition", "Message"]


class BatchRefused(Exception):  # noqa: N818 - an instruction: the same again, with messages one by one
    """The cluster takes no batch of several messages on a topic; ``topic`` is the cluster's name of it."""

    def __init__(self, topic: str) -> None:
        """Take the topic's name."""
        super().__init__(f"{topic}: several messages together are over the limit of the cluster")
        self.topic = topic


def make_producer(cluster: Cluster, transactional_id: str | None) -> AIOKafkaProducer:
    """Return a producer that repeats nothing; with an id, one that commits transactions."""
    options: dict[str, Any] = {"enable_idempotence": True}
    if transactional_id is not None:
        options = {"transactional_id": transactional_id, "transaction_timeout_ms": TRANSACTION_MS}
    return AIOKafkaProducer(
        acks="all",
        max_batch_size=BATCH_BYTES,
        max_request_size=REQUEST_BYTES_MAX,
        **options,
        **cluster.client,
    )


async def start(engine: Engine, transactional_id: str | None) -> AIOKafkaProducer:
    """Return a started producer: its predecessor is fenced, and what that one left open is decided."""
    producer = make_producer(engine.cluster, transactional_id)
    try:
        async with bounded(START_S, f"producer {transactional_id or ''}".strip()):
            await producer.start()
    except BaseException:
        engine.later(discard(producer))
        raise
    return producer


def causes(producer: AIOKafkaProducer, error: BaseException) -> Iterator[BaseException]:
    """Yield an error of a transaction and what led to it: the client wraps some causes in "unexpected error"."""
    sender = producer._sender.sender_task  # noqa: SLF001 - a message's own future has lost the cause
    failed = sender.exception() if sender is not None and sender.done() and not sender.cancelled() else None
    for link in (error, failed):
        while link is not None:
            yield link
            link = link.__cause__  # noqa: PLW2901


async def discard(producer: AIOKafkaProducer) -> None:
    """Give a producer up without finishing anything: whoever takes its id next decides what was open."""
    producer._closed = True  # noqa: SLF001 - `stop` would flush first, which never ends while Kafka is away
    sender = producer._sender.sender_task  # noqa: SLF001
    if sender is not None and not sender.done():
        sender.cancel()
        await asyncio.wait({sender}, timeout=STOP_S)  # its own `close` raises when the task had not begun
    with suppress(Exception):
        async with asyncio.timeout(STOP_S):
            await producer.client.close()
    _quiet(producer)


def _quiet(producer: AIOKafkaProducer) -> None:
    """Look at the failures that nobody else will look at: the loop would print each with its traceback."""
    transactions, accumulator = producer._txn_manager, producer._message_accumulator  # noqa: SLF001
    if transactions is not None and transactions._transaction_waiter is not None:  # noqa: SLF001
        seen(transactions._transaction_waiter)  # noqa: SLF001
    queued = [batch for batches in accumulator._batches.values() for batch in batches]  # noqa: SLF001
    for batch in (*queued, *accumulator._pending_batches):  # noqa: SLF001
        seen(batch._drain_waiter)  # noqa: SLF001
        seen(batch.future)


async def transact(
    producer: AIOKafkaProducer,
    messages: Sequence[Placed],
    offsets: Mapping[TopicPartition, OffsetAndMetadata],
    group: str,
    narrow: Collection[str] = (),
) -> dict[TopicPartition, int]:
    """Commit messages and offsets together; return the offset behind the last message of each partition.

    ``narrow`` names topics (as on the cluster) whose messages are sent one by one.

    Whatever it raises, the outcome is unknown and the producer must be given up.
    """
    await producer.begin_transaction()
    reached = await send_all(producer, messages, narrow)
    if offsets:
        await producer.send_offsets_to_transaction(dict(offsets), group)
    await producer.commit_transaction()
    return reached


async def send_all(
    producer: AIOKafkaProducer, messages: Sequence[Placed], narrow: Collection[str] = ()
) -> dict[TopicPartition, int]:
    """Send, and wait for each batch's own answer: a commit succeeds even if a send before it failed.

    Batches are made here, a partition at a time: a future for every message costs more than the message.
    """
    parcels: list[_Parcel] = []
    for place, of_place in by_place(messages).items():
        each = [[message] for message in of_place] if place.topic in narrow else [of_place]
        for together in each:
            parcels += _packed(producer, place, together)
    for parcel in parcels:
        try:
            parcel.answer = await producer.send_batch(
                parcel.batch, parcel.place.topic, partition=parcel.place.partition
            )
        except BaseException:
            _raise_refused(parcels)
            raise
        parcel.answer.add_done_callback(seen)
    answers = [parcel.answer for parcel in parcels if parcel.answer is not None]
    if answers:
        await asyncio.wait(answers)
    _raise_refused(parcels)
    return {
        parcel.place: answer.result().offset + len(parcel.messages)
        for parcel, answer in zip(parcels, answers, strict=True)
    }


def by_place(messages: Sequence[Placed]) -> dict[TopicPartition, list[Message]]:
    """Return each partition's messages, in order."""
    found: dict[TopicPartition, list[Message]] = {}
    for place, message in messages:
        if place in found:
            found[place].append(message)
        else:
            found[place] = [message]
    return found


@dataclass(slots=True)
class _Parcel:
    """One batch for one partition: its messages, and the answer once it is sent."""

    place: TopicPartition
    batch: Any
    messages: list[Message] = field(default_factory=list)
    answer: asyncio.Future[Any] | None = None


def _packed(
    producer: AIOKafkaProducer, place: TopicPartition, messages: Iterable[Message]
) -> Iterator[_Parcel]:
    """Yield the messages of one partition in batches; one that is larger than a batch has its own."""
    parcel = _Parcel(place, producer.create_batch())
    for message in messages:
        if not put(parcel.batch, message):
            parcel.batch.close()
            yield parcel
            parcel = _Parcel(place, producer.create_batch())
            put(parcel.batch, message)
        parcel.messages.append(message)
    parcel.batch.close()
    yield parcel


def put(batch: Any, message: Message) -> bool:
    """Add a message to a batch; False when it is full."""
    added = batch.append(
        key=message.key.encode(), value=message.value, timestamp=None, headers=list(message.headers)
    )
    return added is not None


def _raise_refused(parcels: Sequence[_Parcel]) -> None:
    """Raise the failure of the first batch that was refused; one message that is too large is named."""
    for parcel in parcels:
        if parcel.answer is None or not parcel.answer.done():
            continue
        try:
            parcel.answer.result()
        except TOO_LARGE as error:
            if len(parcel.messages) > 1:
                raise BatchRefused(parcel.place.topic) from error
            (message,) = parcel.messages
            size = len(message.value or b"")
            problem = f"{message.topic} {message.key}: {size:,} bytes, over the limit of the cluster"
            raise MessageTooLarge(problem, message.topic, message.key) from error
