"""Other processes for tests of the bus: ``python -m tests.bus_process COMMAND PATH …``.

They speak in lines on stdout and, where they wait, go on when a line comes on stdin.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import apsw

from services.bus.ports import BusError, LaneLost, Message
from services.bus.sqlite import SqliteBus
from services.bus.topics import FEED_STATE, STORIES, VERDICTS

ROOT = Path(__file__).parents[1]
NOBODY = 65_534


def start(*arguments: object, listen: bool = True) -> subprocess.Popen[str]:
    """Start one of the commands below; whom nobody listens to speaks into nothing, and never blocks on it."""
    said = subprocess.PIPE if listen else subprocess.DEVNULL
    command = [sys.executable, "-m", "tests.bus_process", *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=said, text=True, bufsize=1)


def heard(process: subprocess.Popen[str]) -> str:
    """Return the next line a process says."""
    assert process.stdout
    return process.stdout.readline().strip()


def tell(process: subprocess.Popen[str]) -> None:
    """Let a waiting process go on."""
    assert process.stdin
    process.stdin.write("go\n")
    process.stdin.flush()


def finish(process: subprocess.Popen[str]) -> None:
    """End a process, whatever it does, and close its pipes."""
    process.kill()
    with process:
        process.wait()


def say(line: object) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def append(path: str, count: int) -> None:
    """Append numbered stories to partition 0."""
    bus = await SqliteBus.open(path)
    await bus.append([Message(STORIES.name, 0, str(n), str(n).encode()) for n in range(count)])
    await bus.close()
    say("done")


async def transform(path: str, lease_s: float) -> None:
    """Copy stories to verdicts and keep how far as state, a few a transaction; end when nothing is left."""
    bus = await SqliteBus.open(path, lease_s=lease_s)
    membership = await bus.join("g", [STORIES.name])
    while any((await bus.lag("g", STORIES.name)).values()):
        for lane in await membership.lanes():
            try:
                while (batch := await lane.poll(3)).records:
                    async with lane.transaction(batch) as outbox:
                        outbox.send_all(Message(VERDICTS.name, 0, r.key, r.value) for r in batch.records)
                        reached = str(batch.next_offset).encode()
                        outbox.send(Message(FEED_STATE.name, lane.partition, "reached", reached))
                    say(batch.next_offset)
            except LaneLost:
                continue
        await membership.wait(0.05)
    await bus.close()
    say("done")


async def commit_late(path: str, lease_s: float) -> None:
    """Poll, wait for a line, then try to commit what was polled."""
    bus = await SqliteBus.open(path, lease_s=lease_s)
    lane = next(lane for lane in await (await bus.join("g", [STORIES.name])).lanes() if lane.partition == 0)
    batch = await lane.poll()
    say("polled")
    sys.stdin.readline()
    try:
        async with lane.transaction(batch) as outbox:
            outbox.send_all(Message(VERDICTS.name, 0, r.key, r.value) for r in batch.records)
        say("committed")
    except LaneLost:
        say("lost")
    await bus.close()


def hold(path: str) -> None:
    """Hold the write lock until a line comes."""
    connection = apsw.Connection(path)
    connection.execute("BEGIN IMMEDIATE")
    say("held")
    sys.stdin.readline()
    connection.execute("ROLLBACK")
    connection.close()
    say("released")


async def try_append(path: str) -> None:
    """Append one story without any privilege of root; say how it went."""
    if os.getuid() == 0:
        os.setuid(NOBODY)
    try:
        bus = await SqliteBus.open(path, busy_s=1)
        await bus.append([Message(STORIES.name, 0, "k", b"1")])
        await bus.close()
        say("appended")
    except BusError as error:
        say(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["append", path, count]:
            asyncio.run(append(path, int(count)))
        case ["transform", path, lease_s]:
            asyncio.run(transform(path, float(lease_s)))
        case ["commit-late", path, lease_s]:
            asyncio.run(commit_late(path, float(lease_s)))
        case ["hold", path]:
            hold(path)
        case ["try-append", path]:
            asyncio.run(try_append(path))
        case _:
            sys.exit(__doc__)
