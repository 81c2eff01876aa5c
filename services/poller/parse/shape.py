"""The shape that every entry leaves the parser in: capped, on one line where it must be, free of lone surrogates."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from services.text.ids import stable_id
from services.text.urls import URL_MAX

if TYPE_CHECKING:
    from services.poller.model import Entry

ENTRIES_MAX = 2_000
"""A poll; more are counted and come with later polls, because what is not read is not marked seen."""
TITLE_MAX = 1_000
TEXT_MAX = 200_000
"""Code points of a title, and of a summary or text: the caps of a Story (contract)."""
GUID_MAX = 1_000
"""Longer ids are replaced by their hash, so that they still tell items apart."""
AUTHORS_MAX = 20
AUTHOR_MAX = 200
RAW_DATE_MAX = 100
LANGUAGE_MAX = 35
"""Code points of the longest tag that RFC 5646 asks software to hold."""


def scalar(value: Any) -> str:
    """Return a parser's value as text: "" for what is no text or number."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""


def one_line(text: str) -> str:
    """Return a text with its white space joined."""
    return " ".join(text.split())


def cut_entry(entry: Entry) -> Entry:
    """Return an entry within its caps; what was cut is named in ``truncated``."""
    cut = [
        name
        for name, length in (("title", TITLE_MAX), ("summary", TEXT_MAX), ("text", TEXT_MAX))
        if len(getattr(entry, name) or "") > length
    ]
    if len(entry.url) > URL_MAX:
        cut.append("url")
    return replace(
        entry,
        guid=entry.guid if len(entry.guid) <= GUID_MAX else f"sha256:{stable_id(entry.guid)}",
        url=entry.url if len(entry.url) <= URL_MAX else "",
        title=entry.title[:TITLE_MAX],
        summary=entry.summary[:TEXT_MAX],
        text=None if entry.text is None else entry.text[:TEXT_MAX],
        published_raw=None if entry.published_raw is None else entry.published_raw[:RAW_DATE_MAX],
        authors=tuple(author[:AUTHOR_MAX] for author in entry.authors[:AUTHORS_MAX]),
        language=None if entry.language is None else entry.language[:LANGUAGE_MAX],
        truncated=tuple(cut),
    )
