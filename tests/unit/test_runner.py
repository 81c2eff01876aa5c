"""Live services stop when told, wait when the log is away, and fail loudly otherwise."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest

from services.bus.loop import Progress
from services.bus.ports import BusUnavailable
from services.clock import SystemClock
from services.runner import WAIT_MAX_S, WAIT_MIN_S, run, run_all, seconds_until


class Scripted:
    """A service that does what its script says at each drain: a number of records, or an error."""

    def __init__(self, name: str, script: list[int | Exception], stop: asyncio.Event | None = None) -> None:
        """Take the script; ``stop`` is set when it is used up."""
        self.name = name
        self._script = script
        self._stop = stop
        self.drained = 0

    async def drain(self, now: datetime) -> Progress:
        """Do the next thing of the script."""
        self.drained += 1
        if not self._script:
            if self._stop:
                self._stop.set()
            return Progress()
        did = self._script.pop(0)
        if isinstance(did, Exception):
            raise did
        return Progress(records=did)

    def next_wakeup(self) -> datetime | None:
        """No timers."""
        return None

    async def wait(self, timeout_s: float) -> None:
        """Wait for ever: only the stop ends it."""
        await asyncio.Event().wait()

    async def close(self) -> None:
        """Hold nothing."""


def no_notice(name: str, what: str) -> None:
    """Hear nothing."""


async def test_a_service_drains_until_there_is_nothing_and_then_waits_for_the_stop() -> None:
    """Three turns with work, one without, then a wait that the stop ends."""
    stop = asyncio.Event()
    service = Scripted("classifier", [1, 2, 3], stop)

    await asyncio.wait_for(run(service, SystemClock(), stop, no_notice), 5)

    assert service.drained == 4


async def test_a_log_that_is_away_is_waited_for_and_both_ends_are_told() -> None:
    """BusUnavailable is told once with its reason, and once when it is over."""
    heard: list[tuple[str, str]] = []
    stop = asyncio.Event()
    service = Scripted("poller", [BusUnavailable("locked by another process"), 1], stop)

    await asyncio.wait_for(run(service, SystemClock(), stop, lambda *told: heard.append(told)), 5)

    assert heard == [("poller", "locked by another process"), ("poller", "")]


async def test_the_first_failure_stops_every_service() -> None:
    """A bug in one service ends the process; it is not logged and forgotten."""
    healthy = Scripted("desk", [])
    failing = Scripted("alerter", [ValueError("a bug")])

    with pytest.raises(ValueError, match="a bug"):
        await asyncio.wait_for(run_all([healthy, failing], SystemClock(), asyncio.Event(), no_notice), 5)


async def test_what_fails_beside_the_services_stops_them_too() -> None:
    """Upkeep that cannot go on is not forgotten in the background."""

    async def upkeep() -> None:
        raise OSError("no disk")

    healthy = Scripted("desk", [])
    with pytest.raises(OSError, match="no disk"):
        await asyncio.wait_for(run_all([healthy], SystemClock(), asyncio.Event(), no_notice, upkeep()), 5)


async def test_a_drain_that_hangs_is_cut_off_after_a_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGTERM ends the process within seconds even when a drain does not come back."""
    ended: list[bool] = []

    class Hanging(Scripted):
        async def drain(self, now: datetime) -> Progress:
            try:
                return await asyncio.Event().wait()  # type: ignore[return-value]
            finally:
                ended.append(True)

    monkeypatch.setattr("services.runner.DRAIN_GRACE_S", 0.05)
    stop = asyncio.Event()
    stop.set()

    await asyncio.wait_for(run(Hanging("poller", []), SystemClock(), stop, no_notice), 5)

    assert ended == [True]


def test_waits_are_bounded_at_both_ends() -> None:
    """A timer in the past does not spin, one far away does not sleep through a lease."""
    now = SystemClock().now()

    assert seconds_until(None, now) == WAIT_MAX_S
    assert seconds_until(now - timedelta(seconds=1), now) == WAIT_MIN_S
    assert seconds_until(now + timedelta(days=1), now) == WAIT_MAX_S
    assert seconds_until(now + timedelta(seconds=2), now) == pytest.approx(2)
