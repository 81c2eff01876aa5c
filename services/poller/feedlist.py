"""Feed lists in and out: OPML 2.0 and TOML to feeds, feeds to messages, feeds to OPML.

A problem names file, line and what is wrong; the feed beside it, and wherever possible the feed itself, survives.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, get_args
from urllib.parse import parse_qsl, urlsplit
from xml.sax.saxutils import escape, quoteattr

from schemas.feed import Feed
from schemas.story import SourceKind, Trust
from services.bus.codec import encode, tombstone
from services.bus.topics import FEEDS
from services.net.gate import Gate
from services.poller.rows import Row, read_rows
from services.text.clean import visible
from services.text.ids import stable_id
from services.text.tables import Problem
from services.text.times import parse_duration, stamp
from services.text.urls import canonical_url, host_of, partition_for, registered_domain

if TYPE_CHECKING:
    from datetime import datetime

    from services.bus.ports import Message

VALUE_MAX = 300
"""Code points of a title, label, category …: what people read in one line."""

FIELDS = {
    "xmlUrl": "url",
    "title": "title",
    "language": "language",
    "category": "category",
    "country": "country",
    "interval": "interval",
    "priority": "priority",
    "trust": "trust",
    "kind": "source_kind",
    "label": "label",
    "fullText": "full_text",
    "authRef": "auth_ref",
}
"""Keys of a list, and the fields of a Feed that they are."""
IGNORED = frozenset({"type", "text", "description", "htmlUrl", "version", "created"})
"""Keys of OPML that say nothing to a poller."""
CHOICES: Mapping[str, tuple[str, ...]] = {
    "priority": ("normal", "breaking"),
    "trust": get_args(Trust),
    "kind": get_args(SourceKind),
    "fullText": ("never", "candidates"),
}
CREDENTIALS = frozenset(
    (
        *("access_token", "api-key", "api_key", "apikey", "auth", "auth_token"),
        *("passwd", "password", "pwd", "secret", "token"),
    )
)
"""Names of query parameters that hold secrets."""

NOT_YET = frozenset({"authRef"})
"""Stored, and not sent with requests in this version: whoever sets it is told."""
_AUTH_REF = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*|file:.+")
_GATE = Gate(allow_private=True)
"""What a URL may look like; which addresses may be reached is decided when it is asked."""


@dataclass(slots=True)
class FeedList:
    """The feeds of a list, in its order, and its problems."""

    feeds: list[Feed] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def read_feed_list(data: bytes, file: str) -> FeedList:
    """Read a list; ``file`` is what problems call it."""
    found, known = FeedList(), dict[str, int]()
    rows = read_rows(data)
    found.problems.extend(Problem(file, line, what) for line, what in rows.faults)
    for row in rows.rows:
        problems = list[str]()
        feed = _feed(row, problems)
        if feed is not None:
            address = canonical_url(feed.url)
            if address in known:
                problems.append(f"the same address as on line {known[address]}")
            else:
                known[address] = row.line
                found.feeds.append(feed)
        found.problems.extend(Problem(file, row.line, what) for what in problems)
    found.problems.sort(key=lambda problem: problem.line)
    return found


def _feed(row: Row, problems: list[str]) -> Feed | None:
    """Return the feed of a row, or None; what is wrong with it goes to ``problems``."""
    keys = {("xmlUrl" if key == "url" else key): value for key, value in row.keys.items()}
    values = _texts(keys, problems)
    url = values.pop("xmlUrl", "")
    if (fault := url_fault(url)) is not None:
        problems.append(fault)
        return None
    faults = {key: fault for key, value in values.items() if (fault := _value_fault(key, value)) is not None}
    problems.extend(f"{fault}; the default is used" for fault in faults.values())
    problems.extend(
        f"{key}: kept, not acted on yet" for key in values if key in NOT_YET and key not in faults
    )
    fields: dict[str, Any] = {FIELDS[key]: value for key, value in values.items() if key not in faults}
    fields["category"] = (fields.get("category") or row.folder or "").strip("/") or None
    fields.setdefault("title", str(keys.get("text") or host_of(url))[:VALUE_MAX])
    return Feed.model_validate({**fields, "id": stable_id(url), "url": url})


def _texts(keys: dict[str, Any], problems: list[str]) -> dict[str, str]:
    """Return the known keys that hold text; name the others."""
    texts = {}
    for key, value in keys.items():
        if key in IGNORED:
            continue
        if key not in FIELDS:
            problems.append(f"unknown key {key[:40]!r}; known: {' '.join(FIELDS)}")
        elif not isinstance(value, str):
            problems.append(f"{key} must be text")
        elif value.strip():
            texts[key] = value.strip()
    return texts


def url_fault(url: str) -> str | None:
    """Return what is wrong with a feed's address; secrets in it are named, never repeated."""
    if not url:
        return "xmlUrl is missing"
    if (fault := _GATE.check(url)) is not None:
        return (
            "xmlUrl holds credentials; use authRef" if fault.startswith("credentials") else f"xmlUrl: {fault}"
        )
    for name, _ in parse_qsl(urlsplit(url).query, keep_blank_values=True):
        if name.lower() in CREDENTIALS:
            return f"xmlUrl holds credentials ({name}=…); use authRef"
    return None


def _value_fault(key: str, value: str) -> str | None:
    if key in CHOICES and value not in CHOICES[key]:
        return f"{key} {value[:40]!r} is none of {' '.join(CHOICES[key])}"
    if key == "interval":
        return _interval_fault(value)
    if key == "authRef" and not _AUTH_REF.fullmatch(value):
        return "authRef is neither env:NAME nor file:PATH"  # not repeated: it may be the secret itself
    return f"{key} is longer than {VALUE_MAX} characters" if len(value) > VALUE_MAX else None


def _interval_fault(value: str) -> str | None:
    try:
        parse_duration(value)
    except ValueError as error:
        return f"interval: {error}"
    return None


def feed_messages(
    feeds: Iterable[Feed],
    existing: Mapping[str, Feed],
    partitions: int,
    now: datetime,
    *,
    replace: bool = False,
) -> list[Message]:
    """Return the messages that make a list true: feeds that are new or changed; with ``replace`` the removals, too."""
    at, listed = stamp(now), {feed.id: feed for feed in feeds}
    messages = [
        encode(FEEDS, feed, partition=_partition(feed, partitions), key=feed.id, source="import", at=at)
        for feed in listed.values()
        if existing.get(feed.id) != feed
    ]
    if replace:
        messages += [
            tombstone(FEEDS, partition=_partition(feed, partitions), key=feed.id, source="import", at=at)
            for feed in existing.values()
            if feed.id not in listed
        ]
    return messages


def _partition(feed: Feed, partitions: int) -> int:
    return partition_for(registered_domain(feed.url), partitions)


def write_opml(feeds: Iterable[Feed], title: str = "Feeds of tumen") -> str:
    """Return feeds as OPML 2.0 that ``read_feed_list`` reads back."""
    outlines = "".join(f"  {_outline(feed)}\n" for feed in feeds)
    head = f"<head><title>{escape(title)}</title></head>"
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<opml version="2.0">\n{head}\n<body>\n{outlines}</body>\n</opml>\n'


def _outline(feed: Feed) -> str:
    values = {key: getattr(feed, name) for key, name in FIELDS.items()}
    pairs = {"type": "rss", "text": feed.title, **values}
    defaults = {"priority": "normal", "trust": "C", "kind": "newspaper"}
    written = [
        f"{key}={quoteattr(visible(value))}"
        for key, value in pairs.items()
        if value is not None and defaults.get(key) != value
    ]
    return f"<outline {' '.join(written)}/>"
