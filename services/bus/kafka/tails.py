"""Readers without a group: they follow topics from their start or from now on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from services.bus.kafka.reader import Reader
from services.bus.ports import BATCH_RECORDS_MAX, Record

if TYPE_CHECKING:
    from aiokafka import TopicPartition

    from services.bus.kafka.engine import Engine


class KafkaTail:
    """Positions in memory; nothing of a tail is on the cluster."""

    def __init__(self, engine: Engine, reader: Reader, places: Sequence[TopicPartition]) -> None:
        """Take a reader that is where it should begin."""
        self._engine = engine
        self._reader = reader
        self._places = list(places)

    async def poll(self, records_max: int = BATCH_RECORDS_MAX) -> Sequence[Record]:
        """Return the next records; a poll that is cancelled has taken nothing."""
        await self._engine.look(self._places)
        await self._reader.fill(self._places, records_max)
        records: list[Record] = []
        for place in self._places:
            records += self._reader.take(place, records_max - len(records))
        return records

    async def wait(self, timeout_s: float) -> None:
        """Wait for records or the time."""
        await self._reader.wait(lambda: self._places, lambda: not self._places, timeout_s)

    async def close(self) -> None:
        """Disconnect."""
        self._places = []
        self._engine.bell.ring()
        await self._reader.close()
