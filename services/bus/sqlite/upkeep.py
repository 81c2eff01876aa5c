"""Upkeep in small steps: superseded rows and old records go, the write-ahead log is folded into the file.

One process at a time does it. A step holds the write lock for milliseconds, so no writer waits long.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING

import apsw

from services.bus.sqlite.faults import speaking_plainly
from services.bus.sqlite.identity import surely_dead
from services.bus.sqlite.query import first, rows
from services.bus.sqlite.store import OFFSET_MASK, Place, Store
from services.bus.topics import TOPICS

if TYPE_CHECKING:
    from collections.abc import Sequence

DUTY = "upkeep"
DUTY_MS = 30_000
"""How long the duty stays with a process that says nothing more; a killed one's is free at once."""
STEP_ROWS_MAX = 200
STEPS_MAX = 100
"""One call removes this many steps' rows at most; the next goes on."""

# From here on the write-ahead log is folded in by whoever commits, should nobody call for upkeep: 32 MB.
WAL_PAGES_SOFT = 4_096
# A log this long, 128 MB, makes writers wait a moment so that it can start over.
WAL_PAGES_HARD = 16_384
RESTART_BUSY_MS = 100


@dataclass(frozen=True, slots=True)
class Upkeep:
    """What one call did. ``on_duty`` False: another process does it."""

    on_duty: bool
    removed: int = 0


def take_duty(store: Store, identity: str, now_ms: int) -> bool:
    """Return whether this process is the one that does the upkeep now."""
    with store.writing() as connection:
        held = first(connection, "SELECT owner, until_ms FROM duties WHERE name = ?", (DUTY,))
        if held and held[0] != identity and held[1] > now_ms and not surely_dead(held[0]):
            return False
        connection.execute(
            "INSERT OR REPLACE INTO duties VALUES (?, ?, ?)", (DUTY, identity, now_ms + DUTY_MS)
        )
        return True


def drop_duty(connection: apsw.Connection, identity: str) -> None:
    """Leave the duty to others (inside a transaction)."""
    connection.execute("DELETE FROM duties WHERE name = ? AND owner = ?", (DUTY, identity))


def step(store: Store, now_ms: int) -> int:
    """Remove a few rows that are due; return how many, 0 when nothing is left to do."""
    return _collect(store, now_ms) or _expire(store, now_ms)


def _collect(store: Store, now_ms: int) -> int:
    """Remove superseded rows, and tombstones that were kept long enough."""
    due = store.patiently(
        lambda: rows(
            store.connection,
            "SELECT due_ms, log_id FROM garbage WHERE due_ms <= ? ORDER BY due_ms LIMIT ?",
            (now_ms, STEP_ROWS_MAX),
        )
    )
    if due:
        with store.writing() as connection:
            _remove(connection, [log_id for _, log_id in due])
            connection.executemany("DELETE FROM garbage WHERE due_ms = ? AND log_id = ?", due)
    return len(due)


def _expire(store: Store, now_ms: int) -> int:
    """Remove records past their topic's retention, oldest first, of the first partition that has any."""
    for place in store.places.values():
        old = store.patiently(lambda place=place: _too_old(store.connection, place, now_ms))  # type: ignore[misc]
        if old:
            with store.writing() as connection:
                _remove(connection, old)
            return len(old)
    return 0


def _too_old(connection: apsw.Connection, place: Place, now_ms: int) -> list[int]:
    topic = TOPICS.get(place.topic)
    if topic is None or topic.retention_ms is None:
        return []
    query = "SELECT id, appended_ms FROM log WHERE id >= ? AND id < ? ORDER BY id LIMIT ?"
    span = (place.base, place.base + OFFSET_MASK)
    cutoff_ms = now_ms - topic.retention_ms
    oldest = first(connection, query, (*span, 1))
    if oldest is None or oldest[1] > cutoff_ms:
        return []
    ids = rows(connection, query, (*span, STEP_ROWS_MAX))
    return [id_ for id_, _ in takewhile(lambda row: row[1] <= cutoff_ms, ids)]


def _remove(connection: apsw.Connection, log_ids: Sequence[int]) -> None:
    """Remove rows, and what is remembered of those that are still the latest of their key."""
    ids = [(log_id,) for log_id in log_ids]
    connection.executemany(
        "DELETE FROM latest WHERE log_id = ?1 AND partition_id = ?1 >> 40"
        " AND key = (SELECT key FROM log WHERE id = ?1)",
        ids,
    )
    connection.executemany("DELETE FROM log WHERE id = ?", ids)


def checkpoint(store: Store) -> None:
    """Fold the write-ahead log into the database without making anybody wait, or hardly, when it is very long."""
    with speaking_plainly(store.path):
        try:
            pages, _ = store.connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
            if pages >= WAL_PAGES_HARD:
                store.connection.set_busy_timeout(RESTART_BUSY_MS)
                store.connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        except (apsw.BusyError, apsw.LockedError):
            return  # another process is at it, or a reader is long: next time
        finally:
            store.connection.set_busy_timeout(0)
