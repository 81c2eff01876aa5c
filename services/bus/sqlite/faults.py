"""What SQLite reports, as the errors of the port: one clear line that says what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import apsw

from services.bus.ports import BusDamaged, BusError, BusUnavailable

# Nothing of a transaction that failed is in the log, and nothing committed before it is gone.
SAFE = "nothing committed is lost"

Kinds = tuple[type[apsw.Error], ...]

LINES: tuple[tuple[Kinds, type[BusError], str], ...] = (
    (
        (apsw.BusyError, apsw.LockedError),
        BusUnavailable,
        "{path} is locked by another process, perhaps a stopped one: find it with `fuser {path}`, continue or end it; "
        + SAFE,
    ),
    (
        (apsw.FullError,),
        BusUnavailable,
        f"{{path}}: the disk is full: free some space, then start again; {SAFE}",
    ),
    (
        (apsw.ReadOnlyError, apsw.PermissionsError, apsw.AuthError),
        BusUnavailable,
        "{path} cannot be written: make the file and its directory writable for this user, then start again",
    ),
    (
        (apsw.CantOpenError,),
        BusUnavailable,
        "{path} cannot be opened: it must be a file, and its directory must exist and be writable for this user",
    ),
    (
        (apsw.NotADBError,),
        BusDamaged,
        "{path} is not a SQLite database: name another file, or restore this one from a backup",
    ),
    (
        (apsw.CorruptError,),
        BusDamaged,
        "{path} is corrupt: stop every process that uses it and restore it from a backup ({error})",
    ),
    (
        (apsw.IOError,),
        BusUnavailable,
        f"{{path}}: the disk failed to read or write ({{error}}): check its space and health, then start again; {SAFE}",
    ),
)


def translated(error: apsw.Error, path: str) -> BusError:
    """Return the port's error for one of SQLite's."""
    for kinds, raised, line in LINES:
        if isinstance(error, kinds):
            return raised(line.format(path=path, error=error))
    return BusError(f"{path}: {error}")


@contextmanager
def speaking_plainly(path: str) -> Iterator[None]:
    """Let none of SQLite's own exceptions out."""
    try:
        yield
    except apsw.Error as error:
        raise translated(error, path) from error
