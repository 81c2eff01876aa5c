"""Services as processes of their own on a test's broker: an installation with a prefix that no other test has."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import aiohttp

from schemas.common import Wire
from services.alerter.subscriberlist import read_subscribers
from services.bootstrap.imports import import_feeds, import_subscribers, read_list
from services.bootstrap.reading import latest
from services.bus.kafka import KafkaBus
from services.bus.topics import TOPICS
from services.clock import SystemClock
from services.poller.feedlist import read_feed_list
from tests.kafka_bus import a_cluster, make_topics
from tests.live import tumen

if TYPE_CHECKING:
    import signal
    from pathlib import Path

    from services.bus.kafka.engine import Cluster
    from services.bus.topics import Topic
    from tests.kafka_broker import Broker

M = TypeVar("M", bound=Wire)
END_S_MAX = 20.0
START_S_MAX = 40.0


@dataclass
class Installation:
    """Topics, a bus to look at them, and the processes that were started."""

    cluster: Cluster
    bus: KafkaBus
    environment: Mapping[str, str]
    processes: list[asyncio.subprocess.Process] = field(default_factory=list)

    async def start(self, *arguments: str, **more: str) -> asyncio.subprocess.Process:
        """Start tumen on this installation's log; ``more`` goes into its environment."""
        return await self._start(*arguments, "--health-port", "off", **more)

    async def _start(self, *arguments: str, **more: str) -> asyncio.subprocess.Process:
        bus = ("--bus", f"kafka://{self.cluster.address}")
        process = await tumen(*arguments, *bus, environment={**self.environment, **more})
        self.processes.append(process)
        return process

    async def begun(self, *arguments: str) -> asyncio.subprocess.Process:
        """Start tumen and wait until it has joined its groups."""
        process = await self.start(*arguments)
        await said(process, "process.started")
        return process

    async def watched(self, *arguments: str) -> tuple[asyncio.subprocess.Process, int]:
        """Start tumen and wait until it says on which port its metrics are."""
        process = await self._start(*arguments, "--health-port", "0")
        return process, int((await said(process, "health.listening"))["port"])

    async def metric(self, port: int, name: str) -> dict[str, float]:
        """Return the series of a metric that moved, by their labels as written."""
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{port}/metrics") as answer,
        ):
            lines = [line.rpartition(" ") for line in (await answer.text()).splitlines()]
        series = {labels: float(value) for labels, _, value in lines if labels.startswith(f"{name}{{")}
        return {labels.removeprefix(name): value for labels, value in series.items() if value}

    async def end(self, process: asyncio.subprocess.Process, how: signal.Signals) -> str:
        """Send a signal and wait for the end; return what was logged."""
        process.send_signal(how)
        _, logged = await asyncio.wait_for(process.communicate(), END_S_MAX)
        self.processes.remove(process)
        return logged.decode()

    async def import_lists(self, feeds: Path | None = None, people: Path | None = None) -> None:
        """Import lists, as the commands do."""
        now = SystemClock().now()
        if feeds is not None:
            await import_feeds(self.bus, read_feed_list(read_list(str(feeds)), "feeds"), "feeds", now)
        if people is not None:
            found = read_subscribers(read_list(str(people)), "people")
            await import_subscribers(self.bus, found, "people", now)

    async def latest(self, topic: Topic, model: type[M]) -> list[M]:
        """Return what a reader of committed records sees."""
        return [one async for one in latest(self.bus, topic, model)]


async def said(process: asyncio.subprocess.Process, event: str) -> dict[str, Any]:
    """Read a process's log up to an event; what comes later is read when it ends."""
    assert process.stderr
    async with asyncio.timeout(START_S_MAX):
        while line := await process.stderr.readline():
            told: dict[str, Any] = json.loads(line)
            if told["event"] == event:
                return told
    message = f"the process ended before {event}"
    raise AssertionError(message)


@asynccontextmanager
async def installation(
    broker: Broker,
    session: str,
    poller: Mapping[str, str],
    *,
    shards: int = 6,
    before: Callable[[Cluster], Awaitable[None]] | None = None,
) -> AsyncIterator[Installation]:
    """Create every topic (those that ``before`` did not make), yield, and end what was started."""
    cluster = a_cluster(broker)
    if before is not None:
        await before(cluster)
    await make_topics(cluster, tuple(TOPICS), shards=shards)
    environment = {
        "TUMEN_KAFKA__TOPIC_PREFIX": cluster.names.prefix,
        "TUMEN_KAFKA__ENVIRONMENT": cluster.names.environment,
        "TUMEN_KAFKA__PARTITIONS": str(shards),
        "TUMEN_KAFKA__SESSION_TIMEOUT": session,
        **{f"TUMEN_POLLER__{key.upper()}": value for key, value in poller.items()},
    }
    bus = await KafkaBus.open(cluster)
    one = Installation(cluster, bus, environment)
    try:
        yield one
    finally:
        for process in one.processes:
            if process.returncode is None:
                process.kill()
            await process.communicate()
        await bus.close()
