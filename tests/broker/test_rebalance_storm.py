"""Members join and leave faster than a session: the work goes on, and comes to the same."""

from __future__ import annotations

import asyncio
import random
import sys
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from services.bus.kafka import KafkaBus
from services.bus.ports import Message
from services.bus.topics import STORIES, VERDICTS
from tests import relay
from tests.chaos_audit import relayed
from tests.kafka_bus import make_topics
from tests.pause import nap

if TYPE_CHECKING:
    from services.bus.kafka.engine import Cluster
    from services.bus.ports import Bus
    from tests.chaos_plan import ChaosPlan
    from tests.kafka_broker import Broker

pytestmark = [pytest.mark.broker, pytest.mark.chaos]

SHARDS = 6
STORM_SHARE = 2 / 3
"""Of the time of a chaos test: a minute of ninety seconds, twenty seconds of thirty."""
EVENTS_PER_S = 50 / 60
MEMBERS_MIN, MEMBERS_MAX = 3, 6
PROCESS_SHARE = 0.25
"""Of the members that join: processes, which leave by SIGTERM or by kill -9."""
RECORDS_PER_S = 200
STEP_S = 0.1
STILL_S_MAX = 2 * relay.SESSION_S
LOOK_S = 0.1
CATCH_UP_S = 60.0
PARTING_S = 10.0


@dataclass
class Storm:
    """Who is there, and who came and went."""

    cluster: Cluster
    draw: random.Random
    done: Counter[str] = field(default_factory=Counter)
    tasks: list[tuple[asyncio.Task[None], asyncio.Event]] = field(default_factory=list)
    processes: list[asyncio.subprocess.Process] = field(default_factory=list)
    parting: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def members(self) -> int:
        """How many there are."""
        return len(self.tasks) + len(self.processes)

    async def event(self) -> None:
        """Let somebody join or leave."""
        joins = self.members < MEMBERS_MIN or (self.members < MEMBERS_MAX and self.draw.random() < 0.5)
        await (self.join() if joins else self.leave())

    async def join(self) -> None:
        """Let a member join: a bus of its own in this process, or a process."""
        if self.draw.random() < PROCESS_SHARE:
            self.processes.append(await relay.start(self.cluster.address, self.cluster.names.prefix))
            self.done["process joins"] += 1
            return
        stop = asyncio.Event()
        self.tasks.append((asyncio.create_task(relay.relay(self.cluster, stop)), stop))
        self.done["joins"] += 1

    async def leave(self) -> None:
        """Let any member leave, as its kind leaves; nobody waits for it."""
        number = self.draw.randrange(self.members)
        if number < len(self.tasks):
            task, stop = self.tasks.pop(number)
            stop.set()
            self.part(asyncio.create_task(_ended(task)))
            self.done["leaves"] += 1
            return
        process = self.processes.pop(number - len(self.tasks))
        kill = self.draw.random() < 0.5
        (process.kill if kill else process.terminate)()
        self.part(asyncio.create_task(_gone(process)))
        self.done["kills" if kill else "process leaves"] += 1

    def part(self, task: asyncio.Task[None]) -> None:
        """Let somebody end beside everything else."""
        self.parting.add(task)

    async def end(self) -> None:
        """Let everybody leave; whoever failed says so here."""
        while self.members:
            await self.leave()
        await asyncio.gather(*self.parting)


async def _ended(task: asyncio.Task[None]) -> None:
    async with asyncio.timeout(PARTING_S):
        await task


async def _gone(process: asyncio.subprocess.Process) -> None:
    try:
        async with asyncio.timeout(PARTING_S):
            await process.wait()
    finally:
        if process.returncode is None:
            process.kill()


async def feed(bus: Bus, seconds: float) -> None:
    """Append stories all the time, to every partition in turn."""
    clock = asyncio.get_running_loop().time
    begun, sent, step = clock(), 0, int(RECORDS_PER_S * STEP_S)
    while (elapsed := clock() - begun) < seconds:
        while sent < elapsed * RECORDS_PER_S:
            numbers = range(sent, sent + step)
            partition = (sent // step) % SHARDS
            await bus.append([Message(STORIES.name, partition, str(n), b"x") for n in numbers])
            sent += step
        await nap(STEP_S)


async def longest_still(bus: Bus, done: asyncio.Event) -> float:
    """Return the longest time, until ``done``, in which readers saw nothing new; it begins with the first news."""
    clock = asyncio.get_running_loop().time
    seen, at, longest = 0, clock(), 0.0
    while not done.is_set():
        end = (await bus.ends(VERDICTS.name))[0]
        now = clock()
        if end != seen:
            longest = max(longest, now - at if seen else 0.0)
            seen, at = end, now
        await nap(LOOK_S)
    return max(longest, clock() - at)


async def settled(bus: Bus) -> None:
    """Wait until everything is copied."""
    async with asyncio.timeout(CATCH_UP_S):
        while any((await bus.lag(relay.GROUP, STORIES.name)).values()):
            await nap(LOOK_S)


async def let_go() -> None:
    """Let clients finish that their members left behind: leaving is bounded, and a rebalance may last longer."""
    own = asyncio.current_task()
    if others := {task for task in asyncio.all_tasks() if task is not own}:
        await asyncio.wait(others, timeout=STILL_S_MAX)


async def blow(storm: Storm, seconds: float) -> None:
    """Let members come and go for so long."""
    clock = asyncio.get_running_loop().time
    begun = clock()
    for number in range(round(seconds * EVENTS_PER_S)):
        await nap(begun + number / EVENTS_PER_S - clock())
        await storm.event()


@pytest.mark.timeout(300)
async def test_a_storm_of_rebalances_stops_nothing(
    broker: Broker, chaos_plan: ChaosPlan, chaos_seed: int
) -> None:
    """Every record once, in order, with state restored; output never rests for more than two session time-outs."""
    seconds = chaos_plan.seconds * STORM_SHARE
    cluster = relay.cluster(broker.address, f"t{uuid4().hex[:10]}")
    await make_topics(cluster, relay.TOPICS, shards=SHARDS)
    bus = await KafkaBus.open(cluster)
    storm = Storm(cluster, random.Random(chaos_seed))
    done = asyncio.Event()
    still = asyncio.create_task(longest_still(bus, done))
    try:
        for _ in range(MEMBERS_MIN):
            await storm.join()
        await asyncio.gather(feed(bus, seconds), blow(storm, seconds))
        done.set()
        rest = await still
        await settled(bus)
        stories = [record async for record in bus.read(STORIES.name)]
        verdicts = [record async for record in bus.read(VERDICTS.name)]
    finally:
        done.set()
        await asyncio.gather(still, return_exceptions=True)
        await storm.end()
        await bus.close()
        await let_go()
    sys.stdout.write(
        f"seed {chaos_seed}: {dict(storm.done)}, {len(stories):,} records, still for {rest:.1f} s at most\n"
    )
    assert relayed(stories, verdicts) == []
    assert rest <= STILL_S_MAX
