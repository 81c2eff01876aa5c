"""Running the demo day: export the tape, play it through the pipeline, count what it came to."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from services.alerter.subscriberlist import read_subscribers
from services.bootstrap.day import DEMO_SECRET, FEED_LIST, SinkPoster, Summary, reached, summarise, tape_of
from services.bootstrap.imports import import_feeds, import_subscribers
from services.bootstrap.opening import PLAIN, open_bus
from services.bootstrap.parts import Outside, Parts
from services.clock import VirtualClock
from services.demo.load import DAY_FOLDER
from services.demo.model import DAY_END, DAY_START
from services.demo.world import World
from services.desk.server import serve
from services.driver import Day, play
from services.obs.metrics import Metrics
from services.poller.feedlist import read_feed_list
from services.poller.model import PollerSettings
from services.poller.parse.pool import ParserPool
from services.replay.player import TapePlayer
from services.replay.tape import read_tape
from services.settings import KafkaSection

if TYPE_CHECKING:
    from schemas import Alert
    from services.bus.ports import Bus
    from services.desk.service import Desk
    from services.driver import Pace
    from services.replay.tape import Tape

DEMO_INTERVAL = timedelta(minutes=15)
DAY_A_MINUTE = 1_440.0
"""Virtual seconds in a real one, at the default speed."""


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """How to play the day. ``speed`` None: as fast as it goes; ``bus`` None: a log that is thrown away."""

    speed: float | None = DAY_A_MINUTE
    bus: str | None = None
    kafka: KafkaSection = PLAIN
    desk: bool = True
    desk_bind: str = "127.0.0.1"
    desk_port: int = 8642
    desk_hosts: tuple[str, ...] = ()
    stay: bool = True
    """Keep the desk open after the day, until stopped."""


class Screen(Protocol):
    """What a run of the demo shows."""

    def show(self, alert: Alert) -> None:
        """Show one alert."""

    def at(self, now: datetime) -> None:
        """Show how far the day is."""

    def desk_is_at(self, url: str, wanted: int, *, moved: bool) -> None:
        """Say where the desk is, and that its port was busy."""

    def resumed(self, now: datetime) -> None:
        """Say that the day goes on from where it was."""

    def summary(self, summary: Summary, metrics: Metrics) -> None:
        """Show what the day came to."""

    def staying(self, url: str) -> None:
        """Say that the desk stays open until it is stopped."""


async def run_demo(options: DemoOptions, screen: Screen, stop: asyncio.Event) -> bool:
    """Play the day, or the rest of it; return whether it led to what it must."""
    async with AsyncExitStack() as stack:
        parser = ParserPool(PollerSettings().parse_workers)
        stack.push_async_callback(parser.close)
        await parser.warm()
        world = World.load()
        bus = await stack.enter_async_context(_bus(options))
        clock = VirtualClock(await reached(bus))
        metrics = Metrics()
        tape = read_tape(tape_of(world), "the demo day")
        outside = _outside(world, tape, parser, clock, screen.show)
        stack.push_async_callback(outside.close)
        await import_demo_lists(bus, tape.attached(FEED_LIST))
        parts = Parts(bus, clock, metrics, PollerSettings(interval=DEMO_INTERVAL), ordered=True)
        day, url = await _play(stack, parts, clock, outside, options, screen, stop)
        if not day.finished:
            return True
        summary = await summarise(bus, world)
        screen.summary(summary, metrics)
        if options.stay and url and not stop.is_set():
            screen.staying(url)
            await stop.wait()
        return not summary.faults


async def _play(  # noqa: PLR0913, PLR0917 - what a run is made of
    stack: AsyncExitStack,
    parts: Parts,
    clock: VirtualClock,
    outside: Outside,
    options: DemoOptions,
    screen: Screen,
    stop: asyncio.Event,
) -> tuple[Day, str | None]:
    """Make the services and play; return the day and where the desk is."""
    if clock.now() > DAY_START:
        screen.resumed(clock.now())
    poller = await parts.make_poller(outside)
    others = (
        await parts.make_classifier(),
        await parts.make_correlator(),
        await parts.make_alerter(outside),
        desk := await parts.make_desk(),
    )
    for service in (poller, *others):
        stack.push_async_callback(service.close)
    url = await _serve(stack, desk, options, screen) if options.desk else None
    day = await play(poller, others, clock, DAY_END, pace_of(options.speed, clock, stop, screen.at))
    return day, url


async def _serve(stack: AsyncExitStack, desk: Desk, options: DemoOptions, screen: Screen) -> str:
    server = await serve(desk, options.desk_bind, options.desk_port, options.desk_hosts)
    stack.push_async_callback(server.close)
    screen.desk_is_at(server.url, options.desk_port, moved=server.listener.moved)
    return server.url


@asynccontextmanager
async def _bus(options: DemoOptions) -> AsyncIterator[Bus]:
    if options.bus is not None:
        async with open_bus(options.bus, options.kafka) as bus:
            yield bus
        return
    with tempfile.TemporaryDirectory(prefix="tumen-demo-") as folder:
        async with open_bus(f"sqlite:{Path(folder) / 'day.db'}", durable=False) as bus:
            yield bus


def _outside(
    world: World, tape: Tape, parser: ParserPool, clock: VirtualClock, show: Callable[[Alert], None]
) -> Outside:
    settings = PollerSettings()
    return Outside(
        fetcher=TapePlayer(tape, clock, settings.body_max),
        parser=parser,
        poster=SinkPoster(world, clock),
        show=show,
        resolve_secret=lambda _reference: DEMO_SECRET,
    )


async def import_demo_lists(bus: Bus, feed_list: bytes) -> None:
    """Put the day's feeds and subscribers on the log; on a resumed day this changes nothing."""
    await import_feeds(bus, read_feed_list(feed_list, FEED_LIST), FEED_LIST, DAY_START)
    path = DAY_FOLDER / "subscribers.toml"
    await import_subscribers(bus, read_subscribers(path.read_bytes(), path.name), path.name, DAY_START)


def pace_of(
    speed: float | None, clock: VirtualClock, stop: asyncio.Event, at: Callable[[datetime], None]
) -> Pace:
    """Return the pace of a speed (virtual seconds a real one; None: no waiting); it ends the day at ``stop``."""
    start, begun = clock.now(), asyncio.get_running_loop().time()

    async def pace(moment: datetime) -> bool:
        at(moment)
        if speed is not None:
            wait_s = (moment - start).total_seconds() / speed - (asyncio.get_running_loop().time() - begun)
            if wait_s > 0:
                stopping = asyncio.create_task(stop.wait())
                await asyncio.wait({stopping}, timeout=wait_s)
                stopping.cancel()
        return not stop.is_set()

    return pace
