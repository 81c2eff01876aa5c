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

from tests import kafka_process
from tests.kafka_broker import Broker, running
from tests.kafka_calls import Calls
from tests.kafka_chaos import Feed, audit, prepared, settled
from tests.pause import nap

if TYPE_CHECKING:
    from tests.chaos_plan import ChaosPlan

pytestmark = [pytest.mark.broker, pytest.mark.chaos]

WORKERS = 3
RECORDS_PER_S = 400
STOPPED_S = 8.0
"""Past the session: a worker that wakes is a zombie."""
PREFIX = "chaos"
STRIKES = (signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM)


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


@pytest.mark.timeout(300)
async def test_each_record_is_relayed_exactly_once(chaos_plan: ChaosPlan, chaos_seed: int) -> None:
    """Kill -9, zombies, SIGTERM and a broker killed in the middle lose, double and reorder nothing."""
    with running() as broker:
        bus = await prepared(kafka_process.cluster(broker.address, PREFIX))
        workers, feed = Workers(broker, random.Random(chaos_seed)), Feed(bus, RECORDS_PER_S, Calls(None))
        over = asyncio.Event()
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(feed.run(over))
                await wreak(workers, chaos_plan.seconds)
                over.set()
            await settled(bus)
            await audit(bus, feed.total)
        finally:
            workers.end()
            await bus.close()
    assert {"SIGKILL", "SIGSTOP", "SIGTERM", "BROKER"} == workers.done.keys()
    sys.stdout.write(f"{feed.total} records, {dict(workers.done)}\n")
