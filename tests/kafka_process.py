"""A worker of its own for chaos on Kafka: ``python -m tests.kafka_process ADDRESS PREFIX [CALLS]``.

It copies stories to verdicts and keeps how many it has seen as state of its lane, restored at each take-over. How
long its calls of the log took is written to the file CALLS.
"""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

from services.bus.kafka import KafkaBus
from services.bus.kafka.engine import Cluster
from services.bus.kafka.names import Names
from services.bus.ports import BusUnavailable, Lane, LaneLost, Membership
from services.bus.topics import FEED_STATE, STORIES
from tests.kafka_calls import Calls
from tests.relay import copies

ROOT = Path(__file__).parents[1]
GROUP = "chaos"
SESSION_S = 6.0
RECORDS_MAX = 200
WAIT_S = 0.5


def start(address: str, prefix: str, calls: Path | None = None) -> subprocess.Popen[bytes]:
    """Start a worker; what it says on stderr is the test's to show."""
    command = [sys.executable, "-m", "tests.kafka_process", address, prefix, *([str(calls)] if calls else [])]
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL)


def cluster(address: str, prefix: str) -> Cluster:
    """Return the cluster of a worker."""
    return Cluster(address, Names(prefix, "chaos"), session_s=SESSION_S, heartbeat_s=0.3)


async def count_of(lane: Lane) -> int:
    """Restore how many records the lane has copied."""
    count = 0
    async for record in lane.restore(FEED_STATE.name):
        count = int(record.value or b"0")
    return count


class Worker:
    """One process of the group."""

    def __init__(self, bus: KafkaBus, stop: asyncio.Event, calls: Calls) -> None:
        """Take an open log."""
        self._bus = bus
        self._stop = stop
        self._calls = calls
        self._counts: dict[Lane, int] = {}

    async def work_lane(self, lane: Lane) -> None:
        """Copy what the lane has; each verdict carries its number within the lane."""
        calls, counts = self._calls, self._counts
        if lane not in counts:
            counts[lane] = await calls.of("restore", count_of(lane))
        while (batch := await calls.of("poll", lane.poll(RECORDS_MAX))).records:
            copied = copies(batch.records, lane.partition, counts[lane])
            with calls.timed("commit"):
                async with lane.transaction(batch) as outbox:
                    outbox.send_all(copied)
            counts[lane] += len(batch.records)

    async def turn(self) -> None:
        """Work until told to stop; a log that is away is waited for."""
        membership = await self._calls.of("join", self._bus.join(GROUP, [STORIES.name]))
        while not self._stop.is_set():
            try:
                await self._round(membership)
                await self._calls.of("wait", membership.wait(WAIT_S), WAIT_S)
            except BusUnavailable as error:
                sys.stderr.write(f"{error}\n")
                await rest(self._stop)

    async def _round(self, membership: Membership) -> None:
        lanes = await self._calls.of("lanes", membership.lanes())
        self._counts = {lane: count for lane, count in self._counts.items() if lane in lanes}
        for lane in lanes:
            try:
                await self.work_lane(lane)
            except LaneLost:
                self._counts.pop(lane, None)
            except BusUnavailable:
                self._counts.pop(lane, None)
                raise


async def rest(stop: asyncio.Event) -> None:
    """Wait a moment, or until told to stop."""
    stopped = asyncio.ensure_future(stop.wait())
    await asyncio.wait({stopped}, timeout=WAIT_S)
    stopped.cancel()


async def main(address: str, prefix: str, path: str = "") -> None:
    """Open, work, close."""
    stop, calls = asyncio.Event(), Calls(Path(path) if path else None)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    while not stop.is_set():
        try:
            bus = await calls.of("open", KafkaBus.open(cluster(address, prefix)))
        except BusUnavailable:
            await rest(stop)
            continue
        try:
            await Worker(bus, stop, calls).turn()
        except BusUnavailable as error:
            sys.stderr.write(f"{error}\n")
        finally:
            await calls.of("close", bus.close())


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
