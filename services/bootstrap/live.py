"""Live processes: one service or all five on a log, with probes, until they are told to stop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from services import __version__
from services.alerter.channels.post import AiohttpPoster
from services.bootstrap.imports import import_feeds, import_subscribers
from services.bootstrap.log import open_bus
from services.bootstrap.observed import Observed, measure_lag
from services.bootstrap.parts import SERVICES, Outside, Parts, poller_settings
from services.bus.ports import BusUnavailable
from services.clock import SystemClock
from services.desk.server import serve
from services.desk.service import Desk
from services.net.gate import Gate
from services.obs import log
from services.obs.health import Health
from services.obs.metrics import Metrics
from services.poller.fetch import AiohttpFetcher
from services.poller.loop import START_SPREAD
from services.poller.parse.pool import ParserPool
from services.runner import UNAVAILABLE_WAIT_S, run_all, stop_on_signals
from services.settings import Settings, SettingsError, resolve_secret

if TYPE_CHECKING:
    from collections.abc import Callable

    from schemas import Alert
    from services.bus.loop import Service
    from services.bus.sqlite import SqliteBus
    from services.clock import Clock

MAINTAIN_S = 5.0
"""Between two looks at whether the log needs compaction, expiry or a checkpoint."""
ONCE_WAIT_S = 1.0
LIST_BYTES_MAX = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class LiveOptions:
    """Which services, and how. ``health_port`` None: the settings' port plus the service's own number."""

    names: Sequence[str]
    once: bool = False
    health: bool = True
    health_port: int | None = None
    strict: bool = False


class Standing:
    """What readiness knows: which services cannot reach the log, and why."""

    def __init__(self) -> None:
        """Begin with all well."""
        self._faults: dict[str, str] = {}

    def notice(self, service: str, what: str) -> None:
        """Take what a runner says of a service; "" ends it."""
        if what:
            log.emit("bus.unavailable", service=service, error=what, retry_seconds=UNAVAILABLE_WAIT_S)
            self._faults[service] = what
        else:
            self._faults.pop(service, None)

    def reason(self) -> str | None:
        """Return why this process is not ready."""
        return next(iter(self._faults.values()), None)


async def run_live(settings: Settings, options: LiveOptions, show: Callable[[Alert], None]) -> None:
    """Run services until SIGTERM or, with ``once``, until all that is due is done."""
    clock = SystemClock()
    stop = asyncio.Event()
    stop_on_signals(stop)
    async with AsyncExitStack() as stack:
        bus = await stack.enter_async_context(open_bus(settings.bus))
        metrics = Metrics()
        await import_lists(bus, settings, clock, strict=options.strict)
        outside = live_outside(settings, show)
        stack.push_async_callback(outside.close)
        spread = timedelta(0) if options.once else START_SPREAD
        parts = Parts(bus, clock, metrics, poller_settings(settings.poller), start_spread=spread)
        made = [await parts.make(name, outside) for name in options.names]
        for service in made:
            stack.push_async_callback(service.close)
        log.emit("process.started", version=__version__, bus=settings.bus, services=list(options.names))
        if options.once:
            await once(made, clock, stop)
            return
        standing = Standing()
        await _open_doors(stack, settings, options, made, metrics, standing)
        observed = [Observed(service, clock, metrics) for service in made]
        upkeep = asyncio.create_task(_maintain(bus, options.names, metrics, stop))
        stack.callback(upkeep.cancel)
        await run_all(observed, clock, stop, standing.notice)
        log.emit("process.stopping")
        begun = clock.now()
    log.emit("process.stopped", seconds=round((clock.now() - begun).total_seconds(), 3))


async def import_lists(bus: SqliteBus, settings: Settings, clock: Clock, *, strict: bool) -> None:
    """Import ``feeds`` and ``subscribers`` of the settings; with ``strict`` the first problem ends the process."""
    problems: list[str] = []
    if settings.feeds:
        problems += await import_feeds(bus, read_list(settings.feeds), settings.feeds, clock.now())
    if settings.subscribers:
        text = read_list(settings.subscribers).decode("utf-8", "replace")
        problems += await import_subscribers(bus, text, settings.subscribers, clock.now())
    if strict and problems:
        raise SettingsError(problems[0])


def read_list(path: str) -> bytes:
    """Return a list's bytes; SettingsError names the file and why it cannot be read."""
    try:
        with Path(path).open("rb") as file:
            data = file.read(LIST_BYTES_MAX + 1)
    except OSError as error:
        message = f"{path}: cannot be read: {error.strerror}"
        raise SettingsError(message) from error
    if len(data) > LIST_BYTES_MAX:
        message = f"{path}: larger than {LIST_BYTES_MAX >> 20} MiB"
        raise SettingsError(message)
    return data


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
            owes = getattr(service, "owes", None)
            if owes is not None and owes(since, clock.now()):
                await service.wait(_pause_s(service, clock))
            elif not progress.moved:
                break


def _pause_s(service: Service, clock: Clock) -> float:
    wakeup = service.next_wakeup()
    if wakeup is None:
        return ONCE_WAIT_S
    return min(max((wakeup - clock.now()).total_seconds(), 0.001), ONCE_WAIT_S)


async def _open_doors(  # noqa: PLR0913, PLR0917 - what the doors open on
    stack: AsyncExitStack,
    settings: Settings,
    options: LiveOptions,
    services: Sequence[Service],
    metrics: Metrics,
    standing: Standing,
) -> None:
    """Serve probes and, where there is one, the desk."""
    if options.health:
        health = Health(metrics, {"log": standing.reason})
        first = SERVICES.index(options.names[0]) if len(options.names) == 1 else 0
        port = settings.health.port + first if options.health_port is None else options.health_port
        heard = await health.start(settings.health.bind, port)
        stack.push_async_callback(health.close)
        log.emit("health.listening", host=heard.host, port=heard.port, wanted=heard.wanted)
    for service in services:
        if isinstance(service, Desk):
            server = await serve(service, settings.desk.bind, settings.desk.port, settings.desk.hosts)
            stack.push_async_callback(server.close)
            heard = server.listener
            log.emit("desk.listening", host=heard.host, port=heard.port, wanted=heard.wanted)


async def _maintain(bus: SqliteBus, names: Sequence[str], metrics: Metrics, stop: asyncio.Event) -> None:
    """Keep the log in order beside the services, and say how far behind they are."""
    stopping = asyncio.create_task(stop.wait())
    while not stopping.done():
        with contextlib.suppress(BusUnavailable):  # the services meet it too, and say so
            await bus.maintain()
            await measure_lag(bus, names, metrics)
        await asyncio.wait({stopping}, timeout=MAINTAIN_S)
