"""The driver of a virtual day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from services.bus.loop import Progress
from services.clock import VirtualClock
from services.driver import NeverSettles, play, settle

START = datetime(2026, 5, 12, tzinfo=UTC)


class TickingService:
    """A service with timers at fixed minutes; it writes what it did, and may feed another one."""

    def __init__(
        self, name: str, minutes: list[int], diary: list[str], feeds: TickingService | None = None
    ) -> None:
        """Take the minutes of its timers."""
        self.name = name
        self._timers = [START + timedelta(minutes=minute) for minute in minutes]
        self._diary = diary
        self._feeds = feeds
        self.waiting = 0

    async def drain(self, now: datetime) -> Progress:
        """Do what is due, hand one record on for each timer."""
        due = [timer for timer in self._timers if timer <= now]
        self._timers = [timer for timer in self._timers if timer > now]
        done, self.waiting = self.waiting + len(due), 0
        if done:
            self._diary.append(f"{now:%H:%M} {self.name} {done}")
        if done and self._feeds:
            self._feeds.waiting += done
        return Progress(records=done)

    def next_wakeup(self) -> datetime | None:
        """Return the next timer."""
        return min(self._timers, default=None)

    async def wait(self, timeout_s: float) -> None:
        """Never called by a driver."""
        raise AssertionError

    async def close(self) -> None:
        """Hold nothing."""


async def test_the_day_is_played_in_order_of_wake_ups_and_each_instant_settles() -> None:
    """The poller goes first at each moment, and what it led to is finished before time moves on."""
    diary: list[str] = []
    alerter = TickingService("alerter", [], diary)
    classifier = TickingService("classifier", [5], diary, alerter)
    poller = TickingService("poller", [0, 7, 7], diary, classifier)
    clock = VirtualClock(START)

    day = await play(poller, (classifier, alerter), clock, START + timedelta(hours=1))

    assert diary == [
        "00:00 poller 1",
        "00:00 classifier 1",
        "00:00 alerter 1",
        "00:05 classifier 1",
        "00:05 alerter 1",
        "00:07 poller 2",
        "00:07 classifier 2",
        "00:07 alerter 2",
    ]
    assert (day.finished, day.instants, day.reached) == (True, 3, START + timedelta(minutes=7))


async def test_wake_ups_at_or_after_the_end_belong_to_the_next_day() -> None:
    """The end is exclusive."""
    diary: list[str] = []
    poller = TickingService("poller", [0, 60], diary)

    await play(poller, (), VirtualClock(START), START + timedelta(minutes=60))

    assert diary == ["00:00 poller 1"]


async def test_the_pace_may_stop_the_day_before_an_advance() -> None:
    """Ctrl-C between two moments leaves the day unfinished, at the moment reached."""

    async def stop_at_noon(moment: datetime) -> bool:
        return moment.hour < 12

    poller = TickingService("poller", [0, 30, 12 * 60], [])
    clock = VirtualClock(START)

    day = await play(poller, (), clock, START + timedelta(days=1), stop_at_noon)

    assert not day.finished
    assert day.reached == START + timedelta(minutes=30)


async def test_services_that_never_settle_are_named() -> None:
    """A loop between services ends the run with the names of those in it."""

    class Restless(TickingService):
        async def drain(self, now: datetime) -> Progress:
            return Progress(records=1)

    with pytest.raises(NeverSettles, match="restless"):
        await settle([Restless("restless", [], [])], START)
