"""The embedded bus: appending, transforming exactly once, waking other processes, and doing nothing.

The bare loop is apsw with its defaults (WAL, synchronous=FULL) and the plainest table that could hold the records.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from time import CLOCK_MONOTONIC, clock_gettime_ns, perf_counter

import apsw

from bench.figures import Figure
from services.bus.ports import Lane, Message
from services.bus.sqlite import SqliteBus
from services.bus.topics import STORIES, VERDICTS

ROOT = Path(__file__).parents[1]
RECORDS = 40_000
BATCH = 500
VALUE = b'{"title": "' + b"x" * 2_000 + b'"}'
HEADERS = tuple(
    (name, value)
    for name, value in (
        ("ce_id", b"0" * 32),
        ("ce_type", b"tumen.stories"),
        ("ce_source", b"tumen/poller"),
        ("ce_time", b"2026-05-12T03:00:00.000Z"),
        ("traceparent", b"00-" + b"0" * 32 + b"-" + b"0" * 16 + b"-01"),
        ("content-type", b"application/json"),
        ("ce_specversion", b"1.0"),
    )
)
PINGS = 200
PING_EVERY_S = 0.02
WRITERS = 5
IDLE_S = 10.0
SERVICES = 5


def messages(topic: str, start: int, count: int = BATCH) -> list[Message]:
    """Return records of 2 KB."""
    return [Message(topic, 0, f"{n:032x}", VALUE, HEADERS) for n in range(start, start + count)]


def bare_append(path: Path) -> float:
    """Return the records a second of a loop that only inserts."""
    connection = apsw.Connection(str(path))
    connection.pragma("journal_mode", "wal")
    connection.pragma("synchronous", "FULL")
    connection.execute("CREATE TABLE log (id INTEGER PRIMARY KEY, key TEXT, value BLOB)")
    started = perf_counter()
    for start in range(0, RECORDS, BATCH):
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(
            "INSERT INTO log VALUES (?, ?, ?)", [(n, f"{n:032x}", VALUE) for n in range(start, start + BATCH)]
        )
        connection.execute("COMMIT")
    rate = RECORDS / (perf_counter() - started)
    connection.close()
    return rate


def bare_transform(path: Path) -> float:
    """Return the records a second of a loop that reads the table, writes a second one and an offset."""
    connection = apsw.Connection(str(path))
    connection.pragma("synchronous", "FULL")
    connection.execute("CREATE TABLE copy (id INTEGER PRIMARY KEY, key TEXT, value BLOB)")
    connection.execute("CREATE TABLE position (id INTEGER PRIMARY KEY, at INTEGER)")
    started = perf_counter()
    for start in range(0, RECORDS, BATCH):
        rows = connection.execute(
            "SELECT id, key, value FROM log WHERE id >= ? ORDER BY id LIMIT ?", (start, BATCH)
        ).fetchall()
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO copy VALUES (?, ?, ?)", rows)
        connection.execute("INSERT OR REPLACE INTO position VALUES (0, ?)", (start + BATCH,))
        connection.execute("COMMIT")
    rate = RECORDS / (perf_counter() - started)
    connection.close()
    return rate


async def append(bus: SqliteBus) -> float:
    """Return the records a second that the bus appends."""
    started = perf_counter()
    for start in range(0, RECORDS, BATCH):
        await bus.append(messages(STORIES.name, start))
    return RECORDS / (perf_counter() - started)


async def transform(bus: SqliteBus) -> float:
    """Return the records a second that go from topic to topic, exactly once."""
    membership = await bus.join("bench", [STORIES.name])
    lane: Lane = (await membership.lanes())[0]
    done = 0
    started = perf_counter()
    while (batch := await lane.poll(BATCH)).records:
        async with lane.transaction(batch) as outbox:
            outbox.send_all(Message(VERDICTS.name, 0, r.key, r.value, r.headers) for r in batch.records)
        done += len(batch.records)
    rate = done / (perf_counter() - started)
    await membership.close()
    return rate


async def wake_up(path: Path) -> list[float]:
    """Return the milliseconds from the start of another process's append to its record's arrival here."""
    bus = await SqliteBus.open(str(path))
    tail = await bus.tail([VERDICTS.name], start=False)
    pinger = spawn("ping", path)
    latencies: list[float] = []
    while len(latencies) < PINGS:
        await tail.wait(10)
        arrived = clock_gettime_ns(CLOCK_MONOTONIC)
        latencies += [(arrived - int(record.value or b"0")) / 1e6 for record in await tail.poll()]
    pinger.wait()
    await bus.close()
    return sorted(latencies)


async def ping(path: Path) -> None:
    """Append the time, again and again."""
    bus = await SqliteBus.open(str(path))
    silence = await bus.tail([STORIES.name + ".dlq"])
    for number in range(PINGS):
        await silence.wait(PING_EVERY_S)
        now = str(clock_gettime_ns(CLOCK_MONOTONIC)).encode()
        await bus.append([Message(VERDICTS.name, 0, str(number), now)])
    await bus.close()


async def write(path: Path, each: int) -> None:
    """Append ``each`` records a second, one transaction each ten, until told to end."""
    bus = await SqliteBus.open(str(path))
    silence = await bus.tail([STORIES.name + ".dlq"])
    due = perf_counter()
    while True:
        await bus.append(messages(STORIES.name, 0, 10))
        due = max(due + 10 / each, perf_counter() - 1)
        await silence.wait(max(0.0, due - perf_counter()))


async def idle(path: Path) -> float:
    """Return the percent of a core that five waiting members and tails cost."""
    bus = await SqliteBus.open(str(path))
    members = [await bus.join(f"service {n}", [STORIES.name]) for n in range(SERVICES)]
    tails = [await bus.tail([VERDICTS.name], start=False) for _ in range(SERVICES)]
    for member in members:
        for lane in await member.lanes():
            while (batch := await lane.poll()).records:
                async with lane.transaction(batch):
                    pass
    before = cpu_s()
    await asyncio.gather(*(member.wait(IDLE_S) for member in members), *(tail.wait(IDLE_S) for tail in tails))
    cost = (cpu_s() - before) / IDLE_S * 100
    await bus.close()
    return cost


def cpu_s() -> float:
    """Return the processor seconds of this process."""
    usage = getrusage(RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def spawn(*arguments: object) -> subprocess.Popen[bytes]:
    """Start this module as another process."""
    return subprocess.Popen([sys.executable, "-m", "bench.bus", *map(str, arguments)], cwd=ROOT)


def percentile(values: Sequence[float], part: float) -> float:
    """Return the value below which a part of the sorted values lies."""
    return values[min(len(values) - 1, int(len(values) * part))]


def under_writers(path: Path, each: int) -> list[float]:
    """Return the wake-up latencies while five other processes write."""
    writers = [spawn("write", path, each) for _ in range(WRITERS)]
    try:
        return asyncio.run(wake_up(path))
    finally:
        for writer in writers:
            writer.kill()
            writer.wait()


async def throughput(path: Path) -> tuple[float, float]:
    """Return the rates of append and transform."""
    bus = await SqliteBus.open(str(path))
    rates = await append(bus), await transform(bus)
    await bus.close()
    return rates


def main() -> Iterator[Figure]:
    """Measure everything."""
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        bare = bare_append(here / "bare.db"), bare_transform(here / "bare.db")
        appended, transformed = asyncio.run(throughput(here / "bus.db"))
        yield Figure("bus append, 2 KB, batches of 500", appended, "records/s", bare[0], 0.5, judged="ratio")
        yield Figure("bus exactly-once transform", transformed, "records/s", bare[1], 12_000)
        quiet = asyncio.run(wake_up(here / "quiet.db"))
        yield Figure("wake-up, idle bus, p99", percentile(quiet, 0.99), "ms", None, 20, "at most")
        for each in (200, 1_000):
            busy = under_writers(here / f"busy{each}.db", each)
            name = f"wake-up, 5 writers of {each} records/s, p99"
            yield Figure(name, percentile(busy, 0.99), "ms", None, 250, "at most")
        yield Figure(
            "five idle members and tails",
            asyncio.run(idle(here / "quiet.db")),
            "% of a core",
            None,
            3,
            "at most",
        )


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["ping", path]:
            asyncio.run(ping(Path(path)))
        case ["write", path, each]:
            asyncio.run(write(Path(path), int(each)))
        case _:
            sys.exit("run me as: python -m bench bus")
