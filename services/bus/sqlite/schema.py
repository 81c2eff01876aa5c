"""Opening the database: the checks, the settings, the tables and their migrations."""

from __future__ import annotations

import os
from pathlib import Path
from time import monotonic, sleep

import apsw

from services.bus.ports import BusDamaged, BusUnavailable
from services.bus.sqlite.faults import translated
from services.bus.topics import SHARDED, TOPICS

MEMORY = ":memory:"
APPLICATION_ID = 0x74756D6E
"""``tumn``: what `file` and we recognise a tumen database by."""

# Older versions can corrupt a write-ahead log that several processes share (the WAL-reset bug).
SQLITE_MIN = (3, 51, 3)
# Three records of 2 KB fit a page; with SQLite's own 4 KB one does, and half the page is waste.
PAGE_BYTES = 8192
CACHE_KIB = 16 * 1024
SETUP_RETRY_S = 0.01

# A log row's id is the partition's id and the offset: one partition's records lie side by side, in order.
# ``latest`` has one row per key of a compacted topic; ``garbage`` names rows that may go, and when.
_VERSION_1 = """
CREATE TABLE partitions (
  id INTEGER PRIMARY KEY, topic TEXT NOT NULL, partition INTEGER NOT NULL, next_offset INTEGER NOT NULL DEFAULT 0,
  UNIQUE (topic, partition)
) STRICT;
CREATE TABLE log (
  id INTEGER PRIMARY KEY, key TEXT NOT NULL, headers BLOB NOT NULL, appended_ms INTEGER NOT NULL, value BLOB
) STRICT;
CREATE TABLE latest (
  partition_id INTEGER NOT NULL, key TEXT NOT NULL, log_id INTEGER NOT NULL, PRIMARY KEY (partition_id, key)
) STRICT, WITHOUT ROWID;
CREATE TABLE garbage (
  due_ms INTEGER NOT NULL, log_id INTEGER NOT NULL, PRIMARY KEY (due_ms, log_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE groups (
  name TEXT PRIMARY KEY, generation INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE TABLE members (
  group_name TEXT NOT NULL, identity TEXT NOT NULL, until_ms INTEGER NOT NULL, PRIMARY KEY (group_name, identity)
) STRICT, WITHOUT ROWID;
CREATE TABLE leases (
  group_name TEXT NOT NULL, partition_id INTEGER NOT NULL, owner TEXT, epoch INTEGER NOT NULL DEFAULT 0,
  until_ms INTEGER NOT NULL DEFAULT 0, position INTEGER NOT NULL DEFAULT 0, metadata TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (group_name, partition_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE duties (
  name TEXT PRIMARY KEY, owner TEXT NOT NULL, until_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
"""
MIGRATIONS = (_VERSION_1,)
"""What leads from version n to n + 1. Append; a version that is out never changes."""


def open_database(path: str, *, shards: int, durable: bool, busy_s: float) -> apsw.Connection:
    """Open or create the database at a path; BusError says in one line why not."""
    demand_sqlite(apsw.sqlite_lib_version())
    connection: apsw.Connection | None = None
    try:
        connection = apsw.Connection(path)
        _settle(connection, path, shards=shards, durable=durable, busy_s=busy_s)
    except BaseException as error:
        if connection is not None:
            connection.close(force=True)
        if isinstance(error, apsw.Error):
            raise translated(error, path) from error
        raise
    return connection


def demand_sqlite(version: str) -> None:
    """Refuse a SQLite that can corrupt what several processes share."""
    if tuple(int(part) for part in version.split(".")) < SQLITE_MIN:
        needed = ".".join(map(str, SQLITE_MIN))
        message = f"SQLite {version} can corrupt a shared database; tumen needs {needed} or later: install a current apsw"
        raise BusUnavailable(message)


def _settle(connection: apsw.Connection, path: str, *, shards: int, durable: bool, busy_s: float) -> None:
    """Check, set up, migrate; try again while another process does the same."""
    deadline = monotonic() + busy_s
    while True:
        try:
            _check(connection, path)
            _set_up(connection, durable=durable)
            _migrate(connection, path, shards)
        except (apsw.BusyError, apsw.LockedError):
            if monotonic() >= deadline:
                raise
            sleep(SETUP_RETRY_S)
        else:
            return


def _check(connection: apsw.Connection, path: str) -> None:
    """Refuse a database that is not ours, newer than us, or not writable; before anything is written."""
    with connection:  # one snapshot: another process may be making the tables just now
        application = connection.pragma("application_id")
        version = connection.pragma("user_version")
        tables = connection.execute("SELECT count(*) FROM sqlite_schema").get
    if application != APPLICATION_ID and (application or version or tables):
        message = f"{path} is another program's SQLite database: name another file"
        raise BusDamaged(message)
    if version > len(MIGRATIONS):
        message = (
            f"{path} was written by a newer tumen (database version {version}, this one knows {len(MIGRATIONS)}): "
            "install the newer tumen, or name another file"
        )
        raise BusDamaged(message)
    if path != MEMORY and (connection.readonly("main") or not os.access(Path(path).parent, os.W_OK)):
        raise apsw.ReadOnlyError(path)


def _set_up(connection: apsw.Connection, *, durable: bool) -> None:
    connection.set_busy_timeout(0)
    connection.pragma("page_size", PAGE_BYTES)
    mode = connection.pragma("journal_mode", "wal")
    if mode not in {"wal", "memory"}:
        raise BusUnavailable("the file system cannot share a database between processes: use a local disk")
    connection.pragma("synchronous", "FULL" if durable else "OFF")
    connection.pragma("cache_size", -CACHE_KIB)
    connection.pragma("wal_autocheckpoint", 0)
    connection.pragma("temp_store", "MEMORY")


def _migrate(connection: apsw.Connection, path: str, shards: int) -> None:
    """Bring the schema and the table of topics up to date, in one transaction; most opens find nothing to do."""
    if connection.pragma("user_version") == len(MIGRATIONS) and not _missing(connection, shards):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        _check(connection, path)
        for statements in MIGRATIONS[connection.pragma("user_version") :]:
            connection.execute(statements)
        connection.pragma("application_id", APPLICATION_ID)
        connection.pragma("user_version", len(MIGRATIONS))
        connection.executemany(
            "INSERT INTO partitions (topic, partition) VALUES (?, ?)", _missing(connection, shards)
        )
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _missing(connection: apsw.Connection, shards: int) -> list[tuple[str, int]]:
    """Return the partitions of topics that the database does not know yet. Known topics keep their number."""
    known = {topic for (topic,) in connection.execute("SELECT DISTINCT topic FROM partitions")}
    return [
        (topic.name, partition)
        for topic in TOPICS.values()
        if topic.name not in known
        for partition in range(shards if topic.partitions == SHARDED else topic.partitions)
    ]
