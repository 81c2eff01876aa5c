"""Bytes to entries: feedparser for XML, which keeps the stories of malformed feeds, and our own reader of JSON Feed.

Pure, and total: a document that cannot be read is a Document that says so. Hostile ones may still cost much time and
memory, so the poller runs this in a worker process with limits.
"""

from __future__ import annotations

import io
import re
from calendar import timegm
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import feedparser

from services.poller.model import EMPTY_BODY, FORMATS_READ, Document, Entry
from services.poller.parse.charset import decoded
from services.poller.parse.jsonfeed import read_json
from services.poller.parse.shape import AUTHORS_MAX, ENTRIES_MAX, cut_entry, one_line, scalar
from services.poller.parse.strict import Item, Plain, UnusualError, plain_date, read_plain
from services.text.clean import plain_text
from services.text.urls import absolute

if TYPE_CHECKING:
    from services.poller.model import Format

ROOT_WITHIN = 64 * 1024
"""Code points in which the root element must begin; some servers print warnings before it."""
WARNING_MAX = 200
MINUTES_MAX = 10_000_000
"""Of a ttl: about 19 years; the schedule has its own, lower cap."""

_ROOTS: dict[str, Format] = {
    "rss": "rss",
    "channel": "rss",
    "rdf": "rdf",
    "feed": "atom",
    "opml": "opml",
    "html": "html",
    "head": "html",
    "body": "html",
    "script": "html",
    "title": "html",
    "meta": "html",
    "div": "html",
}
_TAG = re.compile(r"<(?:[A-Za-z_][\w.-]*:)?([A-Za-z_][\w.-]*)")
_ELEMENT = re.compile(r"<[A-Za-z_]")
_ENTITY = re.compile(r"<!entity", re.IGNORECASE)
_DOCTYPE = re.compile(r"<!doctype", re.IGNORECASE)
_END = {
    "rss": re.compile(r"</\s*(?:[\w.-]+:)?(?:rss|channel)\s*>", re.IGNORECASE),
    "rdf": re.compile(r"</\s*(?:[\w.-]+:)?rdf\s*>", re.IGNORECASE),
    "atom": re.compile(r"</\s*(?:[\w.-]+:)?feed\s*>", re.IGNORECASE),
}
_MAILBOX = re.compile(r"^(?:[^\s@]+@[^\s@]+ \((.+)\)|(.+?) [<(][^\s@]+@[^\s@]+[>)])$")
"""``mail (Name)``, ``Name <mail>`` and ``Name (mail)``: only the name is an author."""
_SCHEMES = ("http://", "https://", "urn:", "tag:")
"""Of ids that stay as they are; feedparser resolves or drops others."""
_SURROGATE_REFERENCE = re.compile(
    r"&#(?:x0*d[89a-f][0-9a-f]{2}|0*(?:5529[6-9]|55[3-9]\d\d|56\d{3}|57[0-2]\d\d|573[0-3]\d|5734[0-3]));?",
    re.IGNORECASE,
)
_PERIODS = {
    "hourly": timedelta(hours=1),
    "daily": timedelta(days=1),
    "weekly": timedelta(weeks=1),
    "monthly": timedelta(days=30),
    "yearly": timedelta(days=365),
}


def read_document(data: bytes, url: str, content_type: str = "") -> Document:
    """Read a feed document; ``url`` is where it came from, the base of its links."""
    text = decoded(data, content_type).lstrip("\ufeff \t\r\n")
    if not text:
        return Document("unknown", error=EMPTY_BODY)
    if text.startswith(("{", "[")):
        return read_json(text, url)
    found = format_of(text)
    if found not in FORMATS_READ:
        return Document(found, error=f"not a feed: {found}" if found != "opml" else None)
    if declares_entities(text):
        return Document(found, error="the document declares entities, which can grow without bound")
    plain = read_plain(text, found)
    if plain is not None and (document := _of_plain(plain, found, url)) is not None:
        return document
    return read_lenient(text, found, url)


def _of_plain(plain: Plain, found: Format, url: str) -> Document | None:
    """Return the document of plain fields; None when a date or a link is not of the usual form after all."""
    head = plain.head.fields
    language = head.get("language") or plain.language
    try:
        entries = tuple(
            cut_entry(_plain_entry(item, plain.language, url)) for item in plain.items[:ENTRIES_MAX]
        )
    except UnusualError:
        return None
    return Document(
        format=found,
        title=one_line(plain_text(head.get("title", ""))),
        language=language,
        entries=entries,
        over_limit=max(len(plain.items) - ENTRIES_MAX, 0),
        asks=_asked_wait(head.get("ttl", ""), head.get("period", ""), head.get("frequency", "")),
    )


def _plain_entry(item: Item, language: str | None, url: str) -> Entry:
    fields = item.fields
    if "" in item.authors:
        raise UnusualError("author")
    texts = {
        name: value if name in item.plain else plain_text(value)
        for name, value in fields.items()
        if name in {"title", "summary", "text"}
    }
    raw = fields.get("published") or fields.get("updated") or None
    return Entry(
        guid=fields.get("guid", ""),
        url=_plain_link(fields, url),
        title=one_line(texts.get("title", "")),
        summary=texts.get("summary", ""),
        text=texts.get("text"),
        published=None if raw is None else plain_date(raw),
        published_raw=raw,
        authors=_names(item.authors or [fields.get("author", "")]),
        language=language if "title" in fields or "summary" in fields else None,
    )


def _plain_link(fields: dict[str, str], url: str) -> str:
    """Return the link, or a permanent id in its place."""
    guid = fields.get("guid", "")
    permanent = fields.get("permalink", "true") == "true"
    if permanent and guid and not guid.startswith(_SCHEMES):
        raise UnusualError(guid)
    if "link" in fields:
        return (absolute(url, fields["link"]) or "") if fields["link"] else ""
    return (absolute(url, guid) or "") if permanent and guid else ""


def format_of(text: str) -> Format:
    """Return the format by the first element of a known name."""
    for tag in _TAG.finditer(text, 0, ROOT_WITHIN):
        if (found := _ROOTS.get(tag.group(1).lower())) is not None:
            return found
    return "unknown"


def declares_entities(text: str) -> bool:
    """Tell whether a document may declare entities: beside a document type anywhere, or before its first element.

    Comments are not told from declarations: parsers disagree about where they end, and hostile documents know it.
    """
    if _ENTITY.search(text) is None:
        return False
    root = _ELEMENT.search(text)
    prolog = text[: root.start()] if root else text
    return _DOCTYPE.search(text) is not None or _ENTITY.search(prolog) is not None


def read_lenient(text: str, found: Format, url: str) -> Document:
    """Let feedparser read it: bytes in a file object, because it opens a plain string as a path or an address.

    References to surrogates, which no XML may hold, are made U+FFFD first: feedparser fails on them.
    """
    parsed = feedparser.parse(
        io.BytesIO(_SURROGATE_REFERENCE.sub("\ufffd", text).encode("utf-8", "replace")),
        response_headers={"content-type": "application/xml; charset=utf-8", "content-location": url},
        sanitize_html=False,
        resolve_relative_uris=False,
    )
    head: dict[str, Any] = parsed.get("feed", {})
    raw = parsed.get("entries", [])
    language = scalar(dict.get(head, "language")) or None
    return Document(
        format=found,
        title=one_line(plain_text(scalar(dict.get(head, "title")))),
        language=language,
        entries=tuple(cut_entry(_entry(item, found, url)) for item in raw[:ENTRIES_MAX]),
        over_limit=max(len(raw) - ENTRIES_MAX, 0),
        complete=_END[found].search(text) is not None,
        asks=_asked_wait(
            scalar(dict.get(head, "ttl")),
            scalar(dict.get(head, "sy_updateperiod")),
            scalar(dict.get(head, "sy_updatefrequency")),
        ),
        warnings=_warnings(parsed),
    )


def _entry(item: Any, found: Format, url: str) -> Entry:
    published, raw = _date(item)
    link = scalar(dict.get(item, "link"))
    return Entry(
        guid=scalar(dict.get(item, "id")).strip(),
        url=(absolute(url, link) or "") if link else "",
        title=one_line(_plain(dict.get(item, "title_detail"), found)),
        # feedparser copies the content to a missing summary; the detail is there only for a real one.
        summary=_plain(dict.get(item, "summary_detail"), found),
        text=_longest(item, found),
        published=published,
        published_raw=raw,
        authors=_authors(item),
        language=_language(item),
    )


def _plain(detail: Any, found: Format) -> str:
    """Return a text construct as plain text; only Atom says reliably that something is no HTML."""
    value = scalar(detail.get("value")) if isinstance(detail, dict) else ""
    if found == "atom" and detail and detail.get("type") == "text/plain":
        return value.strip()
    return plain_text(value)


def _longest(item: Any, found: Format) -> str | None:
    """Return the longest content: a second, shorter one is often a teaser that stands first."""
    texts = [_plain(content, found) for content in dict.get(item, "content") or ()]
    return max(texts, key=len, default=None)


def _date(item: Any) -> tuple[datetime | None, str | None]:
    """Return the date of publication, else of update, and what was written there."""
    raws = [raw for name in ("published", "updated") if (raw := scalar(dict.get(item, name)))]
    for name in ("published_parsed", "updated_parsed"):
        if (moment := _moment(dict.get(item, name))) is not None:
            return moment, scalar(dict.get(item, name.removesuffix("_parsed"))) or raws[0]
    return None, raws[0] if raws else None


def _moment(parsed: Any) -> datetime | None:
    try:
        return datetime.fromtimestamp(timegm(parsed), UTC) if parsed is not None else None
    except (ValueError, OverflowError, OSError, TypeError):
        return None


def _authors(item: Any) -> tuple[str, ...]:
    """Return names; a single one is read by us, because feedparser cuts addresses at the fourth letter of a TLD."""
    names = [scalar(person.get("name")) for person in dict.get(item, "authors") or () if person]
    return _names(names if len(names) > 1 else [scalar(dict.get(item, "author"))])


def _names(raw: list[str]) -> tuple[str, ...]:
    if len(raw) == 1:
        raw = [_MAILBOX.sub(r"\1\2", raw[0].strip())]
    lines = (one_line(plain_text(name)) for name in raw)
    return tuple(dict.fromkeys(line for line in lines if line))[:AUTHORS_MAX]


def _language(item: Any) -> str | None:
    for name in ("title_detail", "summary_detail"):
        detail = dict.get(item, name)
        if isinstance(detail, dict) and (language := scalar(detail.get("language"))):
            return language
    return None


def _asked_wait(ttl: str, period: str, frequency: str) -> timedelta | None:
    """Return the longest wait that ttl (minutes) or the syndication module ask for; junk asks for nothing."""
    waits, ttl = [], ttl.strip()
    if ttl.isascii() and ttl.isdigit():
        waits.append(timedelta(minutes=min(int(ttl[:9]), MINUTES_MAX)))
    if (each := _PERIODS.get(period.strip().lower())) is not None:
        waits.append(each / _frequency(frequency))
    return max(waits, default=None)


def _frequency(text: str) -> float:
    try:
        times = float(text or 1)
    except ValueError:
        return 1
    return times if 0.01 <= times <= 10_000 else 1  # noqa: PLR2004 - outside of it nobody means it


def _warnings(parsed: Any) -> tuple[str, ...]:
    if not parsed.get("bozo"):
        return ()
    return (f"not well-formed: {' '.join(str(parsed.get('bozo_exception')).split())}"[:WARNING_MAX],)
