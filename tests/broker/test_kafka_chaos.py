"""Workers killed, stopped and ended at random, and the broker killed: each record once, in order, as readers see it."""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import sys
from collections import defaultdict
from typing import TYPE_CHECKING

import pytest

from services.bus.kafka import KafkaBus
from services.bus.ports import BusUnavailable, Message
from services.bus.topics import FEED_STATE, STORIES, VERDICTS
from tests import kafka_process
from tests.kafka_broker import Broker, running
from tests.kafka_bus import make_topics

if TYPE_CHECKING:
    from services.bus.ports import Record
    from tests.chaos_plan import ChaosPlan

pytestmark = [pytest.mark.broker, pytest.mark.chaos]

SHARDS = 6
WORKERS = 3
RECORDS_PER_S = 400
FEED_STEP = 40
STOPPED_S = 8.0
"""Past the session: a worker that wakes is a zombie."""
CATCH_UP_S = 45.0
PREFIX = "chaos"
STRIKES = (signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM)


async def feed(bus: KafkaBus, total: int) -> None:
    """Append the records over the time of the chaos; an append with an unknown outcome is asked for in the log."""
    per_step_s = 0.8 * FEED_STEP / RECORDS_PER_S
    sent = 0
    while sent < total:
        numbers = range(sent, min(sent + FEED_STEP, total))
        partition = (sent // FEED_STEP) % SHARDS
        try:
            if not await there(bus, partition, numbers[0]):
                await bus.append([Message(STORIES.name, partition, str(n), str(n).encode()) for n in numbers])
            sent = numbers[-1] + 1
        except BusUnavailable:
            await nap(0.5)
        await nap(per_step_s)


UNKNOWN: list[int] = []


async def there(bus: KafkaBus, partition: int, number: int) -> bool:
    """Tell whether a record was appended by an attempt that did not say so."""
    if number not in UNKNOWN:
        UNKNOWN.append(number)
        return False
    return any([record.key == str(number) async for record in bus.read(STORIES.name, partition=partition)])


async def nap(seconds: float) -> None:
    """Let time pass."""
    await asyncio.wait({asyncio.get_running_loop().create_future()}, timeout=seconds)


class Workers:
    """The processes, and what is done to them."""

    def __init__(self, broker: Broker, draw: random.Random) -> None:
        """Start them."""
        self.broker = broker
        self.draw = draw
        self.done: dict[str, int] = defaultdict(int)
        self.alive = [self._start() for _ in range(WORKERS)]
        self.stopped: list[tuple[float, subprocess.Popen[bytes]]] = []
        self.leaving: list[subprocess.Popen[bytes]] = []

    def _start(self) -> subprocess.Popen[bytes]:
        return kafka_process.start(self.broker.address, PREFIX)

    def strike(self, now: float) -> None:
        """Do something to a worker and start another in its place; wake those that were stopped long enough."""
        worker = self.alive.pop(self.draw.randrange(len(self.alive)))
        what = STRIKES[sum(self.done.values()) % len(STRIKES)]
        worker.send_signal(what)
        self.done[what.name] += 1
        (self.stopped.append((now, worker)) if what == signal.SIGSTOP else self.leaving.append(worker))
        self.alive.append(self._start())

    def wake(self, now: float) -> None:
        """Continue those that were stopped for longer than a session; they try to go on, then are ended."""
        for since, worker in tuple(self.stopped):
            if now - since >= STOPPED_S:
                self.stopped.remove((since, worker))
                worker.send_signal(signal.SIGCONT)
                self.alive.append(worker)

    def end(self) -> None:
        """End every worker by its own process."""
        for worker in (*self.alive, *self.leaving, *(stopped for _, stopped in self.stopped)):
            worker.kill()
            worker.wait()


async def wreak(workers: Workers, seconds: float) -> None:
    """Strike every second or two, and kill the broker once."""
    clock = asyncio.get_running_loop().time
    begun, broker_killed = clock(), False
    while (now := clock()) - begun < seconds:
        workers.wake(now)
        workers.strike(now)
        if not broker_killed and now - begun > seconds / 2:
            broker_killed = True
            await asyncio.to_thread(workers.broker.kill)
            await nap(2.0)
            await asyncio.to_thread(workers.broker.start)
            workers.done["BROKER"] += 1
        await nap(workers.draw.uniform(1.0, 2.5))
    while workers.stopped:
        workers.wake(clock())
        await nap(0.2)


async def settled(bus: KafkaBus) -> None:
    """Wait until the workers have committed everything."""
    deadline = asyncio.get_running_loop().time() + CATCH_UP_S
    while any((lag := await bus.lag(kafka_process.GROUP, STORIES.name)).values()):
        assert asyncio.get_running_loop().time() < deadline, lag
        await nap(0.3)


def audit(stories: list[Record], verdicts: list[Record], total: int) -> None:
    """Every record once; numbers of a lane without gap or repetition, in the order of its input."""
    assert len(stories) == total
    wanted: dict[str, list[str]] = defaultdict(list)
    for story in stories:
        wanted[str(story.partition)].append(story.key)
    got: dict[str, list[str]] = defaultdict(list)
    for verdict in verdicts:
        partition, _, number = dict(verdict.headers)["number"].decode().partition("/")
        got[partition].append(verdict.key)
        assert int(number) == len(got[partition])
    assert {name: len(keys) for name, keys in got.items()} == {
        name: len(keys) for name, keys in wanted.items()
    }
    assert got == wanted


@pytest.mark.timeout(300)
async def test_each_record_is_relayed_exactly_once(chaos_plan: ChaosPlan, chaos_seed: int) -> None:
    """Kill -9, zombies, SIGTERM and a broker killed in the middle lose, double and reorder nothing."""
    UNKNOWN.clear()
    total = int(RECORDS_PER_S * chaos_plan.seconds)
    with running() as broker:
        cluster = kafka_process.cluster(broker.address, PREFIX)
        await make_topics(cluster, (STORIES.name, VERDICTS.name, FEED_STATE.name), shards=SHARDS)
        bus = await KafkaBus.open(cluster)
        workers = Workers(broker, random.Random(chaos_seed))
        try:
            await asyncio.gather(feed(bus, total), wreak(workers, chaos_plan.seconds))
            await settled(bus)
            stories = [record async for record in bus.read(STORIES.name)]
            verdicts = [record async for record in bus.read(VERDICTS.name)]
        finally:
            workers.end()
            await bus.close()
    assert {"SIGKILL", "SIGSTOP", "SIGTERM", "BROKER"} == workers.done.keys()
    sys.stdout.write(f"{dict(workers.done)}\n")
    audit(stories, verdicts, total)
