"""Processes that stop, die or come back: nothing is lost, nothing is done twice."""

from __future__ import annotations

import asyncio
import random
import signal
from typing import TYPE_CHECKING

import pytest

from services.bus.ports import Message
from services.bus.sqlite import SqliteBus
from services.bus.sqlite.bus import wall_clock_ms
from services.bus.topics import DAY_MS, FEED_STATE, STORIES, VERDICTS
from tests.bus_process import finish, heard, start, tell

if TYPE_CHECKING:
    from pathlib import Path

LEASE_S = 0.6


async def filled(path: Path, count: int) -> None:
    """Make a log with numbered stories, over all partitions."""
    bus = await SqliteBus.open(str(path))
    await bus.append([Message(STORIES.name, n % 8, str(n), str(n).encode()) for n in range(count)])
    await bus.close()


async def results(path: Path) -> list[int]:
    """Return the numbers of all verdicts, sorted."""
    bus = await SqliteBus.open(str(path))
    numbers = [int(record.value or b"-1") async for record in bus.read(VERDICTS.name)]
    await bus.close()
    return sorted(numbers)


async def drain_as(path: Path, lease_s: float) -> None:
    """Own everything and transform it in this process."""
    bus = await SqliteBus.open(str(path), lease_s=lease_s)
    membership = await bus.join("g", [STORIES.name])
    while len(await membership.lanes()) < 8:
        await membership.wait(0.05)
    for lane in await membership.lanes():
        batch = await lane.poll()
        async with lane.transaction(batch) as outbox:
            outbox.send_all(Message(VERDICTS.name, 0, r.key, r.value) for r in batch.records)
    await bus.close()


async def test_a_process_stopped_past_its_lease_cannot_commit(tmp_path: Path) -> None:
    """Another takes over while it is stopped; continued, it finds its lane lost, and nothing is doubled."""
    path = tmp_path / "bus.db"
    await filled(path, 40)
    zombie = start("commit-late", path, LEASE_S)
    try:
        assert heard(zombie) == "polled"
        zombie.send_signal(signal.SIGSTOP)
        await asyncio.wait_for(drain_as(path, LEASE_S), 10)
        zombie.send_signal(signal.SIGCONT)
        tell(zombie)
        assert heard(zombie) == "lost"
    finally:
        finish(zombie)
    assert await results(path) == list(range(40))


async def test_a_process_that_was_only_slow_may_commit(tmp_path: Path) -> None:
    """Past its lease, but with nobody in its place, work is not wasted."""
    path = tmp_path / "bus.db"
    await filled(path, 8)
    slow = start("commit-late", path, 0.01)
    try:
        assert heard(slow) == "polled"
        tell(slow)
        assert heard(slow) == "committed"
    finally:
        finish(slow)
    assert await results(path) == [0]


async def test_a_killed_process_is_replaced_at_once(tmp_path: Path) -> None:
    """Its lease would last an hour, but its process is gone: the next one owns everything within a second."""
    path = tmp_path / "bus.db"
    await filled(path, 8)
    victim = start("commit-late", path, 3_600)
    try:
        assert heard(victim) == "polled"
        victim.kill()
        await asyncio.wait_for(drain_as(path, 3_600), 10)
    finally:
        finish(victim)
    assert await results(path) == list(range(8))


async def transformed_with_kills(path: Path, kills: int, chance: random.Random) -> None:
    """Let process after process transform, each killed after a few commits, the last one not."""
    for _ in range(kills):
        process = start("transform", path, 3_600)
        for _ in range(chance.randrange(1, 9)):
            if heard(process) == "done":
                break
        finish(process)
    last = start("transform", path, 3_600)
    while heard(last) != "done":
        pass
    finish(last)


async def test_kill_9_leaves_each_record_transformed_once(tmp_path: Path) -> None:
    """Killed at any moment and started again: the outputs are those of an undisturbed run."""
    path = tmp_path / "bus.db"
    await filled(path, 300)
    await transformed_with_kills(path, 2, random.Random(1))
    assert await results(path) == list(range(300))


@pytest.mark.chaos
@pytest.mark.timeout(300)
async def test_kill_9_again_and_again(tmp_path: Path) -> None:
    """The same with many kills, two processes at a time."""
    path = tmp_path / "bus.db"
    await filled(path, 3_000)
    chance = random.Random(2)
    other = start("transform", path, 3_600, listen=False)
    await transformed_with_kills(path, 40, chance)
    finish(other)
    await transformed_with_kills(path, 0, chance)
    assert await results(path) == list(range(3_000))


@pytest.mark.chaos
@pytest.mark.timeout(300)
async def test_processes_stopped_at_random_double_nothing(tmp_path: Path) -> None:
    """Two processes share the work while one or the other is stopped past its lease, outside or inside a commit."""
    path = tmp_path / "bus.db"
    await filled(path, 30_000)
    chance = random.Random(3)
    pair = [start("transform", path, LEASE_S, listen=False) for _ in range(2)]
    bus = await SqliteBus.open(str(path))
    quiet = await bus.tail([STORIES.name], start=False)
    while any((await bus.lag("g", STORIES.name)).values()):
        stopped = chance.choice(pair)
        stopped.send_signal(signal.SIGSTOP)
        await quiet.wait(LEASE_S * chance.uniform(0.5, 2))
        stopped.send_signal(signal.SIGCONT)
        await quiet.wait(chance.uniform(0, 0.1))
    await bus.close()
    for process in pair:
        finish(process)
    assert await results(path) == list(range(30_000))


@pytest.mark.chaos
@pytest.mark.timeout(300)
async def test_upkeep_beside_working_processes_harms_nothing(tmp_path: Path) -> None:
    """Compaction and checkpoints run all the while: outputs, state and the file itself are whole."""
    path = tmp_path / "bus.db"
    await filled(path, 30_000)
    workers = [start("transform", path, 10, listen=False) for _ in range(3)]
    keeper = await SqliteBus.open(str(path), clock_ms=lambda: wall_clock_ms() + DAY_MS)
    removed = 0
    quiet = await keeper.tail([STORIES.name], start=False)
    while any((await keeper.lag("g", STORIES.name)).values()):
        removed += (await keeper.maintain()).removed
        await quiet.wait(0.02)
    await keeper.close()
    for worker in workers:
        finish(worker)
    assert removed > 1_000
    assert await results(path) == list(range(30_000))
    await assert_whole(path)


async def assert_whole(path: Path) -> None:
    """Check the file's integrity, and that each lane's state is what was committed with its offset."""
    bus = await SqliteBus.open(str(path))
    lanes = await (await bus.join("g", [STORIES.name])).lanes()
    reached = [[int(r.value or b"") async for r in lane.restore(FEED_STATE.name)] for lane in lanes]
    ends = await bus.ends(STORIES.name)
    assert reached == [[ends[lane.partition]] for lane in lanes]
    connection = bus._engine.store.connection
    assert await bus._engine.run(lambda: connection.pragma("integrity_check")) == "ok"
    await bus.close()
