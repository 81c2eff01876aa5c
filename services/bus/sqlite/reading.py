"""Reading partitions page by page, without a group: tables, tails and the restore of a lane's state."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from services.bus.ports import BATCH_RECORDS_MAX, Record

if TYPE_CHECKING:
    from services.bus.sqlite.engine import Engine
    from services.bus.sqlite.store import Place


async def whole(engine: Engine, place: Place, end: int) -> AsyncIterator[Record]:
    """Read a partition from its start to an end, tombstones included."""
    start = 0
    while start < end:
        page = await engine.run(lambda start=start: engine.store.fetch(place, start, end, BATCH_RECORDS_MAX))  # type: ignore[misc]
        if not page:
            return
        for record in page:
            yield record
        start = page[-1].offset + 1


async def latest(engine: Engine, place: Place) -> AsyncIterator[Record]:
    """Read the latest record of each key, in order of offset; keys that ended do not appear.

    It reads on to the end as it is when it gets there: a key that is written again meanwhile appears again,
    later, and is never missed.
    """
    if not place.compacted:
        async for record in _latest_by_hand(engine, place):
            yield record
        return
    start = 0
    while True:
        page = await engine.run(lambda start=start: _page(engine, place, start))  # type: ignore[misc]
        if not page:
            return
        for record in page:
            if record.value is not None:
                yield record
        start = page[-1].offset + 1


def _page(engine: Engine, place: Place, start: int) -> list[Record]:
    engine.look()
    return engine.store.fetch_latest(place, start, engine.store.ends[place.id], BATCH_RECORDS_MAX)


async def _latest_by_hand(engine: Engine, place: Place) -> AsyncIterator[Record]:
    """Do the same for a topic that keeps every record: the dictionary is as large as the topic has keys."""
    records: dict[str, Record] = {}
    await engine.run(engine.look)
    async for record in whole(engine, place, engine.store.ends[place.id]):
        records.pop(record.key, None)
        if record.value is not None:
            records[record.key] = record
    for record in records.values():
        yield record
