"""Services as processes of their own on a test's broker: an installation with a prefix that no other test has."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

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


@dataclass
class Installation:
    """Topics, a bus to look at them, and the processes that were started."""

    cluster: Cluster
    bus: KafkaBus
    environment: Mapping[str, str]
    processes: list[asyncio.subprocess.Process] = field(default_factory=list)

    async def start(self, *arguments: str, **more: str) -> asyncio.subprocess.Process:
        """Start tumen on this installation's log; ``more`` goes into its environment."""
        url = f"kafka://{self.cluster.address}"
        process = await tumen(
            *arguments, "--bus", url, "--health-port", "off", environment={**self.environment, **more}
        )
        self.processes.append(process)
        return process

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


@asynccontextmanager
async def installation(
    broker: Broker, session: str, poller: Mapping[str, str], *, shards: int = 6
) -> AsyncIterator[Installation]:
    """Create every topic, yield, and end what was started."""
    cluster = a_cluster(broker)
    await make_topics(cluster, tuple(TOPICS), shards=shards)
    environment = {
        "TUMEN_KAFKA__TOPIC_PREFIX": cluster.names.prefix,
        "TUMEN_KAFKA__ENVIRONMENT": cluster.names.environment,
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
