"""KafkaBus: the port on a Kafka cluster."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing

from services.bus.kafka import reading
from services.bus.kafka.append import Appender
from services.bus.kafka.engine import ASK_S, CLOSE_S, Cluster, Engine
from services.bus.kafka.faults import bounded
from services.bus.kafka.membership import KafkaMembership
from services.bus.kafka.reader import Reader
from services.bus.kafka.tails import KafkaTail
from services.bus.ports import Message, Record
from services.bus.signals import SILENT, Signals
from services.bus.tasks import beside


class KafkaBus:
    """The log on a cluster. Topics are made by ``tumen topics create``, never by using them."""

    def __init__(self, engine: Engine) -> None:
        """Take the started parts; ``open`` makes them."""
        self._engine = engine
        self._appender = Appender(engine)
        self._memberships: list[KafkaMembership] = []
        self._tails: list[KafkaTail] = []
        self._appending: set[asyncio.Task[None]] = set()

    @classmethod
    async def open(cls, cluster: Cluster, signals: Signals = SILENT) -> KafkaBus:
        """Connect to a cluster."""
        engine = Engine(cluster, signals)
        await engine.start()
        return cls(engine)

    async def demand(self, topics: Sequence[str]) -> None:
        """Raise BusDamaged unless these topics are on the cluster."""
        await self._engine.demand(topics)

    async def join(self, group: str, topics: Sequence[str]) -> KafkaMembership:
        """Join a consumer group; members of one group name the same topics."""
        await self._engine.demand(topics)
        membership = KafkaMembership(self._engine, group, topics)
        await membership.join()
        self._memberships.append(membership)
        return membership

    async def read(self, topic: str, *, partition: int | None = None) -> AsyncIterator[Record]:
        """Read a topic, partition after partition, to the ends seen at the call.

        Whoever closes this before its end has the reader closed with it, not at some later time.
        """
        await self._engine.demand([topic])
        places = self._engine.of_topic(topic) if partition is None else [self._engine.place(topic, partition)]
        async with aclosing(reading.whole(self._engine, places)) as records:
            async for record in records:
                yield record

    async def tail(self, topics: Sequence[str], *, start: bool = True) -> KafkaTail:
        """Follow topics from their start, or from now on."""
        await self._engine.demand(topics)
        places = [place for topic in topics for place in self._engine.of_topic(topic)]
        await self._engine.look_behind_own(places)
        positions = {place: 0 if start else self._engine.ends[place] for place in places}
        tail = KafkaTail(self._engine, await Reader.open(self._engine, positions), places)
        self._tails.append(tail)
        return tail

    async def append(self, messages: Sequence[Message]) -> None:
        """Append messages, all or none; a cancelled caller does not stop it half-way."""
        await self._engine.demand({message.topic for message in messages})
        placed = [(self._engine.prepare(message), message) for message in messages]
        if not placed:
            return
        appending = beside(self._appender.append(placed))
        self._appending.add(appending)
        appending.add_done_callback(self._appending.discard)
        await asyncio.shield(appending)

    async def partitions(self, topic: str) -> int:
        """Return the topic's number of partitions on the cluster."""
        await self._engine.demand([topic])
        return self._engine.topics[topic]

    async def ends(self, topic: str) -> Mapping[int, int]:
        """Return each partition's last stable offset."""
        await self._engine.demand([topic])
        places = self._engine.of_topic(topic)
        await self._engine.look(places)
        return {place.partition: self._engine.ends[place] for place in places}

    async def lag(self, group: str, topic: str) -> Mapping[int, int]:
        """Return what the group has not committed, to the last stable offset.

        What is no record (markers, aborted transactions) counts only where another process owns the partition.
        """
        engine = self._engine
        await engine.demand([topic])
        places, named = engine.of_topic(topic), engine.names.group(group)
        await engine.look(places)
        held = await engine.committed(named, places)
        async with bounded(ASK_S, "lag"):
            starts = await engine.control.beginning_offsets(places)
        return {
            place.partition: max(
                0,
                engine.ends[place]
                - max(
                    held[place].offset,
                    engine.commits.get((named, place), 0),
                    starts[place],
                    *(member.reached(place) for member in self._memberships if member.group == named),
                ),
            )
            for place in places
        }

    async def maintain(self) -> None:
        """Leave compaction and retention to the brokers."""

    async def close(self) -> None:
        """Leave every group, then disconnect."""
        engine = self._engine
        if engine.closing:
            return
        if self._appending:
            _, late = await asyncio.wait(set(self._appending), timeout=CLOSE_S)
            for task in late:
                task.cancel()
        engine.closing = True
        engine.bell.ring()  # whoever still waits need not wait for nothing
        await asyncio.gather(
            *(membership.close() for membership in self._memberships),
            *(tail.close() for tail in self._tails),
            self._appender.close(),
        )
        await engine.stop()
