"""The invented day as a pure function: (url, now, headers) -> answer.

No clock and no chance: the same question gets the same bytes. Between two moments of ``changes(url)`` the answer to an
unconditional request does not change, so one recorded response a change is a complete tape of the day.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from html import escape
from pathlib import Path
from urllib.parse import urlsplit

from services.demo.answer import conditional, encoded, error_page, validators_of
from services.demo.load import DAY_FOLDER, load_feeds, load_items
from services.demo.model import DAY_END, DAY_START, Answer, DemoFeed, DemoItem, Entry
from services.demo.render import CONTENT_TYPES, document

SINK_HOST = "hooks.sink.example"
SINK_DOWN_SINCE = DAY_START + timedelta(hours=5)
SINK_DOWN_UNTIL = DAY_START + timedelta(hours=5, minutes=30)
SINK_RETRY_AFTER_S = 300

LAST_MOMENT = DAY_END - timedelta(microseconds=1)
FOUNDED = DAY_START - timedelta(days=1)
"""Last-Modified of a document that holds nothing yet."""
OVERSIZED_BYTES = 8 * 1024 * 1024 + 1024
"""Just over the poller's default ``body_max`` of 8 MiB."""
TRUNCATED_PART = 0.6
"""Of the document's bytes: enough for some whole entries, and one cut in half."""
DOCUMENTS_KEPT = 64
"""Rendered answers kept for the next question: about two megabytes."""

DAMAGES = ("empty", "truncate", "oversized", "malformed")
"""Effects that change the document, not only the answer around it."""

HTML_PAGE = (
    "<!DOCTYPE html>\n<html><head><title>Before you read on</title></head>\n"
    "<body><h1>We value your privacy</h1><p>Choose your settings to continue.</p></body></html>\n"
)


@dataclass(frozen=True)
class World:
    """Every outlet and entry of the day, and what their servers answer."""

    feeds: tuple[DemoFeed, ...]
    items: tuple[DemoItem, ...]

    @classmethod
    def load(cls, folder: Path = DAY_FOLDER) -> World:
        """Read the source texts; DayError says everything that is wrong with them, one line each."""
        feeds = load_feeds(folder)
        return cls(feeds, load_items(folder, feeds))

    def urls(self) -> tuple[str, ...]:
        """Return the address of every feed, in the order of the feed list."""
        return tuple(feed.url for feed in self.feeds)

    def respond(self, url: str, now: datetime, headers: Mapping[str, str]) -> Answer:
        """Return what a GET of ``url`` gets at ``now``, conditional headers taken into account."""
        feed = self._by_url.get(url)
        if feed is None:
            return error_page(404, "Not Found")
        asked = {name.lower(): value for name, value in headers.items()}
        return encoded(feed, conditional(self._full(feed, now), asked), asked)

    def respond_post(self, url: str, now: datetime, headers: Mapping[str, str], body: bytes) -> Answer:
        """Return what a webhook gets: 503 from 05:00 to 05:30, 200 at any other time."""
        del headers, body  # the sink takes whatever it is given
        if urlsplit(url).hostname != SINK_HOST:
            return error_page(404, "Not Found")
        if SINK_DOWN_SINCE <= now < SINK_DOWN_UNTIL:
            retry = ("Retry-After", str(SINK_RETRY_AFTER_S))
            return Answer(
                503, (("Content-Type", "text/plain; charset=utf-8"), retry), b"down for maintenance\n"
            )
        return Answer(200, (("Content-Type", "text/plain; charset=utf-8"),), b"ok\n")

    def changes(self, url: str) -> Sequence[datetime]:
        """Return the moments of the day at which the unconditional answer changes; the first is its start."""
        feed = self._by_url.get(url)
        if feed is None:
            return (DAY_START,)
        moments: list[datetime] = []
        before: Answer | None = None
        for edge in (DAY_START, *(e for e in self._edges(feed) if DAY_START < e < DAY_END)):
            answer = self._full(feed, edge)
            if answer != before:
                moments.append(edge)
            before = answer
        return tuple(moments)

    def feed_list(self) -> bytes:
        """Return the feed list as OPML 2.0, as an operator would import it."""
        outlines = "\n".join(_outline(feed) for feed in self.feeds)
        head = "<head>\n<title>The demo day of tumen</title>\n</head>"
        return (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<opml version="2.0">\n{head}\n'
            f"<body>\n{outlines}\n</body>\n</opml>\n"
        ).encode()

    def entries(self, feed: DemoFeed, now: datetime) -> tuple[Entry, ...]:
        """Return what the outlet's document shows at ``now``, newest first."""
        silent = next((b.since for b in feed.behaviour if b.effect == "silent"), DAY_END)
        seen_until = min(now, silent - timedelta(microseconds=1))
        there = [item for item in self._by_feed.get(feed.slug, ()) if item.at <= seen_until]
        return tuple(entry_at(item, seen_until) for item in reversed(there[-feed.items_shown :]))

    @cached_property
    def _by_url(self) -> dict[str, DemoFeed]:
        return {feed.url: feed for feed in self.feeds}

    @cached_property
    def _by_feed(self) -> dict[str, list[DemoItem]]:
        found: dict[str, list[DemoItem]] = {}
        for item in self.items:
            found.setdefault(item.feed, []).append(item)
        return found

    @cached_property
    def _kept(self) -> dict[tuple[str, datetime], Answer]:
        return {}

    @cached_property
    def _edges_kept(self) -> dict[str, tuple[datetime, ...]]:
        return {}

    def _edges(self, feed: DemoFeed) -> tuple[datetime, ...]:
        """Return every moment at which anything about the outlet may change, in order."""
        if feed.slug not in self._edges_kept:
            items = self._by_feed.get(feed.slug, ())
            moments = {moment for item in items for moment in (item.at, *(r.at for r in item.revisions))}
            moments |= {moment for b in feed.behaviour for moment in (b.since, b.until)}
            self._edges_kept[feed.slug] = tuple(sorted(moments))
        return self._edges_kept[feed.slug]

    def _full(self, feed: DemoFeed, now: datetime) -> Answer:
        """Return the unconditional answer; rendered once for each stretch of time in which it cannot change.

        Before and after the day the world stands still.
        """
        edges = self._edges(feed)
        place = bisect_right(edges, min(max(now, DAY_START), LAST_MOMENT))
        edge = edges[place - 1] if place else FOUNDED
        if (feed.slug, edge) not in self._kept:
            if len(self._kept) >= DOCUMENTS_KEPT:
                self._kept.clear()
            self._kept[feed.slug, edge] = self._render(feed, edge)
        return self._kept[feed.slug, edge]

    def _render(self, feed: DemoFeed, now: datetime) -> Answer:
        """Return the unconditional answer at ``now``: what the server does first, then the document."""
        if failed := feed.during("fault", now):
            return Answer(0, fault=failed.fault)
        if refused := feed.during("status", now):
            return error_page(refused.status, "Not available", retry_after_s=refused.retry_after_s)
        changed = self._changed(feed, now)
        if feed.during("not-modified", now):
            return Answer(304, validators_of(feed, feed.slug.encode(), changed))
        if feed.during("html", now):
            return Answer(200, (("Content-Type", "text/html; charset=utf-8"),), HTML_PAGE.encode())
        body = _damaged(feed, document(feed, self.entries(feed, now), changed), now)
        kind = CONTENT_TYPES[feed.format]
        content_type = kind if feed.format == "json" else f"{kind}; charset={feed.encoding}"
        return Answer(200, (("Content-Type", content_type), *validators_of(feed, body, changed)), body)

    def _changed(self, feed: DemoFeed, now: datetime) -> datetime:
        """Return the newest moment at which the document changed: its entries, or the way it is damaged."""
        moments = [entry.updated for entry in self.entries(feed, now)]
        damage = [b for b in feed.behaviour if b.effect in DAMAGES]
        moments += [moment for b in damage for moment in (b.since, b.until) if DAY_START < moment <= now]
        return max(moments, default=FOUNDED)


def entry_at(item: DemoItem, now: datetime) -> Entry:
    """Return the item with the revisions made until ``now``."""
    title, summary, text, updated = item.title, item.summary, item.text, item.at
    for revision in item.revisions:
        if revision.at <= now:
            title = revision.title if revision.title is not None else title
            summary = revision.summary if revision.summary is not None else summary
            text = revision.text if revision.text is not None else text
            updated = revision.at
    return Entry(
        item.guid, item.link, title, summary, text, item.author, item.credit, item.published, updated
    )


def _damaged(feed: DemoFeed, body: bytes, now: datetime) -> bytes:
    """Return the document as a faulty publishing system lets it out at ``now``."""
    if feed.during("empty", now):
        return b""
    if feed.during("truncate", now):
        return body[: int(len(body) * TRUNCATED_PART)]
    if feed.during("oversized", now):
        return body + b"<!--" + b" padding" * (OVERSIZED_BYTES // 8) + b"-->\n"
    if feed.during("malformed", now):
        return _malformed(body.decode(feed.encoding)).encode(feed.encoding)
    return body


def _malformed(text: str) -> str:
    """Return XML with the three mistakes met most: an undefined entity, a bare ampersand, a control character."""
    broken = text.replace("&lt;/p&gt;</description>", "&nbsp;Photos & video\x0b&lt;/p&gt;</description>")
    return broken.replace(
        "<lastBuildDate>", "<copyright>&copy; all rights & wrongs</copyright>\n<lastBuildDate>"
    )


def _outline(feed: DemoFeed) -> str:
    """Return one line of the feed list."""
    attributes = {
        "type": "rss",
        "text": feed.title,
        "title": feed.title,
        "xmlUrl": feed.url,
        "htmlUrl": feed.site,
        "language": feed.language,
        "category": feed.category,
        "interval": feed.interval,
        "priority": feed.priority,
        "trust": feed.trust,
        "kind": feed.kind,
        "label": feed.label,
        "fullText": feed.full_text,
    }
    pairs = " ".join(f'{name}="{escape(value)}"' for name, value in attributes.items() if value is not None)
    return f"<outline {pairs}/>"
