"""The fast way through a document: plain, well-formed RSS 2.0 and Atom 1.0, read by expat alone.

Most news feeds are that, and feedparser takes twenty times as long for them. Whatever this reader does not know
exactly (an element or attribute outside its tables, a repeated field, markup where text should be, an encoding
accident that feedparser repairs, any error) makes it give up, and feedparser reads the document from the start. So
both ways give the same entries, and a document that is malformed for a day causes no revisions.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from xml.parsers import expat

if TYPE_CHECKING:
    from services.poller.model import Format

ATOM = "http://www.w3.org/2005/Atom"
CONTENT = "http://purl.org/rss/1.0/modules/content/"
DC = "http://purl.org/dc/elements/1.1/"
SY = "http://purl.org/rss/1.0/modules/syndication/"
XML = "http://www.w3.org/XML/1998/namespace"

_RSS_ITEM = {
    "title": "title",
    "link": "link",
    "guid": "guid",
    "description": "summary",
    "pubDate": "published",
    "author": "author",
    f"{CONTENT} encoded": "text",
    f"{DC} creator": "author",
}
_ATOM_ENTRY = {
    f"{ATOM} title": "title",
    f"{ATOM} id": "guid",
    f"{ATOM} summary": "summary",
    f"{ATOM} content": "text",
    f"{ATOM} published": "published",
    f"{ATOM} updated": "updated",
}
_RSS_CHANNEL = {
    "title": "title",
    "language": "language",
    "ttl": "ttl",
    f"{SY} updatePeriod": "period",
    f"{SY} updateFrequency": "frequency",
}
_ATOM_FEED = {f"{ATOM} title": "title"}
_SAYS_NOTHING = frozenset(
    {
        *("category", "comments", "source", "enclosure"),
        *(f"{DC} subject", f"{ATOM} category", f"{ATOM} rights", f"{ATOM} contributor"),
        *(
            "http://purl.org/rss/1.0/modules/slash/ comments",
            "http://wellformedweb.org/CommentAPI/ commentRss",
        ),
    }
)
"""Children of an entry that give an Entry nothing."""
_ATOM_TYPES = {"": "text", "text": "text", "html": "html"}
_RSS_DATE = re.compile(r"[A-Z][a-z]{2}, \d\d? [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d (?:GMT|UTC|[+-]\d{4})")
_ISO_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:\d\d)")
_REPAIRED = re.compile("[\x80-\x9f]")
_REFERENCE = re.compile(r"&\w+;")


class UnusualError(Exception):
    """The document is not one of the plain ones."""


@dataclass(slots=True)
class Item:
    """The fields of an entry or of a feed's head, as text."""

    fields: dict[str, str] = field(default_factory=dict)
    authors: list[str] = field(default_factory=list)
    plain: frozenset[str] = frozenset()
    """Fields that Atom calls text: not to be read as HTML."""


@dataclass(slots=True)
class Plain:
    """A plain document: its head, its entries, its language where Atom declares one."""

    head: Item
    items: list[Item]
    language: str | None


def read_plain(text: str, found: Format) -> Plain | None:
    """Return the fields of a plain document, or None for whatever else."""
    if found not in {"rss", "atom"} or _REPAIRED.search(text):
        return None
    try:
        return _Reader(found).read(text)
    except (UnusualError, expat.ExpatError, ValueError):
        return None


def plain_date(raw: str) -> datetime:
    """Return the moment of a date in the usual form; UnusualError for any other."""
    try:
        if _RSS_DATE.fullmatch(raw):
            return parsedate_to_datetime(raw).astimezone(UTC).replace(microsecond=0)
        if _ISO_DATE.fullmatch(raw):
            return datetime.fromisoformat(raw).astimezone(UTC).replace(microsecond=0)
    except (ValueError, OverflowError) as error:
        raise UnusualError from error
    raise UnusualError


class _Reader:
    """Follows expat: where it is, which field's text it collects."""

    def __init__(self, found: Format) -> None:
        self._rss = found == "rss"
        self._root = "rss" if self._rss else f"{ATOM} feed"
        self._item_name = "item" if self._rss else f"{ATOM} entry"
        self._head_depth = 2 if self._rss else 1
        self._path: list[str] = []
        self._head = Item()
        self._items: list[Item] = []
        self._target: tuple[Item, str] | None = None
        self._pieces: list[str] = []
        self._language: str | None = None
        self._parser = expat.ParserCreate("utf-8", " ")
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text

    def read(self, text: str) -> Plain:
        self._parser.Parse(text.encode(), True)  # noqa: FBT003 - expat takes it by position
        return Plain(self._head, self._items, self._language)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if self._target is not None:
            raise UnusualError(name)  # markup where text should be
        depth = len(self._path)
        if any(key.startswith(XML) for key in attributes):
            self._lang(depth, attributes)
        if depth == 0 and name != self._root:
            raise UnusualError(name)
        if name.rpartition(" ")[2] in {"item", "entry"}:
            if name != self._item_name or depth != self._head_depth:
                raise UnusualError(name)
            self._items.append(Item())
        elif depth == self._head_depth:
            self._open(self._head, (_RSS_CHANNEL if self._rss else _ATOM_FEED).get(name), name, {})
        elif depth > self._head_depth and self._path[self._head_depth] == self._item_name:
            self._child(name, attributes, depth)
        self._path.append(name)

    def _lang(self, depth: int, attributes: dict[str, str]) -> None:
        """Take the language of an Atom feed; a base, or a language further down, is unusual."""
        if self._rss or depth or set(attributes) != {f"{XML} lang"}:
            raise UnusualError(XML)
        self._language = attributes[f"{XML} lang"].replace("_", "-")

    def _child(self, name: str, attributes: dict[str, str], depth: int) -> None:
        """Begin an element inside an entry."""
        item = self._items[-1]
        parent = self._path[-1]
        if depth > self._head_depth + 1:
            if parent == f"{ATOM} author" and name == f"{ATOM} name":
                self._open(item, "author", name, attributes)
            elif parent not in {f"{ATOM} author", f"{ATOM} contributor"}:
                raise UnusualError(name)
        elif name == f"{ATOM} link":
            self._link(item, attributes)
        elif name == f"{ATOM} author":
            item.authors.append("")
        elif (known := (_RSS_ITEM if self._rss else _ATOM_ENTRY).get(name)) is not None:
            self._open(item, known, name, attributes)
        elif name not in _SAYS_NOTHING:
            raise UnusualError(name)

    def _link(self, item: Item, attributes: dict[str, str]) -> None:
        """Take the one alternate link of an entry."""
        if self._rss or attributes.get("rel", "alternate") != "alternate":
            if self._rss or "alternate" in attributes.get("rel", ""):
                raise UnusualError("link")
            return
        link = attributes.get("href", "").strip()
        if not link or "link" in item.fields or attributes.get("type", "text/html") != "text/html":
            raise UnusualError("link")
        item.fields["link"] = link

    def _open(self, item: Item, known: str | None, name: str, attributes: dict[str, str]) -> None:
        """Begin to collect a field's text."""
        if known is None:
            return
        if known in item.fields:
            raise UnusualError(name)
        if name == "guid":
            item.fields["permalink"] = attributes.pop("isPermaLink", "true").strip().lower()
        kind = "html" if self._rss else _ATOM_TYPES.get(attributes.pop("type", ""))
        if attributes or kind is None:
            raise UnusualError(name)
        if kind == "text":
            item.plain |= {known}
        self._target, self._pieces = (item, known), []

    def _text(self, data: str) -> None:
        if self._target is not None:
            self._pieces.append(data)

    def _end(self, _name: str) -> None:
        self._path.pop()
        if self._target is None:
            return
        (item, known), self._target = self._target, None
        value = "".join(self._pieces).strip()
        if not value.isascii() and max(value) <= "\xff" and _is_utf8(value):
            raise UnusualError(known)  # UTF-8 that was read as Latin-1 on the way to the feed
        if _REPAIRED.search(value):
            raise UnusualError(known)  # Windows-1252 by number
        if known in {"link", "guid"} and _REFERENCE.search(value):
            raise UnusualError(known)
        if known == "author" and not self._rss:
            item.authors[-1] = value
        else:
            item.fields[known] = value


def _is_utf8(value: str) -> bool:
    try:
        value.encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
