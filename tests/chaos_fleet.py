"""Real `tumen` processes of every service on one broker, and what is done to them: struck, replaced, woken, ended."""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

from click.testing import CliRunner

from services.cli.main import main
from services.settings import KafkaSection
from tests.pause import nap

ROOT = Path(__file__).parents[1]
SERVICES = ("poller", "classifier", "correlator", "alerter")
STRIKES = (signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM)
SESSION_S = 6
TURN = len(SERVICES) * len(STRIKES)
"""Strikes until every service had each."""
STOPPED_S = 8.0
"""Past the session: whoever wakes is a zombie."""
WOKEN_S = 4.0
"""How long a woken zombie may try to go on before it is told to end."""
ENDING_S_MAX = 15.0
LOOK_S = 0.2
LOG_END = 2_000
STARTED = b'"process.started"'
LONGER_MAX = 6
"""Times the seconds of a chaos: a busy machine starts processes slowly, and those are not struck."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where processes run: the broker, names of their own, how often a feed is asked."""

    address: str
    prefix: str
    interval_s: float

    @property
    def bus(self) -> str:
        """The URL of the log."""
        return f"kafka://{self.address}"

    @property
    def kafka(self) -> KafkaSection:
        """The settings of the log, for the test's own reading."""
        return KafkaSection.model_validate(
            {"topic_prefix": self.prefix, "environment": "chaos", "session_timeout": f"{SESSION_S}s"}
        )

    @property
    def environment(self) -> dict[str, str]:
        """The settings of a process."""
        return {
            "PATH": "/usr/bin:/bin",
            "TUMEN_BUS": self.bus,
            "TUMEN_KAFKA__TOPIC_PREFIX": self.prefix,
            "TUMEN_KAFKA__ENVIRONMENT": "chaos",
            "TUMEN_KAFKA__SESSION_TIMEOUT": f"{SESSION_S}s",
            "TUMEN_POLLER__ALLOW_PRIVATE": "true",
            "TUMEN_POLLER__INTERVAL": f"{self.interval_s * 1_000:g}ms",
            "TUMEN_POLLER__INTERVAL_MIN": "0s",
            "TUMEN_POLLER__HOST_SPACING": "0s",
            "TUMEN_POLLER__HOST_CONCURRENCY": "4",
            "TUMEN_ALERTER__ALLOW_PRIVATE": "true",
            "TUMEN_LOG__FORMAT": "json",
        }

    def job(self, *arguments: str) -> None:
        """Run a command to its end."""
        done = CliRunner().invoke(main, arguments, env=self.environment)
        assert done.exit_code == 0, done.output


@dataclass(slots=True)
class Member:
    """One process of a service."""

    service: str
    process: subprocess.Popen[bytes]
    log: Path
    woken_at: float | None = None

    def has_started(self) -> bool:
        """Whether it has joined its group."""
        return STARTED in self.log.read_bytes()

    def ended_well(self) -> bool:
        """Whether it did what it was told; before it has said a word, a signal ends it as it ends any process."""
        code = self.process.returncode
        return code in {0, -signal.SIGKILL} or (code == -signal.SIGTERM and not self.said())

    def said(self) -> str:
        """Return the end of its log."""
        return self.log.read_text(errors="replace")[-LOG_END:]


@dataclass(slots=True)
class Fleet:
    """The processes. ``struck``: when a service was struck, or woke."""

    place: Place
    folder: Path
    alive: list[Member] = field(default_factory=list)
    stopped: list[tuple[float, Member]] = field(default_factory=list)
    leaving: list[tuple[float, Member]] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    struck: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in SERVICES})
    faults: list[str] = field(default_factory=list)
    started: int = 0

    def start(self, service: str) -> None:
        """Start one more process of a service."""
        self.started += 1
        log = self.folder / f"{service}-{self.started}.log"
        more = ("--publish-all",) if service == "classifier" else ()
        with log.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "services", service, "--health-port", "off", *more],
                cwd=ROOT, env=self.place.environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
            )  # fmt: skip
        self.alive.append(Member(service, process, log))

    def start_all(self, counts: Mapping[str, int]) -> None:
        """Start so many of each service."""
        for service, count in counts.items():
            for _ in range(count):
                self.start(service)

    def strike(self, service: str, what: signal.Signals, draw: random.Random, now: float) -> bool:
        """Do something to one process of a service that is at work, and start another in its place.

        The longest there, or any. Where all are still starting there is nothing to strike: it is told by False.
        """
        own = [member for member in self.alive if member.service == service and member.has_started()]
        if not own:
            return False
        member = own[0] if draw.random() < 0.5 else draw.choice(own)
        self.alive.remove(member)
        member.process.send_signal(what)
        self.done[what.name] += 1
        self.struck[service].append(now)
        (self.stopped if what == signal.SIGSTOP else self.leaving).append((now, member))
        self.start(service)
        return True

    def tend(self, now: float) -> None:
        """Wake zombies whose time has come, tell those that woke to end, and look who died by itself."""
        for since, member in tuple(self.stopped):
            if now - since >= STOPPED_S:
                self.stopped.remove((since, member))
                member.process.send_signal(signal.SIGCONT)
                member.woken_at = now
                self.struck[member.service].append(now)
                self.alive.append(member)
        for member in tuple(self.alive):
            if member.process.poll() is not None:
                self.alive.remove(member)
                self.faults.append(f"{member.service} ended by itself: {member.said()}")
            elif member.woken_at is not None and now - member.woken_at >= WOKEN_S:
                self.alive.remove(member)
                self._tell_to_end(member, now)
        for since, member in tuple(self.leaving):
            if member.process.poll() is not None:
                self.leaving.remove((since, member))
                if not member.ended_well():
                    self.faults.append(f"{member.service} ended badly: {member.said()}")
            elif now - since >= ENDING_S_MAX:
                self.leaving.remove((since, member))
                late = f"{member.service} did not end within {ENDING_S_MAX:g} s of SIGTERM"
                self.faults.append(f"{late}: {member.said()}")
                member.process.kill()
                member.process.wait()

    def _tell_to_end(self, member: Member, now: float) -> None:
        member.process.terminate()
        self.struck[member.service].append(now)
        self.leaving.append((now, member))

    async def dismiss(self) -> None:
        """Tell everybody to end, and wait until they have."""
        clock = asyncio.get_running_loop().time
        for _, member in self.stopped:
            member.process.send_signal(signal.SIGCONT)
        everyone = [*self.alive, *(member for _, member in self.stopped)]
        self.alive, self.stopped = [], []
        for member in everyone:
            self._tell_to_end(member, clock())
        while self.leaving:
            self.tend(clock())
            await nap(LOOK_S)

    def end(self) -> None:
        """End every process at once, each by its own id."""
        for _, member in (*self.stopped, *self.leaving):
            member.process.kill()
            member.process.wait()
        for member in self.alive:
            member.process.kill()
            member.process.wait()


def plan(draw: random.Random, services: Collection[str] = SERVICES) -> Iterator[tuple[str, signal.Signals]]:
    """Yield strikes without end: every kind on every service, in an order of the seed's, again and again."""
    while True:
        turn = list(product(services, STRIKES))
        draw.shuffle(turn)
        yield from turn


async def wreak(
    fleet: Fleet, draw: random.Random, seconds: float, every_s: float, over: Callable[[], Awaitable[bool]]
) -> None:
    """Strike for so many seconds, and on until every service had everything done to it and the work is ``over``.

    In the end, wake who is still stopped.
    """
    clock = asyncio.get_running_loop().time
    strikes, begun = plan(draw), clock()
    next_at, strike = begun, next(strikes)
    while (now := clock()) - begun < LONGER_MAX * seconds:
        if now - begun >= seconds and fleet.done.total() >= TURN and await over():
            break
        fleet.tend(now)
        if now >= next_at and fleet.strike(*strike, draw, now):
            next_at, strike = now + draw.uniform(0.6, 1.4) * every_s, next(strikes)
        await nap(LOOK_S)
    while fleet.stopped or any(member.woken_at for member in fleet.alive):
        fleet.tend(clock())
        await nap(LOOK_S)
