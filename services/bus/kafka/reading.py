"""Reading partitions whole, without a group: tables, and the restore of a lane's state. The end is a position."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import TYPE_CHECKING

from services.bus.kafka.reader import Reader
from services.bus.ports import BATCH_RECORDS_MAX, BusUnavailable, Record

if TYPE_CHECKING:
    from aiokafka import TopicPartition

    from services.bus.kafka.engine import Engine


async def whole(engine: Engine, places: Sequence[TopicPartition]) -> AsyncGenerator[Record, None]:
    """Read partitions, one after another, from their starts to the ends seen at the call, tombstones included.

    Never "until the last offset": markers and compaction leave holes, and an end may be one.
    """
    await engine.look_behind_own(places)
    ends = {place: engine.ends[place] for place in places if engine.ends[place]}
    if not ends:
        return
    reader = await Reader.open(engine, dict.fromkeys(ends))
    try:
        for place, end in ends.items():
            reader.seek(place, 0)
            while True:
                await reader.fill([place], BATCH_RECORDS_MAX)
                for record in reader.take(place):
                    if record.offset < end:
                        yield record
                if reader.positions[place] >= end:
                    break
                if (
                    engine.ends[place] < end
                ):  # a broker lost its last records: what was to be read is not there
                    message = f"{place.topic}/{place.partition}: the log is shorter than it was"
                    raise BusUnavailable(message)
            reader.leave(place)
    finally:
        await reader.close()


async def latest(engine: Engine, place: TopicPartition) -> AsyncGenerator[Record, None]:
    """Read the latest record of each key, in order of offset; keys that ended do not appear.

    What has no outcome yet is waited for: a state that lacks its last transaction does not fit the offset.
    """
    await engine.look_behind_all(place)
    records: dict[str, Record] = {}
    async for record in whole(engine, [place]):
        records.pop(record.key, None)
        if record.value is not None:
            records[record.key] = record
    for record in records.values():
        yield record
