"""The log's table: rows in, rows out, and the next offset of every partition.

Everything here runs in the worker's thread, except ``ends``, which any thread may read.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic, sleep
from typing import TypeVar

import apsw

from services.bus.ports import BATCH_BYTES_MAX, Message, MessageTooLarge, Record
from services.bus.sqlite.faults import speaking_plainly
from services.bus.sqlite.headers import pack, unpack
from services.bus.sqlite.query import first, rows
from services.bus.topics import TOPICS

T = TypeVar("T")

OFFSET_BITS = 40
OFFSET_MASK = (1 << OFFSET_BITS) - 1
# A story may carry a million code points, four bytes each at worst, and its envelope; nothing sane is larger.
MESSAGE_BYTES_MAX = 16 * 1024 * 1024
# A writer that finds the lock taken asks again after a random pause: SQLite's own pauses grow to 100 ms and let
# a slow writer starve behind quick ones.
RETRY_S_MIN = 0.0002
RETRY_S_MAX = 0.002
# Once closing, do not insist: leases run out by themselves, and SIGTERM promises five seconds.
CLOSING_BUSY_S = 1.0

COMPACTION_LAG_MS = 600_000
"""How long a superseded record stays: readers that are minutes behind see every value."""
TOMBSTONE_KEPT_MS = 86_400_000
"""How long a tombstone stays: readers that are hours behind still learn that the key has ended."""

_ROWS = "SELECT id, key, headers, appended_ms, value FROM log WHERE id >= ? AND id < ? ORDER BY id LIMIT ?"
_LATEST_ROWS = (
    "SELECT log.id, log.key, headers, appended_ms, value FROM log CROSS JOIN latest"
    " ON latest.partition_id = ?4 AND latest.key = log.key AND latest.log_id = log.id"
    " WHERE log.id >= ?1 AND log.id < ?2 ORDER BY log.id LIMIT ?3"
)
_SUPERSEDE = (
    "INSERT OR IGNORE INTO garbage SELECT ?3, log_id FROM latest WHERE partition_id = ?1 AND key = ?2"
)
_REMEMBER = "INSERT INTO latest VALUES (?1, ?2, ?3) ON CONFLICT (partition_id, key) DO UPDATE SET log_id = excluded.log_id"


@dataclass(frozen=True, slots=True)
class Place:
    """One partition of one topic, as the database numbers it."""

    id: int
    topic: str
    partition: int

    @property
    def base(self) -> int:
        """The row id of offset 0."""
        return self.id << OFFSET_BITS

    @property
    def compacted(self) -> bool:
        """Whether only the latest record of a key is kept."""
        topic = TOPICS.get(self.topic)
        return topic is not None and topic.compacted


@dataclass(frozen=True, slots=True)
class Row:
    """A message made ready before the lock is taken."""

    key: str
    headers: bytes
    value: bytes | None


Rows = dict[int, list[Row]]
"""What one transaction appends: rows per partition id, in order."""


class Store:
    """One connection and what is known of the log without asking it."""

    def __init__(
        self, connection: apsw.Connection, path: str, *, busy_s: float, closing: Callable[[], bool]
    ) -> None:
        """Take an open database; ``busy_s`` bounds every wait for another process's lock."""
        self.connection = connection
        self.path = path
        self._busy_s = busy_s
        self._closing = closing
        self.wal_pages = 0
        self.ends: dict[int, int] = {}
        self.generations: dict[str, int] = {}
        self.checked_at = 0.0
        self._data_version = -1
        table = rows(connection, "SELECT id, topic, partition FROM partitions ORDER BY id")
        self.places = {(topic, partition): Place(id_, topic, partition) for id_, topic, partition in table}
        self._place_of_id = {place.id: place for place in self.places.values()}
        self._compacted = frozenset(place.id for place in self.places.values() if place.compacted)
        connection.set_wal_hook(self._after_commit)

    def _after_commit(self, _connection: apsw.Connection, _schema: str, pages: int) -> int:
        self.wal_pages = pages
        return apsw.SQLITE_OK

    def place(self, topic: str, partition: int) -> Place:
        """Return the place of a partition; ValueError for one that does not exist."""
        place = self.places.get((topic, partition))
        if place is None:
            message = f"no partition {partition} of topic {topic!r} in {self.path}"
            raise ValueError(message)
        return place

    def of_topic(self, topic: str) -> list[Place]:
        """Return the places of a topic in order; ValueError for an unknown one."""
        self.place(topic, 0)
        return [place for place in self.places.values() if place.topic == topic]

    def prepare(self, batch: Rows, message: Message) -> None:
        """Add a message to the rows of a transaction, or say what is wrong with it."""
        place = self.place(message.topic, message.partition)
        size = len(message.value or b"")
        if size > MESSAGE_BYTES_MAX:
            problem = f"{message.topic} {message.key}: {size:,} bytes, the limit is {MESSAGE_BYTES_MAX:,}"

            raise MessageTooLarge(problem, message.topic, message.key)
        message.key.encode()
        batch.setdefault(place.id, []).append(Row(message.key, pack(message.headers), message.value))

    def patiently(self, work: Callable[[], T]) -> T:
        """Run one statement's work, again while another process holds the lock; never an apsw error out."""
        started = monotonic()
        with speaking_plainly(self.path):
            while True:
                try:
                    return work()
                except (apsw.BusyError, apsw.LockedError):
                    bound = min(self._busy_s, CLOSING_BUSY_S) if self._closing() else self._busy_s
                    if monotonic() - started >= bound:
                        raise
                sleep(random.uniform(RETRY_S_MIN, RETRY_S_MAX))  # noqa: S311 - it spreads retries

    @contextmanager
    def writing(self) -> Iterator[apsw.Connection]:
        """Commit what the block writes, or none of it."""
        self.patiently(lambda: self.connection.execute("BEGIN IMMEDIATE"))
        with speaking_plainly(self.path):
            try:
                yield self.connection
                self.connection.execute("COMMIT")
            except BaseException:
                if self.connection.in_transaction:  # a full disk has already rolled back
                    self.connection.execute("ROLLBACK")
                raise

    def append(self, batch: Rows, now_ms: int) -> dict[int, int]:
        """Write rows inside a transaction; return the new ends, to be published once it has committed."""
        ends: dict[int, int] = {}
        for id_, added in sorted(batch.items()):
            [(start,)] = rows(self.connection, "SELECT next_offset FROM partitions WHERE id = ?", (id_,))
            first = (id_ << OFFSET_BITS) + start
            ends[id_] = start + len(added)
            self.connection.execute("UPDATE partitions SET next_offset = ? WHERE id = ?", (ends[id_], id_))
            self.connection.executemany(
                "INSERT INTO log VALUES (?, ?, ?, ?, ?)",
                [
                    (log_id, row.key, row.headers, now_ms, row.value)
                    for log_id, row in enumerate(added, first)
                ],
            )
            if id_ in self._compacted:
                self._supersede(id_, first, added, now_ms)
        return ends

    def _supersede(self, id_: int, first: int, added: Sequence[Row], now_ms: int) -> None:
        """Note which rows are now the latest of their keys, and which may go."""
        due_ms = now_ms + COMPACTION_LAG_MS
        latest: dict[str, int] = {}
        garbage: list[tuple[int, int]] = []
        for log_id, row in enumerate(added, first):
            if row.key in latest:
                garbage.append((due_ms, latest[row.key]))
            if row.value is None:
                garbage.append((now_ms + TOMBSTONE_KEPT_MS, log_id))
            latest[row.key] = log_id
        self.connection.executemany(_SUPERSEDE, [(id_, key, due_ms) for key in latest])
        self.connection.executemany(_REMEMBER, [(id_, key, log_id) for key, log_id in latest.items()])
        self.connection.executemany("INSERT OR IGNORE INTO garbage VALUES (?, ?)", garbage)

    def publish(self, ends: dict[int, int]) -> None:
        """Let readers of this process see what was committed."""
        for id_, end in ends.items():
            self.ends[id_] = max(end, self.ends.get(id_, 0))

    def refresh(self) -> bool:
        """Look whether another process has committed; return whether anything is new."""
        version = self.patiently(lambda: self.connection.execute("PRAGMA data_version").get)
        self.checked_at = monotonic()
        if version == self._data_version:
            return False
        before = (self.ends.copy(), self.generations)
        self.publish(dict(self.patiently(self._read_ends)))
        self.generations = dict(self.patiently(self._read_generations))
        self._data_version = version
        return before != (self.ends, self.generations)

    def _read_ends(self) -> list[tuple[int, int]]:
        return [(id_, end) for id_, end in rows(self.connection, "SELECT id, next_offset FROM partitions")]

    def _read_generations(self) -> list[tuple[str, int]]:
        return [
            (name, number) for name, number in rows(self.connection, "SELECT name, generation FROM groups")
        ]

    def fetch(
        self, place: Place, start: int, end: int, records_max: int, bytes_max: int = BATCH_BYTES_MAX
    ) -> list[Record]:
        """Return records of offsets in [start, end), at least one if there is any, within the bounds."""
        span = (place.base + start, place.base + end, records_max)
        return self.patiently(lambda: self._records(place, self.connection.execute(_ROWS, span), bytes_max))

    def fetch_latest(self, place: Place, start: int, end: int, records_max: int) -> list[Record]:
        """Return, of a compacted partition, records that no later one of their key supersedes."""
        span = (place.base + start, place.base + end, records_max, place.id)
        return self.patiently(
            lambda: self._records(place, self.connection.execute(_LATEST_ROWS, span), BATCH_BYTES_MAX)
        )

    def _records(self, place: Place, cursor: apsw.Cursor, bytes_max: int) -> list[Record]:
        records: list[Record] = []
        room = bytes_max
        for id_, key, headers, appended_ms, value in cursor:
            room -= len(value or b"") + len(headers)
            if room < 0 and records:
                cursor.close()
                break
            records.append(
                Record(
                    place.topic, place.partition, id_ & OFFSET_MASK, key, value, unpack(headers), appended_ms
                )
            )
        return records

    def first_offset(self, place: Place, start: int) -> int | None:
        """Return the first offset that exists at or after one; None when there is none."""
        span = (place.base + start, place.base + OFFSET_MASK)
        query = "SELECT id FROM log WHERE id >= ? AND id < ? ORDER BY id LIMIT 1"
        found = self.patiently(lambda: first(self.connection, query, span))
        return None if found is None else found[0] & OFFSET_MASK
