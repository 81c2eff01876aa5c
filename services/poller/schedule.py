"""Whose turn is it? Feeds in the order of (due_at, feed_id), hosts one request at a time and spaced.

The host is the unit of politeness: concurrency, spacing and Retry-After live on hosts; feeds only ask. Pure: no clock,
no chance; the same calls give the same turns.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import timedelta

_LONG_AGO = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, order=True)
class Turn:
    """A feed whose turn it is, ordered as turns are published."""

    due_at: datetime
    feed_id: str


@dataclass(slots=True)
class _Host:
    waiting: list[Turn] = field(default_factory=list)
    in_flight: int = 0
    not_before: datetime = _LONG_AGO
    version: int = 0
    """Of its place among the hosts; older places are void."""


class Schedule:
    """The feeds of one lane and when they may be asked."""

    def __init__(self, host_concurrency: int, host_spacing: timedelta) -> None:
        """Take the limits of each host."""
        self._concurrency = host_concurrency
        self._spacing = host_spacing
        self._hosts: dict[str, _Host] = {}
        self._host_of: dict[str, str] = {}
        self._due: dict[str, datetime] = {}
        self._ready_at: list[tuple[datetime, Turn, int, str]] = []

    def put(self, feed_id: str, host: str, due_at: datetime) -> None:
        """Set when a feed is due; in place of what was set before."""
        self._host_of[feed_id] = host
        self._due[feed_id] = due_at
        place = self._hosts.setdefault(host, _Host())
        heapq.heappush(place.waiting, Turn(due_at, feed_id))
        self._place(host)

    def drop(self, feed_id: str) -> None:
        """Forget a feed; a request in flight still counts for its host until ``done``."""
        self._due.pop(feed_id, None)
        if (host := self._host_of.pop(feed_id, None)) is not None:
            self._place(host)

    def hold(self, host: str, until: datetime) -> None:
        """Let nobody ask a host before a moment; an earlier one changes nothing."""
        place = self._hosts.setdefault(host, _Host())
        place.not_before = max(place.not_before, until)
        self._place(host)

    def take(self, now: datetime, turns_max: int) -> list[Turn]:
        """Return whose turn it is now, at most so many, and count them as in flight."""
        ready = list[tuple[Turn, str]]()
        taken = list[Turn]()
        while len(taken) < turns_max:
            self._collect(now, ready)
            if not ready:
                break
            turn, host = heapq.heappop(ready)
            self._start(turn, host, now)
            taken.append(turn)
        for _, host in ready:
            self._place(host)
        return taken

    def _collect(self, now: datetime, ready: list[tuple[Turn, str]]) -> None:
        """Move hosts that may be asked now from the waiting list to the ready ones."""
        while self._ready_at and self._ready_at[0][0] <= now:
            _, turn, version, host = heapq.heappop(self._ready_at)
            if version == self._hosts[host].version:
                heapq.heappush(ready, (turn, host))

    def _start(self, turn: Turn, host: str, now: datetime) -> None:
        place = self._hosts[host]
        heapq.heappop(place.waiting)
        del self._due[turn.feed_id]
        place.in_flight += 1
        place.not_before = max(place.not_before, now + self._spacing)
        self._place(host)

    def done(self, host: str) -> None:
        """Say that one request to a host has been answered."""
        self._hosts[host].in_flight -= 1
        self._place(host)

    def next_at(self) -> datetime | None:
        """Return the earliest moment at which it may be somebody's turn; None: not before ``put`` or ``done``."""
        while self._ready_at and self._ready_at[0][2] != self._hosts[self._ready_at[0][3]].version:
            heapq.heappop(self._ready_at)
        return self._ready_at[0][0] if self._ready_at else None

    def owes(self, since: datetime, now: datetime) -> bool:
        """Tell whether a feed that was due at ``since`` still waits, and only for its turn at its host."""
        soon = now + self._spacing
        return any(
            due <= since and self._hosts[self._host_of[feed_id]].not_before <= soon
            for feed_id, due in self._due.items()
        )

    def _place(self, host: str) -> None:
        """Give a host its place by when its first feed may be asked; none while it is busy or has no feed."""
        place = self._hosts[host]
        place.version += 1
        while place.waiting and self._due.get(place.waiting[0].feed_id) != place.waiting[0].due_at:
            heapq.heappop(place.waiting)
        if place.waiting and place.in_flight < self._concurrency:
            first = place.waiting[0]
            at = max(first.due_at, place.not_before)
            heapq.heappush(self._ready_at, (at, first, place.version, host))
