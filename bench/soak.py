"""Twenty minutes at 500 stories a second through the real services on a real Kafka: memory must stay flat.

Each service is a process of its own. ``python -m bench soak`` only by name; SOAK_MINUTES, SOAK_RATE change the run.

What comes in: nearly all stories are appended to the stories topic, since feeds that bring 500 stories a second by
themselves would be a few absurd ones (each poll writes what its feed has shown in the last weeks). Beside them the poller
has a normal load: a hundred feeds on sixteen hosts, asked each ten seconds, most of them unchanged. One story in a hundred
is flagged. Most of those are further revisions of fifty stories and the rest are new events: what correlator, alerter and
desk must remember for months grows slowly, and a leak would show above it.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from email.utils import format_datetime
from pathlib import Path
from random import Random
from statistics import median
from typing import TYPE_CHECKING

from aiohttp import web

from bench.figures import Figure
from schemas import Story
from schemas.story import Source
from services.bootstrap import open_bus
from services.bus.codec import encode
from services.bus.topics import STORIES
from services.clock import SystemClock
from services.text.ids import stable_id
from services.text.times import stamp
from tests.kafka_broker import free_ports, running

if TYPE_CHECKING:
    from services.bus.ports import Bus

MINUTES = float(os.environ.get("SOAK_MINUTES", "20"))  # noqa: TID251 - a bench's own argument, no setting
RATE = float(os.environ.get("SOAK_RATE", "500"))  # noqa: TID251
ROOT = Path(__file__).parents[1]
SERVICES = ("poller", "classifier", "correlator", "alerter", "desk")
PARTITIONS = 16
TICK_S = 0.2
SAMPLE_S = 3.0
START_S = 90.0
FLAGGED_EVERY = 100
REVISED = 50
NEW_EVENT_EVERY = 25
"""Of the flagged: the others are revisions."""
HOSTS = 16
FEEDS = 100
POLL_S = 10
NEWS_S = 60
"""A feed has something new this often."""
GROWTH_MAX = 1.05
PROSE = (
    "town council plants lime trees along the old canal while engineers measure the bridge and the harbour opens a "
    "new ferry line school choir wins regional prize farmers expect a good harvest after spring rain museum shows "
    "maps of the coast football club signs young keeper market hall reopens in autumn"
)
WORDS = PROSE.split()
ARMS = "North Korea shipped artillery shells to Russia, officials in port {place} say"
PLACES = ("Rajin", "Vostochny", "Dunai", "Nakhodka", "Chongjin", "Tikhoretsk")
ENVIRONMENT = {
    "TUMEN_LOG__FORMAT": "json",
    "TUMEN_POLLER__ALLOW_PRIVATE": "true",
    "TUMEN_ALERTER__ALLOW_PRIVATE": "true",
    "TUMEN_POLLER__INTERVAL": f"{POLL_S}s",
    "TUMEN_POLLER__INTERVAL_MIN": "0s",
    "TUMEN_POLLER__HOST_SPACING": "0s",
    "TUMEN_DESK__PORT": "0",
}


class Outside:
    """The feeds, and the receiver of webhooks."""

    def __init__(self) -> None:
        """Begin now."""
        self._begun = SystemClock().now()
        self.hooks = 0

    async def feed(self, request: web.Request) -> web.Response:
        """Serve a feed whose newest twenty entries change now and then; an honest ETag."""
        number = int(request.match_info["feed"])
        age_s = (SystemClock().now() - self._begun).total_seconds()
        newest = int((age_s + number * NEWS_S / FEEDS) / NEWS_S)
        tag = f'"{newest}"'
        if request.headers.get("If-None-Match") == tag:
            return web.Response(status=304, headers={"ETag": tag})
        items = "".join(self._item(number, entry) for entry in range(newest, newest - 20, -1))
        text = f"<rss version='2.0'><channel><title>Gazette {number}</title>{items}</channel></rss>"
        return web.Response(text=text, content_type="application/rss+xml", headers={"ETag": tag})

    def _item(self, feed: int, entry: int) -> str:
        words = Random(f"{feed} {entry}")
        return (
            f"<item><title>{prose(words, 9)}</title><guid isPermaLink='false'>{feed}/{entry}</guid>"
            f"<link>https://gazette{feed}.example/{entry}</link><pubDate>{format_datetime(self._begun)}</pubDate>"
            f"<description>{prose(words, 60)}</description></item>"
        )

    async def hook(self, request: web.Request) -> web.Response:
        """Take a webhook."""
        await request.read()
        self.hooks += 1
        return web.Response()


def prose(words: Random, count: int) -> str:
    """Return so many words."""
    return " ".join(words.choices(WORDS, k=count))


@asynccontextmanager
async def outside(port: int) -> AsyncIterator[Outside]:
    """Serve the world on sixteen addresses of loopback."""
    world = Outside()
    app = web.Application()
    app.router.add_get("/feeds/{feed}", world.feed)
    app.router.add_post("/hook", world.hook)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    for host in range(1, HOSTS + 1):
        await web.TCPSite(runner, f"127.0.0.{host}", port).start()
    try:
        yield world
    finally:
        await runner.cleanup()


def write_lists(folder: Path, port: int) -> None:
    """Write the feed list and a subscriber who wants everything."""
    feeds = [
        f'[[feeds]]\nxmlUrl = "http://127.0.0.{1 + n % HOSTS}:{port}/feeds/{n}"\ntitle = "Gazette {n}"\nlanguage = "en"\n'
        for n in range(FEEDS)
    ]
    (folder / "feeds.toml").write_text("\n".join(feeds), encoding="utf-8")
    hook = f"http://127.0.0.1:{port}/hook"
    (folder / "subscribers.toml").write_text(
        f'[[subscribers]]\nid = "soak"\nchannel = "{hook}"\nmatch = {{ severity_min = 1 }}\n',
        encoding="utf-8",
    )


class Writer:
    """Makes stories: ordinary ones, and one in a hundred that is flagged."""

    def __init__(self) -> None:
        """Begin with the same words every time."""
        self._words = Random(4)
        self._number = 0
        self._flagged = 0
        self._revisions: dict[int, int] = {}

    def story(self) -> Story:
        """Return the next story."""
        self._number += 1
        if self._number % FLAGGED_EVERY:
            return self._story(f"story {self._number}", prose(self._words, 9), prose(self._words, 250), 1)
        self._flagged += 1
        if self._flagged % NEW_EVENT_EVERY == 0:
            place = f"{PLACES[self._flagged % len(PLACES)]} {self._flagged}"
            return self._story(f"event {self._flagged}", ARMS.format(place=place), prose(self._words, 250), 1)
        known = self._flagged % REVISED
        self._revisions[known] = revision = self._revisions.get(known, 0) + 1
        title = ARMS.format(place=f"{PLACES[known % len(PLACES)]} {known}")
        return self._story(f"revised {known}", title, prose(self._words, 250), revision)

    def _story(self, name: str, title: str, text: str, revision: int) -> Story:
        now = stamp(SystemClock().now())
        url = f"https://soak.example/{stable_id(name)[:12]}"
        return Story(
            id=stable_id(name),
            revision=revision,
            change="new" if revision == 1 else "text",
            arrival="live",
            feed_id=stable_id("soak"),
            source=Source(name="Soak Wire", domain="soak.example", kind="agency"),
            guid=name,
            url=url,
            canonical_url=url,
            title=title,
            summary=title,
            text=text,
            language="en",
            published=now,
            first_seen=now,
            fetched_at=now,
            content_hash=stable_id(name, str(revision)),
            body_sha256="0" * 64,
        )


class Services:
    """The five processes, and their memory over time."""

    def __init__(self, url: str, folder: Path) -> None:
        """Start them all."""
        self._logs = {name: (folder / f"{name}.log").open("wb") for name in SERVICES}
        self.folder = folder
        self.processes = {name: self._start(name, url) for name in SERVICES}
        self.samples: dict[str, list[int]] = {name: [] for name in SERVICES}

    def _start(self, name: str, url: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "services", name, "--bus", url, "--health-port", "0"]
        log = self._logs[name]
        return subprocess.Popen(command, cwd=self.folder, env=environment(), stdout=log, stderr=log)

    def said(self, name: str) -> str:
        """Return what a service logged."""
        return (self.folder / f"{name}.log").read_text(encoding="utf-8", errors="replace")

    async def started(self) -> None:
        """Wait until all work."""
        async with asyncio.timeout(START_S):
            for name in SERVICES:
                while "process.started" not in self.said(name):
                    self._demand(name)
                    await pause(0.2)

    def _demand(self, name: str) -> None:
        if self.processes[name].poll() is not None:
            sys.exit(f"{name} ended: {self.said(name)[-2_000:]}")

    def sample(self) -> None:
        """Take the resident memory of each."""
        for name, process in self.processes.items():
            self._demand(name)
            status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
            found = re.search(r"^VmRSS:\s+(\d+) kB", status, re.MULTILINE)
            self.samples[name].append(int(found[1]) * 1024 if found else 0)

    def stop(self) -> None:
        """End them all."""
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            process.wait(30)
        for log in self._logs.values():
            log.close()


def environment() -> dict[str, str]:
    """Return what every process of ours runs under."""
    return {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), **ENVIRONMENT}


def tumen(folder: Path, *arguments: str) -> None:
    """Run a command of the command line to its end."""
    command = [sys.executable, "-m", "services", *arguments]
    subprocess.run(command, cwd=folder, env=environment(), check=True, stdout=subprocess.DEVNULL)


async def pause(seconds: float) -> None:
    """Let time pass."""
    await asyncio.wait({asyncio.get_running_loop().create_future()}, timeout=seconds)


async def feed_in(bus: Bus, until: float) -> int:
    """Append stories at the wanted rate, a partition at a time; return how many."""
    clock, writer = asyncio.get_running_loop().time, Writer()
    begun, done, turn = clock(), 0, 0
    while clock() < until:
        wanted = int((clock() - begun) * RATE) - done
        partition = turn % PARTITIONS
        stories = [writer.story() for _ in range(wanted)]
        await bus.append(
            [
                encode(STORIES, story, partition=partition, key=story.id, source="soak", at=story.first_seen)
                for story in stories
            ]
        )
        done, turn = done + wanted, turn + 1
        await pause(TICK_S)
    return done


async def watch(services: Services, until: float) -> None:
    """Sample until the time is up, and say how it stands once a minute."""
    clock = asyncio.get_running_loop().time
    said = clock()
    while clock() < until:
        services.sample()
        if clock() - said >= 60:
            said = clock()
            shown = ", ".join(f"{name} {values[-1] / 2**20:.0f}" for name, values in services.samples.items())
            print(f"  {(until - clock()) / 60:.0f} min left; MiB: {shown}", file=sys.stderr)
        await pause(SAMPLE_S)


def quarter(values: Sequence[int], number: int) -> float:
    """Return the median of a quarter, from 1."""
    size = len(values) // 4
    return median(values[size * (number - 1) : size * number])


async def soak(url: str, folder: Path) -> list[Figure]:
    """Run it all."""
    (port,) = free_ports(1)
    write_lists(folder, port)
    tumen(folder, "topics", "create", "--bus", url)
    for kind in ("feeds", "subscribers"):
        tumen(folder, kind, "import", f"{kind}.toml", "--bus", url)
    async with outside(port) as world, open_bus(url) as bus:
        services = Services(url, folder)
        try:
            await services.started()
            until = asyncio.get_running_loop().time() + MINUTES * 60
            done, _ = await asyncio.gather(feed_in(bus, until), watch(services, until))
            left = sum((await bus.lag("classifier", STORIES.name)).values())
        finally:
            services.stop()
    events = [
        json.loads(line)["event"]
        for name in SERVICES
        for line in services.said(name).splitlines()
        if line[:1] == "{"
    ]
    quiet = {
        "poll.finished",
        "alert.raised",
        "delivery.settled",
        "process.started",
        "process.stopping",
        "process.stopped",
    }
    others = {event: events.count(event) for event in sorted(set(events) - quiet)}
    print(
        f"  {world.hooks} webhooks, {events.count('poll.finished')} polls; other events: {others}",
        file=sys.stderr,
    )
    return [
        Figure("soak: stories in", done / (MINUTES * 60), "stories/s", None, 0.95 * RATE),
        Figure("soak: stories left at the end", left, "stories", None, 5 * RATE, "at most"),
        *(_flatness(name, values) for name, values in services.samples.items()),
    ]


def _flatness(name: str, values: Sequence[int]) -> Figure:
    second, last = quarter(values, 2), quarter(values, 4)
    what = f"soak: {name}, {last / 2**20:.1f} MiB in the last quarter, over the second"
    return Figure(what, last / second, "ratio", None, GROWTH_MAX, "at most")


def main() -> Iterator[Figure]:
    """Measure."""
    with running() as broker, tempfile.TemporaryDirectory() as folder:
        yield from asyncio.run(soak(f"kafka://{broker.address}", Path(folder)))
