"""Feed lists as rows: OPML 2.0 and TOML to (line, keys), whatever the keys mean. Bad lines never lose good ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat

from services.text.tables import NotToml, blocks

LIST_BYTES_MAX = 16 * 1024 * 1024
"""Of a feed list: room for a hundred thousand feeds."""
FEED_TYPES = frozenset({"rss", "atom", "rdf"})
"""Outlines that say they are feeds; any other without an address is a folder or nothing to poll."""
DEPTH_MAX = 32
"""Of OPML outlines: people nest folders three deep."""


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
            if attributes.get("type", "").lower() in FEED_TYPES:
                self._found.faults.append((self._parser.CurrentLineNumber, "xmlUrl is missing"))
            folder = attributes.get("text") or attributes.get("title") or folder
        self._folders.append(folder)

    def _end(self, _name: str) -> None:
        self._folders.pop()

    def _entity(self, *_declaration: object) -> None:
        raise _RefusedError("declares an entity, which a feed list has no use for")


def _read_toml(data: bytes) -> Rows:
    """Read each ``[[feeds]]`` table on its own; every line is known."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return Rows(faults=[(data[: error.start].count(b"\n") + 1, "not UTF-8")])
    found = Rows()
    for block in blocks(text, "feeds"):
        try:
            table = block.read()
        except NotToml as error:
            found.faults.append((error.line, error.what))
            continue
        feeds = table.pop("feeds", [])
        if isinstance(feeds, list) and all(isinstance(feed, dict) for feed in feeds):
            found.rows.extend(Row(block.line, feed) for feed in feeds)
        else:
            found.faults.append((block.line, "write [[feeds]], one for each feed"))
        found.faults.extend(
            (block.line_of(key), f"unknown key {key!r}; feeds are [[feeds]] tables") for key in table
        )
    return found
