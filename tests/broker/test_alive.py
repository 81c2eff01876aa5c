"""Whole services on a real broker that is well, frozen or dead: they say so, end when told, and go on by themselves."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from services.bus.codec import encode
from services.bus.kafka import KafkaBus
from services.bus.ports import BusUnavailable, Message
from services.bus.topics import STORIES, TOPICS
from tests.builders import a_story
from tests.kafka_broker import running
from tests.kafka_bus import a_cluster, make_topics
from tests.live import tumen, until
from tests.pause import nap

if TYPE_CHECKING:
    from services.bus.kafka.engine import Cluster
    from tests.kafka_broker import Broker

pytestmark = pytest.mark.broker

SHARDS = 4
LANES = 16
"""As `tumen topics create` makes them."""
SOON_S = 60.0
NOTICED_S = 40.0
"""A wait without news (5 s) and one question (6 s), on a busy machine; a question for each lane would take 96 s."""
STOP_S = 10.0
"""Promised of SIGTERM in every state of the log."""
SESSION = {"TUMEN_KAFKA__SESSION_TIMEOUT": "6s", "TUMEN_KAFKA__ENVIRONMENT": "test"}
OUTAGE_S = 15.0
CPU_SHARE_MAX = 0.15
"""Of one core, for five services that look for their log every second: no spin."""
GROWTH_BYTES_MAX = 40 * 1024 * 1024
TICK_S = 1 / os.sysconf("SC_CLK_TCK")
LAG = re.compile(r'tumen_lag_records\{group="(\w+)",partition="(\d+)",topic="(\w+)"\} ([0-9.e+]+)')
JUDGED = re.compile(r'tumen_transaction_records_sum\{group="classifier"\} ([0-9.e+]+)')
STORIES_FEW = 40
BACKLOG_STORIES = 1_000
BACKLOG_TEXT = "Town council plants forty lime trees along the old canal. " * 1_725
"""About 100 kB a story, 100 MB in all."""
BACKLOG_GROWTH_MAX = 70 * 1024 * 1024
"""16 MB of what was read ahead of one partition, a fetch that came meanwhile, and a batch at work with what it becomes."""
CHUNK = 25
MEBIBYTE = 1024 * 1024
MEBIBYTES_READ_MAX = 17
"""What may be read ahead of one partition (PLACE_BYTES_MAX), and one fetch more."""


@dataclass
class Live:
    """A tumen process: what it logged, and where its probes are."""

    process: asyncio.subprocess.Process
    lines: list[dict[str, Any]] = field(default_factory=list)
    other: list[str] = field(default_factory=list)
    port: int = 0

    async def listen(self) -> None:
        """Take in what it logs, to its end."""
        assert self.process.stderr is not None
        async for raw in self.process.stderr:
            line = raw.decode()
            if line.startswith("{"):
                self.lines.append(json.loads(line))
            else:
                self.other.append(line)

    def said(self, event: str) -> dict[str, Any] | None:
        """Return the first line of an event."""
        return next((line for line in self.lines if line["event"] == event), None)

    async def ask(self, path: str) -> tuple[int, str]:
        """Return a probe's status and body."""
        timeout = aiohttp.ClientTimeout(total=10)
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(f"http://127.0.0.1:{self.port}{path}") as answer,
        ):
            return answer.status, await answer.text()

    async def missing(self) -> dict[str, str]:
        """Return why it is not ready."""
        return dict(json.loads((await self.ask("/ready"))[1])["missing"])

    async def lag(self) -> dict[int, float]:
        """Return the lag of each partition that the first group of the process shows."""
        found = LAG.findall((await self.ask("/metrics"))[1])
        return {int(partition): float(value) for _, partition, _, value in found}

    async def judged(self) -> int:
        """Return how many records the classifier's transactions had."""
        found = JUDGED.search((await self.ask("/metrics"))[1])
        return int(float(found[1])) if found else 0

    def cpu_s(self) -> float:
        """Return the processor seconds used so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) * TICK_S

    def resident(self, kind: str = "VmRSS") -> int:
        """Return the resident bytes, now or (VmHWM) at most."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        found = re.search(rf"^{kind}:\s+(\d+) kB", status, re.MULTILINE)
        assert found is not None
        return int(found[1]) * 1024

    async def stop(self, seconds: float = STOP_S) -> float:
        """Ask it to end and return how long that took; every log line is in ``lines`` then."""
        begun = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(self.process.wait(), seconds + 5)
        return time.monotonic() - begun


@asynccontextmanager
async def live(cluster: Cluster, *names: str, **environment: str) -> AsyncIterator[Live]:
    """Run tumen on a cluster until the block ends."""
    bus = f"kafka://{cluster.address}"
    own = {"TUMEN_KAFKA__TOPIC_PREFIX": cluster.names.prefix, **SESSION, **environment}
    one = Live(await tumen(*names, "--bus", bus, "--health-port", "0", environment=own))
    listening = asyncio.create_task(one.listen())
    try:
        await until(
            lambda: one.said("process.started") is not None or one.process.returncode is not None, SOON_S
        )
        heard = one.said("health.listening")
        assert heard is not None, one.other
        one.port = heard["port"]
        yield one
    finally:
        if one.process.returncode is None:
            one.process.kill()
        await one.process.wait()
        await listening


@pytest.fixture(scope="module")
def own_broker() -> Iterator[Broker]:
    """Boot a broker that may be hurt."""
    with running() as started:
        yield started


@pytest.fixture(params=[SHARDS])
async def cluster(own_broker: Broker, request: pytest.FixtureRequest) -> Cluster:
    """Make all topics under names of this test's own, once the broker is well again."""
    made = a_cluster(own_broker)
    async with asyncio.timeout(SOON_S):
        while True:
            try:
                await make_topics(made, tuple(TOPICS), shards=request.param)
            except BusUnavailable:
                await nap(0.2)
            else:
                return made


async def append_stories(cluster: Cluster, count: int, text: str = "", partitions: int = SHARDS) -> None:
    """Append stories, spread over the partitions, or over the first of them."""
    bus = await KafkaBus.open(cluster)
    for first in range(0, count, CHUNK):
        stories = [
            a_story(f"story {number}", text=text) for number in range(first, min(first + CHUNK, count))
        ]
        await bus.append(
            [
                encode(
                    STORIES,
                    story,
                    partition=number % partitions,
                    key=story.id,
                    source="t",
                    at=story.first_seen,
                )
                for number, story in enumerate(stories, start=first)
            ]
        )
    await bus.close()


async def test_a_partition_is_shown_by_the_process_that_has_it_and_by_no_other(cluster: Cluster) -> None:
    """After a rebalance each series of lag is on exactly one of two processes; lag comes to 0 and stays there."""
    async with live(cluster, "classifier") as first:
        async with live(cluster, "classifier") as second:
            await append_stories(cluster, STORIES_FEW)
            async with asyncio.timeout(SOON_S):
                while await first.judged() + await second.judged() < STORIES_FEW:
                    await nap(0.2)
                while True:
                    one, other = await first.lag(), await second.lag()
                    if len(one) == len(other) == SHARDS // 2 and not any((*one.values(), *other.values())):
                        break
                    await nap(0.5)
            assert one.keys() | other.keys() == set(range(SHARDS))
            assert not one.keys() & other.keys()
            assert await second.stop() < STOP_S
            assert second.process.returncode == 0
        async with asyncio.timeout(SOON_S):
            while len(await first.lag()) < SHARDS:
                await nap(0.5)
        assert await first.stop() < STOP_S


async def test_every_service_ends_in_time_when_idle_and_in_the_middle_of_a_batch(cluster: Cluster) -> None:
    """Exit 0 within ten seconds; what was not committed is left for the next."""
    async with live(cluster, "run") as idle:
        assert await idle.stop() < STOP_S
        assert idle.process.returncode == 0
    assert idle.said("process.stopped") is not None
    await append_stories(cluster, 300, BACKLOG_TEXT[:50_000])
    async with live(cluster, "run", TUMEN_LOG__FORMAT="json") as busy:
        async with asyncio.timeout(SOON_S):
            while not any((await busy.lag()).values()):
                await nap(0.05)
        assert await busy.stop() < STOP_S
        assert busy.process.returncode == 0


async def test_every_service_ends_in_time_while_kafka_is_frozen(own_broker: Broker, cluster: Cluster) -> None:
    """In the middle of a batch, and when it has long been said; a second signal ends the process without a wait."""
    await append_stories(cluster, 300, BACKLOG_TEXT[:50_000])
    async with live(cluster, "run") as early, live(cluster, "run") as late, live(cluster, "run") as twice:
        own_broker.signal(signal.SIGSTOP)
        try:
            assert await early.stop() < STOP_S
            assert early.process.returncode == 0, early.lines
            await until(lambda: late.said("bus.unavailable") is not None, SOON_S)
            twice.process.send_signal(signal.SIGTERM)
            await until(lambda: twice.said("process.stopping") is not None, SOON_S)
            assert await twice.stop() < 2.0
            assert twice.process.returncode in {-signal.SIGTERM, 0}
            assert await late.stop() < STOP_S
            assert late.process.returncode == 0, late.lines[-1].get("traceback", late.lines)
        finally:
            own_broker.signal(signal.SIGCONT)


@pytest.mark.timeout(180)
async def test_an_outage_is_said_waited_for_and_over(own_broker: Broker, cluster: Cluster) -> None:
    """All five services: not ready with the reason, alive, no spin, no growth; ready again by itself; SIGTERM is heard."""
    async with live(cluster, "run") as one, live(cluster, "run") as ending:
        await until_ready(one)
        own_broker.kill()
        try:
            async with asyncio.timeout(SOON_S):
                while (await one.ask("/ready"))[0] != 503:
                    await nap(0.2)
            reason = (await one.missing())["log"]
            assert "Kafka" in reason or own_broker.address in reason
            assert (await one.ask("/live"))[0] == 200
            await nap(2.0)
            used, begun, resident = one.cpu_s(), time.monotonic(), one.resident()
            await nap(OUTAGE_S)
            share = (one.cpu_s() - used) / (time.monotonic() - begun)
            growth = one.resident() - resident
            assert share < CPU_SHARE_MAX
            assert growth < GROWTH_BYTES_MAX
            assert (await one.ask("/live"))[0] == 200
            assert await ending.stop() < STOP_S
            assert ending.process.returncode == 0, ending.lines
        finally:
            await asyncio.to_thread(own_broker.start)
        await until_ready(one)
        await append_stories(cluster, 2 * SHARDS)
        async with asyncio.timeout(SOON_S):
            while await one.judged() < 2 * SHARDS:
                await nap(0.2)
        assert await one.stop() < STOP_S
        assert one.process.returncode == 0


@pytest.mark.timeout(180)
@pytest.mark.parametrize("cluster", [LANES], indirect=True)
@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGKILL], ids=["frozen", "dead"])
async def test_a_service_of_many_lanes_notices_as_soon_as_any(
    own_broker: Broker, cluster: Cluster, number: signal.Signals
) -> None:
    """An idle classifier is not ready within seconds, spins at nothing meanwhile, and is ready again by itself."""
    async with live(cluster, "classifier") as one:
        await until_ready(one)
        begun, used = time.monotonic(), one.cpu_s()
        own_broker.kill() if number == signal.SIGKILL else own_broker.signal(number)
        try:
            async with asyncio.timeout(NOTICED_S):
                while (await one.ask("/ready"))[0] != 503:
                    await nap(0.2)
            await nap(OUTAGE_S)
            assert (await one.ask("/ready"))[0] == 503
            assert (one.cpu_s() - used) / (time.monotonic() - begun) < CPU_SHARE_MAX
        finally:
            if number == signal.SIGKILL:
                await asyncio.to_thread(own_broker.start)
            else:
                own_broker.signal(signal.SIGCONT)
        await until_ready(one)
        await append_stories(cluster, LANES, partitions=LANES)
        async with asyncio.timeout(SOON_S):
            while await one.judged() < LANES:
                await nap(0.2)
        assert await one.stop() < STOP_S
        assert one.process.returncode == 0


async def until_ready(one: Live) -> None:
    """Wait until a process says that it is ready."""
    async with asyncio.timeout(SOON_S):
        while (await one.ask("/ready"))[0] != 200:
            await nap(0.2)


async def test_a_start_without_kafka_is_one_line() -> None:
    """A supervisor starts it again; nothing hangs and nothing else is printed."""
    process = await tumen("classifier", "--bus", "kafka://127.0.0.1:1", "--health-port", "off")
    _, logged = await asyncio.wait_for(process.communicate(), SOON_S)
    assert process.returncode == 1
    lines = [line for line in logged.decode().splitlines() if not line.startswith("{")]
    assert len(lines) == 1, logged.decode()
    assert "kafka://127.0.0.1:1" in lines[0]


@pytest.mark.timeout(180)
async def test_a_large_backlog_is_not_taken_into_memory(cluster: Cluster) -> None:
    """A hundred megabytes wait for a classifier that judges slowly: it reads what it has room for."""
    async with live(cluster, "classifier") as one:
        before = one.resident()
        await append_stories(cluster, BACKLOG_STORIES, BACKLOG_TEXT, partitions=1)
        await nap(10.0)
        assert sum((await one.lag()).values()) > 0, "the backlog should last longer than this test looks"
        growth = one.resident("VmHWM") - before
        assert growth < BACKLOG_GROWTH_MAX
        assert await one.stop() < STOP_S
        assert one.process.returncode == 0


async def test_a_full_partition_is_paused_and_a_revoked_one_is_not_read(cluster: Cluster) -> None:
    """Reading ahead stops at its share and goes on when some is committed; after a rebalance only what is owned is read."""
    ours, theirs = await KafkaBus.open(cluster), await KafkaBus.open(cluster)
    try:
        for _ in range(2 * MEBIBYTES_READ_MAX):
            await ours.append([Message(STORIES.name, 0, "k", b"x" * MEBIBYTE)])
        first = await ours.join("g", [STORIES.name])
        await first.lanes()
        reader, consumer = first.reader, first.reader._consumer
        place = next(place for place in first.places if place.partition == 0)
        await until(lambda: place in consumer.paused(), SOON_S)
        assert len(reader.buffers[place]) < 2 * MEBIBYTES_READ_MAX
        lane = next(lane for lane in await first.lanes() if lane.partition == 0)
        read = reader.positions[place]
        while reader.positions[place] == read:
            batch = await lane.poll()
            assert batch.records
            async with lane.transaction(batch):
                pass

        second = await theirs.join("g", [STORIES.name])
        async with asyncio.timeout(SOON_S):
            while not len(await first.lanes()) == len(await second.lanes()) == SHARDS // 2:
                await asyncio.gather(first.wait(0.2), second.wait(0.2))
        mine = {lane.partition for lane in await first.lanes()}
        followed = {p.partition for p in consumer.assignment() if p not in consumer.paused()}
        assert followed <= mine
        assert {p.partition for p in reader.buffers if reader.buffers[p]} <= mine
    finally:
        await asyncio.gather(ours.close(), theirs.close())
