"""Reading a topic whole: it ends where the log ended, and no reader is left behind."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from typing import Any

import pytest
from aiokafka import TopicPartition

from services.bus.kafka import reading
from services.bus.kafka.bus import KafkaBus
from services.bus.kafka.engine import Cluster, Engine
from services.bus.kafka.reader import Reader
from services.bus.ports import BusUnavailable, Record
from services.bus.topics import ALERTS

PLACE = TopicPartition("tumen.alerts.v1", 0)
END = 3


class ShortReader:
    """Finds one record where three were: a broker came back without the others."""

    def __init__(self, engine: Engine) -> None:
        """Begin at the start."""
        self.engine = engine
        self.positions = {PLACE: 0}
        self.closed = False

    def seek(self, place: TopicPartition, position: int) -> None:
        """Begin at a position."""
        self.positions[place] = position

    async def fill(self, places: Sequence[TopicPartition], records: int) -> None:
        """Learn what is left of the log."""
        self.engine.ends[PLACE] = END - 2

    def take(self, place: TopicPartition) -> list[Record]:
        """Return what is there and was not taken."""
        offsets = range(self.positions[place], self.engine.ends[PLACE])
        self.positions[place] = self.engine.ends[PLACE]
        return [Record(ALERTS.name, 0, offset, "k", b"x", (), 0) for offset in offsets]

    async def close(self) -> None:
        """Disconnect."""
        self.closed = True


@pytest.fixture
async def engine() -> AsyncIterator[Engine]:
    """Return the shared parts on a cluster with one topic, whose log has three records."""
    engine = Engine(Cluster("127.0.0.1:1"))

    async def described(_: Sequence[str]) -> list[dict[str, Any]]:
        return [{"topic": PLACE.topic, "error_code": 0, "partitions": [{}]}]

    async def ends(places: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(places, END)

    engine.admin.describe_topics = described
    engine.control.end_offsets = ends
    await engine.refresh_topics()
    yield engine
    await engine.stop()


@pytest.fixture
async def reader(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> ShortReader:
    """Return the reader that whoever reads is given."""
    reader = ShortReader(engine)

    async def opened(_: Engine, positions: Mapping[TopicPartition, int | None]) -> ShortReader:
        return reader

    monkeypatch.setattr(Reader, "open", opened)
    return reader


async def test_a_log_that_became_shorter_is_said_and_asked_anew(engine: Engine, reader: ShortReader) -> None:
    """Where a broker lost its last records, who reads is told, with the process free to do other things meanwhile."""
    with pytest.raises(BusUnavailable, match="shorter than it was"):
        _ = [record async for record in reading.whole(engine, [PLACE])]
    assert reader.closed


async def test_whoever_has_found_what_he_wanted_leaves_no_reader_behind(
    engine: Engine, reader: ShortReader
) -> None:
    """A command that looks for one record is done when it has it: nothing goes on while the log is closed."""
    records = KafkaBus(engine).read(ALERTS.name)
    assert isinstance(records, AsyncGenerator)
    assert (await anext(records)).offset == 0
    await records.aclose()
    assert reader.closed
