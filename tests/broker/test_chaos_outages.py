"""Chaos C: the broker is gone, frozen, one of three out of disk. Nothing hangs or spins, and the audit is the same."""

from __future__ import annotations

import asyncio
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import kafka_process
from tests.kafka_broker import Broker, jars, running, running_cluster
from tests.kafka_calls import Calls, slowest
from tests.kafka_chaos import Feed, Workers, audit, prepared, settled
from tests.pause import nap

if TYPE_CHECKING:
    from tests.chaos_plan import ChaosPlan

pytestmark = [pytest.mark.broker, pytest.mark.chaos, pytest.mark.timeout(420)]

RECORDS_PER_S = 240
ENOUGH = 1_200
"""So many records are fed before the broker is hurt, and so many after it is back."""
GONE_S, GONE_LONG_S = 10.0, 60.0
FROZEN_S, FROZEN_LONG_S = 8.0, 20.0
CPU_SHARE_MAX = 0.25
"""Of one core, for each process, while Kafka is away: no spin."""
DISK_MB = 96
LEFT_KB = 512
"""What the filler leaves free: the load uses it up within seconds."""
END_S = 60.0
IN_STEP_S = 60.0


@dataclass(frozen=True, slots=True)
class Load:
    """What goes on while the broker is hurt."""

    feed: Feed
    workers: Workers

    async def fed(self) -> None:
        """Wait until as many records again were fed."""
        await self.feed.reached(self.feed.total + ENOUGH)

    async def away(self, seconds: float) -> None:
        """Let the broker be away; the workers wait, and do not spin."""
        used = self.workers.cpu_s()
        await nap(seconds)
        share = (self.workers.cpu_s() - used) / seconds / len(self.workers.processes)
        sys.stdout.write(f"away {seconds:g} s, {share:.1%} of a core for each worker\n")
        assert share < CPU_SHARE_MAX


@asynccontextmanager
async def load(address: str, prefix: str, folder: Path) -> AsyncIterator[Load]:
    """Feed and copy for the block, then let everything settle, and audit."""
    bus = await prepared(kafka_process.cluster(address, prefix))
    workers = Workers(address, prefix, folder)
    feed, over = Feed(bus, RECORDS_PER_S, Calls(folder / "calls-feed")), asyncio.Event()
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(feed.run(over))
            await feed.reached(ENOUGH)
            under = Load(feed, workers)
            yield under
            await under.fed()
            over.set()
        await settled(bus)
        await workers.finish()
        await audit(bus, feed.total)
    finally:
        workers.end()
        await bus.close()
    slow = slowest([*workers.calls, folder / "calls-feed"])
    sys.stdout.write(f"{feed.total} records, slowest calls in s: {slow}\n")


@pytest.fixture(scope="module")
def hurt() -> Iterator[Broker]:
    """Boot a broker that may be hurt."""
    with running() as started:
        yield started


async def test_a_broker_that_is_gone_is_waited_for(
    hurt: Broker, tmp_path: Path, chaos_plan: ChaosPlan
) -> None:
    """Killed, and back after a while: the same processes go on by themselves."""
    async with load(hurt.address, "gone", tmp_path) as under:
        await asyncio.to_thread(hurt.kill)
        await under.away(GONE_LONG_S if chaos_plan.long else GONE_S)
        await asyncio.to_thread(hurt.start)


async def test_a_frozen_network_is_waited_for(hurt: Broker, tmp_path: Path, chaos_plan: ChaosPlan) -> None:
    """Connections stay open and nothing answers; afterwards old requests may still be worked off, and do no harm."""
    async with load(hurt.address, "frozen", tmp_path) as under:
        hurt.signal(signal.SIGSTOP)
        try:
            await under.away(FROZEN_LONG_S if chaos_plan.long else FROZEN_S)
        finally:
            hurt.signal(signal.SIGCONT)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a small file system; skip where that is not allowed."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("may not mount a small file system here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Write a file that leaves little room."""
    filler = folder / "filler"
    room = shutil.disk_usage(folder).free - LEFT_KB * 1024
    filler.write_bytes(bytes(max(room, 0)))
    return filler


async def ended(broker: Broker) -> bool:
    """Wait until a node has ended by itself."""
    clock = asyncio.get_running_loop().time
    deadline = clock() + END_S
    while broker.alive() and clock() < deadline:
        await nap(0.2)
    return not broker.alive()


async def test_one_of_three_nodes_out_of_disk_comes_back_with_room(small_disk: Path, tmp_path: Path) -> None:
    """Its log is full, so it ends; the others go on, and with some space it catches up: nothing is lost or twice.

    Three copies, because one broker alone with a full disk does not keep its word (docs/kafka.md, "One broker alone").
    """
    jars()
    with running_cluster("log.index.size.max.bytes=65536", disks={1: small_disk / "kafka"}) as cluster:
        full = cluster.nodes[0]
        async with load(cluster.address, "full", tmp_path) as under:
            filler = await asyncio.to_thread(fill, small_disk)
            assert await ended(full), "the node bears a full disk"
            await under.fed()
            filler.unlink()
            await asyncio.to_thread(full.start)
            await asyncio.to_thread(cluster.await_in_step, IN_STEP_S)
