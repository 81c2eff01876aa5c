"""Appends outside any group: one partition's messages are one batch, which is atomic; more need a transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import uuid4

from aiokafka.errors import KafkaError

from services.bus.kafka import producers
from services.bus.kafka.faults import bounded, translated
from services.bus.kafka.lanes import COMMIT_S
from services.bus.kafka.producers import Placed
from services.bus.ports import BusUnavailable, MessageTooLarge

if TYPE_CHECKING:
    from aiokafka import AIOKafkaProducer

    from services.bus.kafka.engine import Engine


class Appender:
    """Two producers, made when they are first needed; one that failed is given up and made anew."""

    def __init__(self, engine: Engine) -> None:
        """Start without any."""
        self._engine = engine
        self._turn = asyncio.Lock()
        self._id = engine.names.append_prefix + uuid4().hex
        self._plain: AIOKafkaProducer | None = None
        self._transactional: AIOKafkaProducer | None = None

    async def append(self, messages: Sequence[Placed]) -> None:
        """Append all or none; an error says that it is not known which."""
        async with self._turn:
            if self._engine.closing:
                raise BusUnavailable("the bus is closed")
            try:
                if len({place for place, _ in messages}) > 1 or not await self._as_one_batch(messages):
                    await self._together(messages)
            except (
                KafkaError,
                AssertionError,
                OSError,
            ) as error:  # the client asserts that it knows a broker
                self.give_up()
                raise translated(error, "append", "Write") from error
            except BaseException:
                self.give_up()
                raise

    async def _as_one_batch(self, messages: Sequence[Placed]) -> bool:
        """Append to one partition; False when the messages do not fit in one batch."""
        if self._plain is None:
            self._plain = await producers.start(self._engine, None)
        place = messages[0][0]
        batch = self._plain.create_batch()
        for _, message in messages:
            if not producers.put(batch, message):
                return False
        batch.close()
        if len(messages) > 1 and place.topic in self._engine.narrow:
            return False
        try:
            async with bounded(COMMIT_S, "append", "Write"):
                answer = await (await self._plain.send_batch(batch, place.topic, partition=place.partition))
        except MessageTooLarge:
            if len(messages) == 1:
                raise
            self._engine.narrow.add(place.topic)
            self.give_up()
            return False
        self._engine.publish({place: answer.offset + len(messages)})
        return True

    async def _together(self, messages: Sequence[Placed]) -> None:
        """Append as a transaction; what is refused as batches is sent again, each message of that topic by itself."""
        while True:
            try:
                return await self._as_transaction(messages)
            except producers.BatchRefused as error:
                self._engine.narrow.add(error.topic)
                self.give_up()

    async def _as_transaction(self, messages: Sequence[Placed]) -> None:
        if self._transactional is None:
            self._transactional = await producers.start(self._engine, self._id)
        async with bounded(COMMIT_S, "append", "Write"):
            reached = await producers.transact(self._transactional, messages, {}, "", self._engine.narrow)
        self._engine.publish(reached)

    def give_up(self) -> None:
        """Give up the producers."""
        for producer in (self._plain, self._transactional):
            if producer is not None:
                self._engine.later(producers.discard(producer))
        self._plain = self._transactional = None

    async def close(self) -> None:
        """Give up the producers once what is being appended has an outcome."""
        async with self._turn:
            self.give_up()
