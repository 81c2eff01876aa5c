"""The audit of chaos finds what it is there to find: a record lost, doubled or moved, a call past its bound."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from services.bus.ports import Record
from services.bus.topics import STORIES, VERDICTS
from tests import kafka_calls
from tests.kafka_calls import BOUNDS_S, Calls, slowest
from tests.kafka_chaos import check
from tests.live import until

TOTAL, SHARDS = 12, 3


def stories() -> list[Record]:
    """Return what was fed: numbered records over a few partitions."""
    return [Record(STORIES.name, n % SHARDS, n // SHARDS, str(n), b"", (), 0) for n in range(TOTAL)]


def verdicts() -> list[Record]:
    """Return what became of it: each record once, with its number within the partition."""
    return [
        Record(VERDICTS.name, 0, story.offset, story.key, b"", number(story.partition, story.offset + 1), 0)
        for story in stories()
    ]


def number(partition: int, count: int) -> tuple[tuple[str, bytes], ...]:
    """Return the header that a worker writes."""
    return (("number", f"{partition}/{count}".encode()),)


def swapped(records: list[Record]) -> list[Record]:
    """Return two records of one partition in each other's place."""
    first, second = records[0], records[SHARDS]
    return [second, *records[1:SHARDS], first, *records[SHARDS + 1 :]]


def test_what_is_right_passes() -> None:
    """Each record once, each partition in order."""
    check(stories(), verdicts(), TOTAL)
    assert len(verdicts()) == TOTAL


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda records: records[:-1], "1 missing: 11"),
        (lambda records: [*records, records[-1]], "1 double: 11"),
        (lambda records: records[1:], "1 missing: 0"),
        (swapped, "order of a lane: 1 differ: 0: 0 became 3 at 0"),
        (lambda records: [], "12 missing: 0, 1, 10, 11, 2 …"),
    ],
    ids=["last lost", "last doubled", "first lost", "moved", "nothing"],
)
def test_what_is_wrong_is_named(wrong: Callable[[list[Record]], list[Record]], said: str) -> None:
    """On the way in and on the way out: who reads that the audit failed reads which records are at fault."""
    with pytest.raises(AssertionError, match=said):
        check(stories(), wrong(verdicts()), TOTAL)
    if wrong is not swapped:
        with pytest.raises(AssertionError, match=said):
            check(wrong(stories()), verdicts(), TOTAL)


async def test_a_call_past_its_bound_is_written_down_before_it_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that hangs for ever and is killed has said so."""
    monkeypatch.setitem(BOUNDS_S, "poll", 0.02)
    monkeypatch.setattr(kafka_calls, "SLACK_S", 0.0)
    path = tmp_path / "calls"
    hanging = asyncio.ensure_future(Calls(path).of("poll", asyncio.get_running_loop().create_future()))
    await until(path.exists)
    with pytest.raises(AssertionError, match="late"):
        slowest([path])
    hanging.cancel()
    await asyncio.wait({hanging})


async def test_the_slowest_call_of_each_kind_is_known(tmp_path: Path) -> None:
    """From the files of all processes; what was quick is not there."""
    quick = Calls(tmp_path / "quick")
    assert await quick.of("lanes", asyncio.wait({asyncio.ensure_future(asyncio.wait_for(_done(), 1))}))
    (tmp_path / "one").write_text("commit took 3.0\npoll took 1.5\n")
    (tmp_path / "two").write_text("commit took 4.5\n")
    found = slowest([tmp_path / "one", tmp_path / "two", tmp_path / "quick", tmp_path / "none"])
    assert found == {"commit": 4.5, "poll": 1.5}


async def _done() -> None:
    """Be done at once."""
