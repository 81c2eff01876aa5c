"""Chaos A: the whole pipeline in processes that are killed, stopped and ended at random, each replaced at once.

The feeds, the receiver and the broker go on; what a reader of the log sees in the end is what it would have seen.
"""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import aiohttp
import pytest
from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.admin import DeleteGroupsRequest

from schemas import Alert, Delivery, Subscriber
from services.alerter.ledger import delivery_id
from services.alerter.loop import ROUND_MAX
from services.bootstrap import open_bus
from services.bootstrap.opening import cluster_of
from services.bootstrap.reading import latest
from services.bus.topics import ALERTS, DELIVERIES, FEEDS, STORIES, VERDICTS
from tests.chaos_audit import Call, Ledger, Repeats, audit, delivered
from tests.chaos_fleet import ROOT, SERVICES, Fleet, Place, wreak
from tests.chaos_peace import undisturbed
from tests.chaos_world import PARTITIONS, Shape, World
from tests.pause import nap

if TYPE_CHECKING:
    from services.bus.ports import Bus
    from tests.chaos_plan import ChaosPlan
    from tests.kafka_broker import Broker

pytestmark = [pytest.mark.broker, pytest.mark.chaos]

SUBSCRIBER = "desk"
SHORT = Shape(sites=60, pages=5, entries=21)
LONG = Shape(sites=240, pages=10, entries=25)
FEW = Shape(sites=24, pages=3, entries=10)
WARM_S_MAX = 120.0
SETTLE_S_MAX = 120.0
SETTLE_S_MAX_LONG = 900.0
"""Ten times as many stories, and a machine may be busy with something else."""
LOOK_S = 0.5
POLLS_PER_S = 40
"""Over all feeds: what a small machine has to spare for answers that say nothing new."""
STRIKE_EVERY_S = 2.6
"""A process needs a second of a core to start: more strikes than this would measure nothing else."""
PUBLISHING = 0.9
"""Of the time of the strikes; what comes last is still struck at."""
FEW_S = 6.0
INPUTS = {"poller": FEEDS, "classifier": STORIES, "correlator": VERDICTS, "alerter": ALERTS}


@dataclass
class Newsroom:
    """The press of a run: what it says of itself."""

    session: aiohttp.ClientSession
    base: str
    port: int

    async def ask(self, path: str) -> Any:
        """Ask the press."""
        async with self.session.get(f"{self.base}{path}") as answer:
            return await answer.json()

    async def go(self) -> None:
        """Let it publish."""
        async with self.session.post(f"{self.base}/go") as answer:
            assert answer.status == 200

    async def calls(self) -> list[Call]:
        """Return the webhooks so far."""
        return [Call(*call) for call in await self.ask("/calls")]


@asynccontextmanager
async def press(world: World, seconds: float) -> AsyncIterator[Newsroom]:
    """Run the feeds and the receiver as a process of their own."""
    shape = world.shape
    numbers = (world.seed, shape.sites, shape.pages, shape.entries, seconds)
    command = [sys.executable, "-m", "tests.chaos_press", *map(str, numbers)]
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        port = int(await process.stdout.readline())
        async with aiohttp.ClientSession() as session:
            yield Newsroom(session, f"http://127.0.0.1:{port}", port)
    finally:
        process.kill()
        await process.wait()


def prepare(place: Place, world: World, room: Newsroom, folder: Path) -> None:
    """Do what an operator does first: topics, feeds, subscribers."""
    feeds, people = folder / "feeds.toml", folder / "subscribers.toml"
    feeds.write_text(world.feed_list(room.port), encoding="utf-8")
    people.write_text(
        f'[[subscribers]]\nid = "{SUBSCRIBER}"\nchannel = "{room.base}/hook"\nmatch = {{ severity_min = 1 }}\n',
        encoding="utf-8",
    )
    place.job("topics", "create", "--partitions", str(PARTITIONS))
    place.job("feeds", "import", str(feeds))
    place.job("subscribers", "import", str(people))


async def until(fleet: Fleet, condition: Callable[[], Any], seconds: float) -> None:
    """Wait until an awaited condition holds, tending the processes."""
    clock = asyncio.get_running_loop().time
    deadline = clock() + seconds
    while not await condition():
        fleet.tend(clock())
        assert clock() < deadline, [await condition(), *fleet.faults, *(one.said() for one in fleet.alive)]
        await nap(LOOK_S)


async def settled(fleet: Fleet, bus: Bus, room: Newsroom, world: World) -> None:
    """Wait until all is read, judged, folded and told."""

    async def read() -> bool:
        return bool((await room.ask("/state"))["least"] == world.shape.pages)

    async def told() -> bool:
        for group, topic in INPUTS.items():
            if any((await bus.lag(group, topic.name)).values()):
                return False
        alerts = {alert.id async for alert in latest(bus, ALERTS, Alert)}
        return alerts == {
            one.alert_id async for one in latest(bus, DELIVERIES, Delivery) if one.status == "sent"
        }

    patience_s = SETTLE_S_MAX_LONG if world.shape == LONG else SETTLE_S_MAX
    await until(fleet, read, patience_s)
    await until(fleet, told, patience_s)


class Laps:
    """How long the parts of a run took."""

    def __init__(self) -> None:
        """Begin now."""
        self._clock = asyncio.get_running_loop().time
        self._at = self._clock()
        self._laps: list[str] = []

    def lap(self, what: str) -> None:
        """Say what has ended."""
        now = self._clock()
        self._laps.append(f"{what} {now - self._at:.1f} s")
        self._at = now

    def __str__(self) -> str:
        """Return the parts and their seconds."""
        return ", ".join(self._laps)


def keys_of(ledger: Ledger) -> dict[str, str]:
    """Return the idempotency key of each alert."""
    return {alert.id: delivery_id(alert.id, SUBSCRIBER) for alert in ledger.alerts}


def a_subscriber(room: Newsroom) -> Subscriber:
    """Return the receiver, as the log has it."""
    return Subscriber.model_validate(
        {"id": SUBSCRIBER, "channel": f"{room.base}/hook", "match": {"severity_min": 1}}
    )


@asynccontextmanager
async def running_fleet(
    broker: Broker, world: World, room: Newsroom, folder: Path, counts: Mapping[str, int]
) -> AsyncIterator[tuple[Fleet, Bus]]:
    """Run processes of the services on topics of their own, until each feed has been read once."""
    fleet = Fleet(Place(broker.address, f"t{uuid4().hex[:10]}", world.shape.sites / POLLS_PER_S), folder)
    await asyncio.to_thread(prepare, fleet.place, world, room, folder)
    fleet.start_all(counts)
    try:
        async with open_bus(fleet.place.bus, fleet.place.kafka) as bus:

            async def warm() -> bool:
                return bool((await room.ask("/state"))["least"] >= 0)

            await until(fleet, warm, WARM_S_MAX)
            yield fleet, bus
    finally:
        fleet.end()


@pytest.mark.timeout(2_400)
async def test_chaos_of_the_whole_pipeline_ends_as_peace_does(
    broker: Broker, tmp_path: Path, chaos_plan: ChaosPlan, chaos_seed: int
) -> None:
    """Each story, verdict and alert once and in order, each alert told; storylines as without any chaos."""
    world, seconds = World(chaos_seed, LONG if chaos_plan.long else SHORT), chaos_plan.seconds
    counts = dict.fromkeys(SERVICES, 2) | ({"poller": 3, "classifier": 3} if chaos_plan.long else {})
    async with press(world, seconds * PUBLISHING) as room:
        laps = Laps()
        peace = await undisturbed(world, room.port, a_subscriber(room))
        laps.lap("peace")
        async with running_fleet(broker, world, room, tmp_path, counts) as (fleet, bus):
            laps.lap("warm")
            await room.go()

            async def all_out() -> bool:
                return bool((await room.ask("/state"))["out"] == world.shape.sites * (world.shape.pages + 1))

            await wreak(fleet, random.Random(chaos_seed), seconds, STRIKE_EVERY_S, all_out)
            laps.lap("struck")
            await settled(fleet, bus, room, world)
            laps.lap("settled")
            got = await Ledger.read(bus)
            calls = await room.calls()
            await fleet.dismiss()
            laps.lap("audited")
    repeats = delivered(keys_of(got), calls, fleet.struck["alerter"], ROUND_MAX)
    sys.stdout.write(
        f"seed {chaos_seed}: {dict(fleet.done)}: {got.summary()}, "
        f"{len(calls)} webhooks, {repeats.count} repeated; {laps}\n"
    )
    found = [*audit(world.wanted(room.port), peace, got), *repeats.faults, *fleet.faults]
    assert not found, "\n".join(found)


@pytest.mark.timeout(300)
async def test_groups_that_are_forgotten_tell_nobody_anything_again(broker: Broker, tmp_path: Path) -> None:
    """Amnesia: all groups deleted, services restarted. Verdicts come again; no story, no alert and no call does."""
    world, counts = World(1, FEW), dict.fromkeys(SERVICES, 1)
    async with (
        press(world, FEW_S) as room,
        running_fleet(broker, world, room, tmp_path, counts) as (fleet, bus),
    ):
        peace = await undisturbed(world, room.port, a_subscriber(room))
        await room.go()
        await settled(fleet, bus, room, world)
        await fleet.dismiss()
        before, told = await Ledger.read(bus), await room.calls()
        await forget_groups(fleet.place)
        assert any((await bus.lag("classifier", STORIES.name)).values())

        fleet.start_all(counts)
        await settled(fleet, bus, room, world)
        await fleet.dismiss()
        after, calls = await Ledger.read(bus), await room.calls()
    wanted = world.wanted(room.port)
    assert audit(wanted, peace, before) == []
    assert [*audit(wanted, peace, after, verdicts_again=True), *fleet.faults] == []
    assert len(after.verdicts) == 2 * len(before.verdicts)
    assert calls == told
    assert delivered(keys_of(after), calls, (), ROUND_MAX) == Repeats(0, ())


async def forget_groups(place: Place) -> None:
    """Delete the groups of all services, as an operator's mistake would; they are empty by now."""
    cluster = cluster_of(place.bus, place.kafka)
    groups = [cluster.names.group(service) for service in SERVICES]
    client = AIOKafkaClient(bootstrap_servers=cluster.address)
    await client.bootstrap()
    try:
        answer = await client.send(client.get_random_node(), DeleteGroupsRequest(groups))
        assert sorted(answer.results) == sorted((group, 0) for group in groups)
    finally:
        await client.close()
