"""One story at a time on an idle Kafka: from the last byte of its feed to its alert, as readers of commits see it.

The services are real processes; the feeds are served here, each answer held back until the alert before it was seen.
Part of ``python -m bench kafka``.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from time import perf_counter
from typing import TYPE_CHECKING
from uuid import uuid4

from schemas import Alert, Feed
from services.bus.codec import decode, encode
from services.bus.kafka import KafkaBus
from services.bus.kafka.admin import TopicAdmin
from services.bus.kafka.engine import Cluster
from services.bus.kafka.names import Names
from services.bus.topics import ALERTS, FEEDS
from services.text.ids import stable_id
from services.text.urls import partition_for, registered_domain

if TYPE_CHECKING:
    from services.bus.ports import Tail

STORIES = 200
WARM_UP = 10
"""First stories that are not counted: connections are made, code is run for the first time."""
NAMES = 10
"""Feeds of the one host; each is asked once a second, and the host is asked one request at a time."""
PAUSE_S = 0.05
"""Between an alert and the next story: the log is idle again."""
ALERT_S_MAX = 30.0
TAKE_OVER_S = 4.0
"""A list that a poller finds when it starts is asked over minutes; one that comes later, at once."""
STOP_S_MAX = 15.0
ONE_PROCESS = (("run",),)
SEPARATE = (("poller",), ("classifier",), ("correlator",))
NUMBER = re.compile(r"paper (\d+)")


class Press:
    """A feed server that has one new story in each answer, and notes when its last byte was written."""

    def __init__(self) -> None:
        """Begin before the first story."""
        self.written: dict[int, float] = {}
        self.seen: dict[int, float] = {}
        self.known: set[bytes] = set()
        self.next = asyncio.Event()
        self.next.set()
        self.done = asyncio.Event()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection, a request after the other."""
        try:
            while request := await reader.readuntil(b"\r\n\r\n"):
                path = request.split(maxsplit=2)[1]
                if path not in self.known:  # what a feed has when it is first read is old news
                    self.known.add(path)
                    writer.write(document(None))
                    continue
                await self.next.wait()
                self.next.clear()
                number = len(self.written)
                writer.write(document(number))
                await writer.drain()
                self.written[number] = perf_counter()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def watch(self, tail: Tail) -> None:
        """Note when each alert is there to be read, then let the next story out."""
        while len(self.seen) < STORIES + WARM_UP:
            async with asyncio.timeout(ALERT_S_MAX):
                await tail.wait(ALERT_S_MAX)
                records = await tail.poll()
            now = perf_counter()
            for record in records:
                found = NUMBER.search(decode(record, Alert).sources[0].title)
                if found:
                    self.seen[int(found[1])] = now
            if records and len(self.seen) == len(self.written):
                await asyncio.wait({asyncio.ensure_future(self.done.wait())}, timeout=PAUSE_S)
                self.next.set()

    def milliseconds(self) -> list[float]:
        """Return how long each story took, sorted, without the first ones."""
        return sorted((self.seen[n] - self.written[n]) * 1_000 for n in self.seen if n >= WARM_UP)


def document(number: int | None) -> bytes:
    """Return an answer with the story of this number, or with an old one."""
    title = "Lime trees" if number is None else f"North Korea ships shells to Russia, says paper {number}"
    item = (
        f"<item><title>{title}</title><guid isPermaLink='false'>{number}</guid>"
        f"<link>http://127.0.0.1/story/{number}</link></item>"
    )
    body = f"<rss version='2.0'><channel><title>Paper</title>{item}</channel></rss>".encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/rss+xml\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def import_feeds(bus: KafkaBus, base: str) -> None:
    """Write the feed list."""
    partitions = await bus.partitions(FEEDS.name)
    urls = [f"{base}/feed/{n}" for n in range(NAMES)]
    feeds = [Feed(id=stable_id(url), url=url, title="Paper", language="en", interval="1s") for url in urls]
    await bus.append(
        [
            encode(
                FEEDS,
                feed,
                partition=partition_for(registered_domain(feed.url), partitions),
                key=feed.id,
                source="bench",
                at="2026-05-12T00:00:00.000Z",
            )
            for feed in feeds
        ]
    )


@asynccontextmanager
async def services(cluster: Cluster, commands: Sequence[Sequence[str]]) -> AsyncIterator[None]:
    """Run services as processes of their own for the block."""
    environment = {
        "PATH": os.defpath,
        "TUMEN_KAFKA__TOPIC_PREFIX": cluster.names.prefix,
        "TUMEN_KAFKA__ENVIRONMENT": cluster.names.environment,
        "TUMEN_POLLER__ALLOW_PRIVATE": "true",
        "TUMEN_POLLER__INTERVAL_MIN": "0s",
        "TUMEN_POLLER__HOST_SPACING": "0s",
        "TUMEN_DESK__PORT": "0",
        "TUMEN_LOG__FORMAT": "json",
    }
    running = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services", *command, "--bus", f"kafka://{cluster.address}",
            *("--health-port", "off"),
            env=environment, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
        )
        for command in commands
    ]  # fmt: skip
    try:
        await asyncio.gather(*map(started, running))
        yield
    finally:
        for process in running:
            if process.returncode is None:
                process.terminate()
        async with asyncio.timeout(STOP_S_MAX):
            await asyncio.gather(*(process.wait() for process in running))


async def started(process: asyncio.subprocess.Process) -> None:
    """Return once a service says that it has joined its group; what it says later is not kept."""
    lines = process.stderr
    if lines is None:
        return
    async with asyncio.timeout(ALERT_S_MAX):
        while b"process.started" not in await lines.readline():
            if process.returncode is not None:
                raise RuntimeError("a service ended")
    asyncio.get_running_loop().create_task(lines.read())


async def measure(address: str, commands: Sequence[Sequence[str]]) -> list[float]:
    """Return the milliseconds of each story, sorted."""
    cluster = Cluster(address, Names(f"b{uuid4().hex[:8]}", "bench"))
    async with TopicAdmin(cluster) as admin:
        await admin.create()
    press = Press()
    async with AsyncExitStack() as stack:
        server = await asyncio.start_server(press.answer, "127.0.0.1", 0)
        stack.callback(server.close)
        bus = await KafkaBus.open(cluster)
        stack.push_async_callback(bus.close)
        tail = await bus.tail([ALERTS.name], start=False)
        await stack.enter_async_context(services(cluster, commands))
        await tail.wait(TAKE_OVER_S)
        await import_feeds(bus, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        await press.watch(tail)
    return press.milliseconds()
