"""What the desk knows: the newest alerts, in the order of the log. Adding gives a new value."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from schemas.alert import Alert, AlertKind

ALERTS_MAX = 1_000
"""Alerts held in memory (10 KB each): weeks of a busy monitor; older ones stay on the bus."""

_POSITION = re.compile(r"0:([0-9]{1,18})")


def position_text(position: int) -> str:
    """Return a position in the alerts topic as clients carry it: partition and offset."""
    return f"0:{position}"


def read_position(text: str) -> int | None:
    """Return the offset of a position, None where the text is none."""
    match = _POSITION.fullmatch(text)
    return int(match[1]) if match else None


@dataclass(frozen=True, slots=True)
class Entry:
    """An alert, where it stands in the log, and its canonical bytes, encoded once."""

    position: int
    alert: Alert
    json: bytes


@dataclass(frozen=True, slots=True)
class Filter:
    """Which alerts a reader wants."""

    severity_min: int = 1
    language: str | None = None
    kind: AlertKind | None = None

    def wants(self, alert: Alert) -> bool:
        """Return whether the alert passes."""
        if alert.severity < self.severity_min or (self.kind and alert.kind != self.kind):
            return False
        return not self.language or any(speaks(language, self.language) for language in alert.languages)


def speaks(language: str, wanted: str) -> bool:
    """Return whether a language tag is the wanted one or a narrower form of it (``zh`` wants ``zh-Hans``)."""
    tag, prefix = language.lower(), wanted.lower()
    return tag == prefix or tag.startswith(f"{prefix}-")


@dataclass(frozen=True, slots=True)
class Page:
    """Newest first; ``next_before`` is where the next page begins, None on the last."""

    entries: tuple[Entry, ...]
    next_before: int | None


@dataclass(frozen=True, slots=True)
class Projection:
    """The newest alerts, oldest first, each once; ``forgotten_to`` is the last position that was let go."""

    entries: tuple[Entry, ...] = ()
    forgotten_to: int = -1
    by_id: dict[str, Entry] = field(default_factory=dict)

    @property
    def as_of(self) -> int:
        """The newest position held, -1 before the first."""
        return self.entries[-1].position if self.entries else self.forgotten_to

    def add(self, fresh: Iterable[Entry]) -> Projection:
        """Return the projection with these entries; of the same alert the later record counts."""
        latest = {entry.alert.id: entry for entry in fresh}
        kept = [entry for entry in self.entries if entry.alert.id not in latest]
        entries = sorted([*kept, *latest.values()], key=lambda entry: entry.position)
        gone, held = entries[:-ALERTS_MAX], tuple(entries[-ALERTS_MAX:])
        forgotten_to = max((entry.position for entry in gone), default=self.forgotten_to)
        return Projection(held, forgotten_to, {entry.alert.id: entry for entry in held})

    def page(self, wanted: Filter, limit: int, before: int | None = None) -> Page:
        """Return up to ``limit`` wanted entries older than a position, newest first."""
        found: list[Entry] = []
        for entry in reversed(self.entries):
            if (before is None or entry.position < before) and wanted.wants(entry.alert):
                if len(found) == limit:
                    return Page(tuple(found), found[-1].position)
                found.append(entry)
        return Page(tuple(found), None)

    def since(self, position: int) -> Sequence[Entry] | None:
        """Return what came after a position, oldest first; None where that cannot be told without a gap.

        A position ahead of the log belongs to another log (a new demo day): what it has seen says nothing here.
        """
        if position < self.forgotten_to or position > self.as_of:
            return None
        return [entry for entry in self.entries if entry.position > position]

    def on_day(self, day: str) -> int:
        """Return how many of the alerts held were detected on a day (``2026-05-12``, UTC)."""
        return sum(entry.alert.detected_at.startswith(day) for entry in self.entries)
