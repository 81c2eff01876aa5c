"""Feed lists as rows: OPML 2.0 and TOML to (line, keys), whatever the keys mean. Bad lines never lose good ones."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from xml.parsers import expat

if TYPE_CHECKING:
    from collections.abc import Iterator

LIST_BYTES_MAX = 16 * 1024 * 1024
"""Of a feed list: room for a hundred thousand feeds."""
DEPTH_MAX = 32
"""Of OPML outlines: people nest folders three deep."""

_BLOCK = re.compile(r"^[ \t]*\[\[[ \t]*feeds[ \t]*\]\][ \t]*(?:#.*)?$", re.MULTILINE)
_TOML_LINE = re.compile(r" \(at line (\d+), column \d+\)$")


@dataclass(frozen=True, slots=True)
class Row:
    """One entry of a list: the line it begins on, its keys as written, and the folder it stands in."""

    line: int
    keys: dict[str, Any]
    folder: str | None = None


@dataclass(slots=True)
class Rows:
    """The rows of a list, and what could not be read: (line, what)."""

    rows: list[Row] = field(default_factory=list)
    faults: list[tuple[int, str]] = field(default_factory=list)


class _RefusedError(Exception):
    """The list holds something that no feed list needs."""


def read_rows(data: bytes) -> Rows:
    """Read a list; its first character tells OPML from TOML."""
    if len(data) > LIST_BYTES_MAX:
        return Rows(faults=[(1, f"more than {LIST_BYTES_MAX} bytes")])
    if data.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"<" or data[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        return _Opml().read(data)
    return _read_toml(data)


class _Opml:
    """Collects outlines with an xmlUrl; expat, because it knows lines and needs no tree."""

    def __init__(self) -> None:
        self._found = Rows()
        self._folders: list[str | None] = []
        self._root: str | None = None
        self._parser = expat.ParserCreate()
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.EntityDeclHandler = self._entity

    def read(self, data: bytes) -> Rows:
        try:
            self._parser.Parse(data, True)  # noqa: FBT003 - expat takes it by position
        except expat.ExpatError as error:
            self._found.faults.append((error.lineno, f"not well-formed: {expat.ErrorString(error.code)}"))
        except _RefusedError as error:
            self._found.faults.append((self._parser.CurrentLineNumber, str(error)))
        except (ValueError, LookupError) as error:
            self._found.faults.append((self._parser.CurrentLineNumber, f"cannot be read: {error}"))
        return self._found

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if self._root is None:
            self._root = name
            if name != "opml":
                message = f"not OPML: the first element is <{name[:40]}>"
                raise _RefusedError(message)
        if len(self._folders) >= DEPTH_MAX:
            message = f"nested deeper than {DEPTH_MAX}"
            raise _RefusedError(message)
        folder = self._folders[-1] if self._folders else None
        if name == "outline" and "xmlUrl" in attributes:
            self._found.rows.append(Row(self._parser.CurrentLineNumber, attributes, folder))
        elif name == "outline":
            folder = attributes.get("text") or attributes.get("title") or folder
        self._folders.append(folder)

    def _end(self, _name: str) -> None:
        self._folders.pop()

    def _entity(self, *_declaration: object) -> None:
        raise _RefusedError("declares an entity, which a feed list has no use for")


def _read_toml(data: bytes) -> Rows:
    """Read each ``[[feeds]]`` table on its own: a mistake in one costs that one, and every line is known."""
    try:
        text = data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        return Rows(faults=[(data[: error.start].count(b"\n") + 1, "not UTF-8")])
    found = Rows()
    for line, block in _blocks(text):
        try:
            table = tomllib.loads(block)
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            found.faults.append(_toml_fault(str(error), line))
            continue
        for feed in table.pop("feeds", ()) if isinstance(table.get("feeds"), list) else ():
            found.rows.append(Row(line, feed))
        found.faults.extend((line, f"unknown key {key!r}; feeds are [[feeds]] tables") for key in table)
    return found


def _blocks(text: str) -> Iterator[tuple[int, str]]:
    """Yield what stands before the first table, then each table, with the line it begins on."""
    starts = [match.start() for match in _BLOCK.finditer(text)]
    for start, end in zip([0, *starts], [*starts, len(text)], strict=True):
        yield text.count("\n", 0, start) + 1, text[start:end]


def _toml_fault(message: str, line: int) -> tuple[int, str]:
    where = _TOML_LINE.search(message)
    at = line + int(where.group(1)) - 1 if where else line
    return at, f"not TOML: {_TOML_LINE.sub('', message)}"
