"""Live processes: one service or all five on a log, with probes, until they are told to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol, cast, runtime_checkable

from services import __version__
from services.alerter.channels.post import AiohttpPoster
from services.bootstrap import garbage
from services.bootstrap.imports import import_settings_lists
from services.bootstrap.observed import Observed
from services.bootstrap.opening import open_bus, warn_of_partitions
from services.bootstrap.parts import DESK, SERVICES, Outside, Parts, poller_settings
from services.bootstrap.tally import Tally
from services.bootstrap.watch import Standing, Watch
from services.clock import SystemClock
from services.net.gate import Gate
from services.obs import log
from services.obs.health import Health
from services.obs.metrics import Metrics
from services.obs.pulse import Pulse
from services.poller.fetch import AiohttpFetcher
from services.poller.model import START_SPREAD
from services.poller.parse.pool import ParserPool
from services.runner import WAIT_MIN_S, race, run_all, stop_on_signals
from services.settings import Settings, resolve_secret

if TYPE_CHECKING:
    from collections.abc import Callable

    from schemas import Alert
    from services.bus.loop import Service
    from services.clock import Clock
    from services.desk.service import Desk

ONCE_WAIT_S = 1.0
"""``--once`` waits no longer than this before it looks again for what is still owed."""


@dataclass(frozen=True, slots=True)
class LiveOptions:
    """Which services, and how. ``health_port`` None: the settings' port plus the service's own number."""

    names: Sequence[str]
    once: bool = False
    health: bool = True
    health_port: int | None = None
    strict: bool = False
    publish_all: bool = False
    """The classifier publishes every verdict, not only the telling ones."""


@runtime_checkable
class Owing(Protocol):
    """A service that waits for the world: the poller."""

    def owes(self, since: datetime, now: datetime) -> bool:
        """Tell whether anything that was due at ``since`` is still to be done."""


async def run_live(settings: Settings, options: LiveOptions, show: Callable[[Alert], None]) -> None:
    """Run services until SIGTERM or, with ``once``, until all that is due is done."""
    clock = SystemClock()
    stop = asyncio.Event()
    stop_on_signals(stop)
    asked = asyncio.create_task(_asked_to_stop(stop, clock))
    stopping = asyncio.create_task(stop.wait())
    try:
        async with AsyncExitStack() as stack:
            await _live(stack, settings, options, show, clock, stop, stopping)
        if stop.is_set():
            log.emit("process.stopped", seconds=round((clock.now() - await asked).total_seconds(), 3))
    finally:
        asked.cancel()
        stopping.cancel()


async def _live(  # noqa: PLR0913, PLR0917 - what a process is made of
    stack: AsyncExitStack,
    settings: Settings,
    options: LiveOptions,
    show: Callable[[Alert], None],
    clock: Clock,
    stop: asyncio.Event,
    stopping: asyncio.Task[bool],
) -> None:
    """Open everything, work, and leave the closing to the stack; a stop meanwhile ends the opening, too."""
    metrics = Metrics()
    tally, standing = Tally(metrics), Standing(stop)
    bus = await race(
        stack.enter_async_context(open_bus(settings.bus, settings.kafka, signals=tally)), stopping
    )
    if bus is None:
        return
    if not options.once:
        await _open_health(stack, settings, options, metrics, standing)
    await warn_of_partitions(bus, settings)
    await import_settings_lists(bus, settings, clock.now(), strict=options.strict)
    outside = live_outside(settings, show)
    stack.push_async_callback(outside.close)
    parts = Parts(
        bus,
        clock,
        metrics,
        poller_settings(settings.poller),
        start_spread=timedelta(0) if options.once else START_SPREAD,
        publish_all=options.publish_all,
        live=True,
    )
    made: list[Service] = []
    stack.push_async_callback(close_all, made)
    for name in options.names:
        service = await race(parts.make(name, outside), stopping)
        if service is None:
            return
        made.append(service)
    garbage.settle()
    log.emit("process.started", version=__version__, bus=settings.bus, services=list(options.names))
    if options.once:
        await once(made, clock, stop)
        return
    for service in made:
        if service.name == DESK:
            await _open_desk(stack, settings, service)
    standing.started = True
    stall_s = settings.health.stall_timeout.total_seconds()
    observed = [Observed(service, clock, metrics) for service in made]
    watch = Watch(bus, options.names, tally, standing, stall_s)
    beside = (watch.keep(stopping), Pulse(metrics, stall_s).beat(stopping))
    await run_all(observed, clock, stop, standing.notice, *beside)


async def close_all(services: Sequence[Service]) -> None:
    """Close services side by side: each may wait for a log that is away."""
    await asyncio.gather(*(service.close() for service in services))


async def _asked_to_stop(stop: asyncio.Event, clock: Clock) -> datetime:
    """Say that the process was asked to stop, and return when."""
    await stop.wait()
    log.emit("process.stopping")
    return clock.now()


def live_outside(settings: Settings, show: Callable[[Alert], None]) -> Outside:
    """Return the real world: sockets behind the gate, parsing processes, secrets by reference."""
    poller = poller_settings(settings.poller)
    return Outside(
        fetcher=AiohttpFetcher(Gate(allow_private=settings.poller.allow_private), poller),
        parser=ParserPool(poller.parse_workers),
        poster=AiohttpPoster(Gate(allow_private=settings.alerter.allow_private)),
        show=show,
        resolve_secret=resolve_secret,
    )


async def once(services: Sequence[Service], clock: Clock, stop: asyncio.Event) -> None:
    """Drain until everything that was due at the start is done; host spacing is waited for, back-off is not."""
    since = clock.now()
    for service in services:
        while not stop.is_set():
            progress = await service.drain(clock.now())
            if isinstance(service, Owing) and service.owes(since, clock.now()):
                await service.wait(_pause_s(service, clock))
            elif not progress.moved:
                break


def _pause_s(service: Service, clock: Clock) -> float:
    wakeup = service.next_wakeup()
    if wakeup is None:
        return ONCE_WAIT_S
    return min(max((wakeup - clock.now()).total_seconds(), WAIT_MIN_S), ONCE_WAIT_S)


async def _open_health(
    stack: AsyncExitStack, settings: Settings, options: LiveOptions, metrics: Metrics, standing: Standing
) -> None:
    """Serve probes and metrics."""
    if not options.health:
        return
    health = Health(metrics, {"process": standing.phase, "log": standing.fault})
    port = (
        health_port(settings.health.port, options.names)
        if options.health_port is None
        else options.health_port
    )
    heard = await health.start(settings.health.bind, port)
    stack.push_async_callback(health.close)
    log.emit("health.listening", host=heard.host, port=heard.port, wanted=heard.wanted)


async def _open_desk(stack: AsyncExitStack, settings: Settings, service: Service) -> None:
    from services.desk.server import serve  # noqa: PLC0415 - nobody else pays for its import

    desk = cast("Desk", service)
    server = await serve(desk, settings.desk.bind, settings.desk.port, settings.desk.hosts)
    stack.push_async_callback(server.close)
    heard = server.listener
    log.emit("desk.listening", host=heard.host, port=heard.port, wanted=heard.wanted)


def health_port(first: int, names: Sequence[str]) -> int:
    """Return the port of the settings plus the number of a service that runs alone; 0 stays any port."""
    return first + SERVICES.index(names[0]) if first and len(names) == 1 else first
