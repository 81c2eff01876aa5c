"""JSON Feed 1.0 and 1.1: strict about being JSON, tolerant about everything in it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from services.poller.model import Document, Entry
from services.poller.parse.shape import AUTHORS_MAX, ENTRIES_MAX, cut_entry, one_line, scalar
from services.text.clean import plain_text
from services.text.urls import absolute

ERROR_MAX = 160


def read_json(text: str, url: str) -> Document:
    """Read a JSON Feed."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        return Document("json", error=f"not JSON: {error}"[:ERROR_MAX])
    items = document.get("items") if isinstance(document, dict) else None
    if not isinstance(items, list):
        return Document("unknown", error="JSON, but no JSON Feed: it has no items")
    read = tuple(cut_entry(_entry(item, url)) for item in items[:ENTRIES_MAX] if isinstance(item, dict))
    strange = sum(not isinstance(item, dict) for item in items)
    return Document(
        format="json",
        title=one_line(scalar(document.get("title"))),
        language=scalar(document.get("language")) or None,
        entries=read,
        over_limit=max(len(items) - ENTRIES_MAX, 0),
        warnings=(f"{strange} items are no objects",) if strange else (),
    )


def _entry(item: dict[str, Any], url: str) -> Entry:
    link = scalar(item.get("url")) or scalar(item.get("external_url"))
    raw = scalar(item.get("date_published")) or scalar(item.get("date_modified"))
    return Entry(
        guid=scalar(item.get("id")).strip(),
        url=(absolute(url, link) or "") if link else "",
        title=one_line(scalar(item.get("title"))),
        summary=scalar(item.get("summary")).strip(),
        text=_text(item),
        published=_moment(raw),
        published_raw=raw or None,
        authors=_authors(item),
        language=scalar(item.get("language")) or None,
    )


def _text(item: dict[str, Any]) -> str | None:
    if html := scalar(item.get("content_html")):
        return plain_text(html)
    return scalar(item.get("content_text")).strip() or None


def _moment(raw: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(raw.strip())
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _authors(item: dict[str, Any]) -> tuple[str, ...]:
    people = item.get("authors")
    found = people if isinstance(people, list) else [item.get("author")]
    names = [one_line(scalar(person.get("name"))) for person in found if isinstance(person, dict)]
    return tuple(name for name in names if name)[:AUTHORS_MAX]
