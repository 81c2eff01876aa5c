"""Which entry is which: an identity that survives re-polls, re-ordering, http to https and tracking parameters.

Ids of one document are compared with each other first, because some feeds give every item the same one.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from services.text.ids import stable_id
from services.text.urls import canonical_url

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from services.poller.model import Entry

HASH_DIGITS = 12
"""48 bits: compared only within one feed, whose seen-set holds thousands."""

PAGES_CACHED = 20_000
"""Links are the same from poll to poll; working one out costs 15 microseconds."""

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


@dataclass(frozen=True, slots=True)
class Identified:
    """An entry, its identity in its feed, and what it is recognised by when its id changed."""

    entry: Entry
    identity: str
    address: str
    """Of link and title; "" when they do not tell items apart."""


@dataclass(frozen=True, slots=True)
class Identification:
    """The entries that can be told apart, in document order, and how many could not be used and why."""

    entries: tuple[Identified, ...]
    skipped: tuple[tuple[str, int], ...] = ()


def identify(entries: Sequence[Entry]) -> Identification:
    """Give each entry of a document its identity: guid, else link, else what it says."""
    groups: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        groups[_key(entry)].append(entry)
    nameless = len(groups.pop("", ()))
    names = {id(entry): name for key, group in groups.items() for entry, name in _told_apart(key, group)}
    kept = [Identified(entry, names[id(entry)], address(entry)) for entry in entries if id(entry) in names]
    repeated = len(entries) - nameless - len(kept)
    return Identification(
        tuple(kept), _counted({"entry_without_identity": nameless, "entry_repeated": repeated})
    )


def _counted(counts: dict[str, int]) -> tuple[tuple[str, int], ...]:
    return tuple((name, count) for name, count in counts.items() if count)


def _told_apart(key: str, group: list[Entry]) -> Iterable[tuple[Entry, str]]:
    """Yield the items that share an id, each once: one item a page, or without pages one for each wording."""
    items = {page_key(entry.url) or f"{entry.title}\n{entry.summary}": entry for entry in reversed(group)}
    for what, entry in items.items():
        yield entry, key if len(items) == 1 else stable_id(key, what)


def _key(entry: Entry) -> str:
    if guid := entry.guid.strip():
        return page_key(guid)
    if entry.url:
        return page_key(entry.url)
    return stable_id(entry.title, entry.summary) if entry.title or entry.summary else ""


@lru_cache(maxsize=PAGES_CACHED)
def page_key(url: str) -> str:
    """Return a URL's canonical form with its fragment, which some pages use to list items; other ids as they are."""
    fragment = url.partition("#")[2] if url.lower().startswith(("http://", "https://")) else ""
    return canonical_url(url) + (f"#{fragment}" if fragment else "")


def address(entry: Entry) -> str:
    """Return the hash of link and title; "" without a title or with a link that is only a home page."""
    try:
        path = urlsplit(entry.url).path.strip("/")
    except ValueError:
        path = ""
    if not path or not entry.title:
        return ""
    return stable_id(page_key(entry.url), " ".join(entry.title.casefold().split()))[:HASH_DIGITS]


def headline(entry: Entry) -> str:
    """Return the hash of what makes a change major: the title's letters and digits, and the numbers told."""
    letters = "".join(filter(str.isalnum, entry.title.casefold()))
    return stable_id(letters, *_NUMBER.findall(f"{entry.title} {entry.summary}"))[:HASH_DIGITS]
