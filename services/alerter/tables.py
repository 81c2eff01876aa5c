"""Subscribers and silences: small topics read whole, the latest record of each key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from schemas.common import Wire
from services.bus.codec import Undecodable, decode
from services.obs.records import skipped

if TYPE_CHECKING:
    from collections.abc import Collection

    from services.bus.ports import Record, Tail
    from services.obs.metrics import Metrics

M = TypeVar("M", bound=Wire)


class Table(Generic[M]):
    """One compacted topic as a table. A record that cannot be read leaves the last good one in force."""

    def __init__(self, tail: Tail, model: type[M], metrics: Metrics) -> None:
        """Take a tail from the topic's start."""
        self._tail = tail
        self._model = model
        self._metrics = metrics
        self._rows: dict[str, M] = {}

    async def refresh(self) -> None:
        """Read to the end."""
        while records := await self._tail.poll():
            for record in records:
                self._take(record)

    def get(self, key: str) -> M | None:
        """Return a row."""
        return self._rows.get(key)

    def rows(self) -> Collection[M]:
        """Return all rows."""
        return self._rows.values()

    async def close(self) -> None:
        """Release the tail."""
        await self._tail.close()

    def _take(self, record: Record) -> None:
        if record.value is None:
            self._rows.pop(record.key, None)
        elif (row := readable(record, self._model, self._metrics)) is not None:
            self._rows[record.key] = row


def readable(record: Record, model: type[M], metrics: Metrics) -> M | None:
    """Return the model of a record that nobody commits; one that cannot be read is counted, logged and None."""
    try:
        return decode(record, model)
    except Undecodable as error:
        skipped(record, "table_undecodable", error.detail, metrics)
        return None
