"""A worker of its own for chaos on Kafka: ``python -m tests.kafka_process ADDRESS PREFIX``.

It copies stories to verdicts and keeps how many it has seen as state of its lane, restored at each take-over.
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
from services.bus.ports import BusUnavailable, Lane, LaneLost, Message
from services.bus.topics import FEED_STATE, STORIES, VERDICTS

ROOT = Path(__file__).parents[1]
GROUP = "chaos"
COUNT = "count"
SESSION_S = 6.0
RECORDS_MAX = 200
WAIT_S = 0.5


def start(address: str, prefix: str) -> subprocess.Popen[bytes]:
    """Start a worker; what it says on stderr is the test's to show."""
    command = [sys.executable, "-m", "tests.kafka_process", address, prefix]
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


async def work_lane(lane: Lane, counts: dict[Lane, int]) -> None:
    """Copy what the lane has; each verdict carries its number within the lane."""
    if lane not in counts:
        counts[lane] = await count_of(lane)
    while (batch := await lane.poll(RECORDS_MAX)).records:
        number = counts[lane]
        async with lane.transaction(batch) as outbox:
            for number, record in enumerate(batch.records, start=number + 1):  # noqa: B020
                headers = (("number", f"{lane.partition}/{number}".encode()),)
                outbox.send(Message(VERDICTS.name, 0, record.key, record.value, headers))
            outbox.send(Message(FEED_STATE.name, lane.partition, COUNT, str(number).encode()))
        counts[lane] = number


async def turn(bus: KafkaBus, stop: asyncio.Event) -> None:
    """Work until told to stop; a log that is away is waited for."""
    membership = await bus.join(GROUP, [STORIES.name])
    counts: dict[Lane, int] = {}
    while not stop.is_set():
        try:
            lanes = await membership.lanes()
            counts = {lane: count for lane, count in counts.items() if lane in lanes}
            for lane in lanes:
                try:
                    await work_lane(lane, counts)
                except LaneLost:
                    counts.pop(lane, None)
                except BusUnavailable:
                    counts.pop(lane, None)
                    raise
            await membership.wait(WAIT_S)
        except BusUnavailable as error:
            sys.stderr.write(f"{error}\n")
            await asyncio.wait({asyncio.ensure_future(stop.wait())}, timeout=WAIT_S)


async def main(address: str, prefix: str) -> None:
    """Open, work, close."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    while not stop.is_set():
        try:
            bus = await KafkaBus.open(cluster(address, prefix))
        except BusUnavailable:
            await asyncio.wait({asyncio.ensure_future(stop.wait())}, timeout=WAIT_S)
            continue
        try:
            await turn(bus, stop)
        except BusUnavailable as error:
            sys.stderr.write(f"{error}\n")
        finally:
            await bus.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
