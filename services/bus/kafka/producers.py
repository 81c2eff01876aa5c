"""Transactions as aiokafka needs them to be done: every send awaited, every wait bounded, no producer kept in doubt."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaProducer, TopicPartition

from services.bus.kafka.engine import REQUEST_BYTES_MAX
from services.bus.kafka.faults import TOO_LARGE, bounded
from services.bus.ports import MessageTooLarge

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
        _seen(transactions._transaction_waiter)  # noqa: SLF001
    queued = [batch for batches in accumulator._batches.values() for batch in batches]  # noqa: SLF001
    for batch in (*queued, *accumulator._pending_batches):  # noqa: SLF001
        _seen(batch._drain_waiter)  # noqa: SLF001
        _seen(batch.future)


async def transact(
    producer: AIOKafkaProducer,
    messages: Sequence[Placed],
    offsets: Mapping[TopicPartition, OffsetAndMetadata],
    group: str,
) -> dict[TopicPartition, int]:
    """Commit messages and offsets together; return the offset behind the last message of each partition.

    Whatever it raises, the outcome is unknown and the producer must be given up.
    """
    await producer.begin_transaction()
    reached = await send_all(producer, messages)
    if offsets:
        await producer.send_offsets_to_transaction(dict(offsets), group)
    await producer.commit_transaction()
    return reached


async def send_all(producer: AIOKafkaProducer, messages: Sequence[Placed]) -> dict[TopicPartition, int]:
    """Send, and wait for each message's own answer: a commit succeeds even if a send before it failed."""
    try:
        sent = [await _send(producer, place, message) for place, message in messages]
        if sent:
            await asyncio.wait(sent)
        answers = [future.result() for future in sent]
    except TOO_LARGE as error:
        largest = max((message for _, message in messages), key=lambda message: len(message.value or b""))
        problem = f"{largest.topic} {largest.key}: {len(largest.value or b''):,} bytes, over the limit of the cluster"
        raise MessageTooLarge(problem) from error
    reached: dict[TopicPartition, int] = {}
    for (place, _), answer in zip(messages, answers, strict=True):
        reached[place] = max(answer.offset + 1, reached.get(place, 0))
    return reached


async def _send(producer: AIOKafkaProducer, place: TopicPartition, message: Message) -> asyncio.Future[Any]:
    future: asyncio.Future[Any] = await producer.send(
        place.topic,
        message.value,
        message.key.encode(),
        partition=place.partition,
        headers=list(message.headers),
    )
    future.add_done_callback(_seen)
    return future


def _seen(future: asyncio.Future[Any]) -> None:
    """Take note of a failure: the first of many is the one that is raised."""
    if future.done() and not future.cancelled():
        future.exception()
