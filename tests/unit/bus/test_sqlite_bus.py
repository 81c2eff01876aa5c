"""What SqliteBus promises beyond the port: its thread, its cache, its file."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path
from time import monotonic

import apsw
import pytest

from services.bus.ports import Bus, Message
from services.bus.sqlite import SqliteBus, schema
from services.bus.sqlite.identity import new_identity, surely_dead
from services.bus.topics import STORIES, VERDICTS
from tests.bus_process import finish, heard, start


async def test_it_is_a_bus() -> None:
    """The type checker holds it against the port."""
    bus: Bus = await SqliteBus.open(":memory:")
    assert isinstance(bus, SqliteBus)
    await bus.close()


async def test_closing_ends_the_thread_and_may_be_repeated() -> None:
    """Nothing of a bus is left behind."""
    before = set(threading.enumerate())
    bus = await SqliteBus.open(":memory:")
    [thread] = set(threading.enumerate()) - before
    await asyncio.gather(bus.close(), bus.close())
    thread.join(5)
    assert not thread.is_alive()


async def test_an_unchanged_partition_is_empty_without_asking(monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo polls tens of thousands of times: an empty lane or tail does not even wake the thread."""
    bus = await SqliteBus.open(":memory:")
    lanes = await (await bus.join("g", [STORIES.name])).lanes()
    tail = await bus.tail([VERDICTS.name])
    jobs = bus._engine.worker._jobs
    monkeypatch.setattr(bus._engine.worker, "_jobs", None)
    for lane in lanes:
        assert (await lane.poll()).records == ()
    assert await tail.poll() == ()
    monkeypatch.setattr(bus._engine.worker, "_jobs", jobs)
    await bus.close()


async def test_the_event_loop_goes_on_while_the_lock_is_held(tmp_path: Path) -> None:
    """Waiting for another process's lock happens in the thread, never on the loop."""
    path = tmp_path / "bus.db"
    bus = await SqliteBus.open(str(path), busy_s=5)
    holder = start("hold", path)
    try:
        assert heard(holder) == "held"
        blocked = asyncio.ensure_future(bus.append([Message(STORIES.name, 0, "k", b"")]))
        slowest = await longest_turn(0.3)
        assert not blocked.done()
        assert slowest < 0.2
    finally:
        finish(holder)
    await blocked
    assert (await bus.ends(STORIES.name))[0] == 1
    await bus.close()


async def longest_turn(for_s: float) -> float:
    """Return the longest time between two turns of the event loop."""
    loop = asyncio.get_running_loop()
    started = last = monotonic()
    longest = 0.0
    while monotonic() - started < for_s:
        turn = loop.create_future()
        loop.call_later(0.005, turn.set_result, None)
        await turn
        longest = max(longest, monotonic() - last)
        last = monotonic()
    return longest


async def test_the_same_batch_is_not_committed_twice() -> None:
    """A caller that commits a batch again is stopped before it doubles the outputs."""
    bus = await SqliteBus.open(":memory:")
    await bus.append([Message(STORIES.name, 0, "k", b"")])
    lane = (await (await bus.join("g", [STORIES.name])).lanes())[0]
    batch = await lane.poll()
    async with lane.transaction(batch) as outbox:
        outbox.send(Message(VERDICTS.name, 0, "k", b""))
    with pytest.raises(ValueError, match="offset 0 was committed before"):
        async with lane.transaction(batch) as outbox:
            outbox.send(Message(VERDICTS.name, 0, "k", b""))
    assert (await bus.ends(VERDICTS.name))[0] == 1
    await bus.close()


async def test_the_number_of_shards_is_the_files(tmp_path: Path) -> None:
    """A file keeps the partitions it was made with: they hold hosts, which must not move."""
    path = str(tmp_path / "bus.db")
    first = await SqliteBus.open(path, shards=3)
    assert (await first.partitions(STORIES.name), await first.partitions(VERDICTS.name)) == (3, 1)
    await first.close()
    second = await SqliteBus.open(path, shards=8)
    assert await second.partitions(STORIES.name) == 3
    await second.close()


async def test_many_open_a_new_file_at_once(tmp_path: Path) -> None:
    """The tables are made once, whoever comes first."""
    path = str(tmp_path / "bus.db")
    buses = await asyncio.gather(*(SqliteBus.open(path) for _ in range(6)))
    await asyncio.gather(*(bus.append([Message(STORIES.name, 0, "k", b"")]) for bus in buses))
    assert (await buses[0].ends(STORIES.name))[0] == 6
    for bus in buses:
        await bus.close()


async def test_the_file_says_what_it_is(tmp_path: Path) -> None:
    """Our application id and version; commits are synchronous unless the database is thrown away."""
    path = str(tmp_path / "bus.db")
    levels = []
    for durable in (True, False):
        bus = await SqliteBus.open(path, durable=durable)
        connection = bus._engine.store.connection
        levels.append(await bus._engine.run(lambda c=connection: c.pragma("synchronous")))  # type: ignore[misc]
        await bus.close()
    assert levels == [2, 0]
    plain = apsw.Connection(path)
    assert plain.pragma("application_id") == schema.APPLICATION_ID
    assert plain.pragma("user_version") == len(schema.MIGRATIONS)
    plain.close()


def test_a_living_process_is_not_buried() -> None:
    """Only a process that is certainly gone counts as dead."""
    mine = new_identity()
    place, pid, started, random = mine.split(":")
    assert not surely_dead(mine)
    assert not surely_dead(f"elsewhere:{pid}:{started}:{random}")
    assert not surely_dead("nonsense")
    assert not surely_dead(f"{place}:1::{random}")
    if started:
        assert surely_dead(f"{place}:{pid}:{int(started) - 1}:{random}")


async def test_a_process_that_ended_is_dead(tmp_path: Path) -> None:
    """Also while nobody has yet asked for its exit status."""
    process = start("hold", tmp_path / "any.db")
    assert heard(process) == "held"
    place, _, rest = new_identity().partition(":")
    identity = f"{place}:{process.pid}::{rest}"
    assert not surely_dead(identity)
    os.kill(process.pid, 9)
    finish(process)
    assert surely_dead(identity)
