"""Readers without a group: they follow topics from their start or from now on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from services.bus.ports import BATCH_RECORDS_MAX, Record

if TYPE_CHECKING:
    from services.bus.sqlite.engine import Engine
    from services.bus.sqlite.store import Place


class SqliteTail:
    """Positions in memory; nothing of a tail is in the database."""

    def __init__(self, engine: Engine, positions: dict[Place, int]) -> None:
        """Take where to begin in each partition."""
        self._engine = engine
        self._positions = positions

    async def poll(self, records_max: int = BATCH_RECORDS_MAX) -> Sequence[Record]:
        """Return the next records; unchanged topics are empty without a query."""
        if not self._unread() and self._engine.fresh():
            return ()
        records, reached = await self._engine.run(lambda: self._fetch(records_max))
        self._positions |= reached  # only now: a poll that is cancelled has taken nothing
        return records

    def _fetch(self, records_max: int) -> tuple[list[Record], dict[Place, int]]:
        self._engine.look()
        store = self._engine.store
        records: list[Record] = []
        reached: dict[Place, int] = {}
        for place, start in tuple(self._positions.items()):
            end = store.ends[place.id]
            if len(records) >= records_max:
                break
            if start >= end:
                continue
            page = store.fetch(place, start, end, records_max - len(records))
            reached[place] = page[-1].offset + 1 if page else end
            records += page
        return records, reached

    async def wait(self, timeout_s: float) -> None:
        """Wait for records or the time."""
        await self._engine.wait_until(self._unread, timeout_s)

    def _unread(self) -> bool:
        ends = self._engine.store.ends
        return any(start < ends[place.id] for place, start in self._positions.items())

    async def close(self) -> None:
        """Hold nothing; a tail's partitions are forgotten."""
        self._positions = {}
