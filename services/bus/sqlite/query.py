"""Ask SQLite and get plain rows: our tables are STRICT, so the columns' types are known to the reader."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import apsw

Values = tuple[str | int | None, ...]


def rows(connection: apsw.Connection, statement: str, values: Values = ()) -> list[tuple[Any, ...]]:
    """Return all rows of a query."""
    return connection.execute(statement, values).fetchall()


def first(connection: apsw.Connection, statement: str, values: Values = ()) -> tuple[Any, ...] | None:
    """Return the first row of a query, None when there is none."""
    found = connection.execute(statement, values).fetchall()
    return found[0] if found else None
