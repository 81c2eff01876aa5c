"""Feed documents as outlets write them: RSS 2.0, Atom, RDF (RSS 1.0), JSON Feed. Pure; same entries, same bytes.

Every format carries text its own way (HTML in RSS, plain text in Atom summaries and JSON Feed), because that is
what a reader of real feeds has to cope with.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache
from html import escape

from services.demo.model import DemoFeed, Entry

CONTENT_TYPES = {
    "rss": "application/rss+xml",
    "atom": "application/atom+xml",
    "rdf": "application/rdf+xml",
    "json": "application/feed+json",
}

_RSS_NAMES = (
    'xmlns:atom="http://www.w3.org/2005/Atom" xmlns:content="http://purl.org/rss/1.0/modules/content/" '
    'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:sy="http://purl.org/rss/1.0/modules/syndication/"'
)

ENTRIES_KEPT = 2_000
"""Rendered entries kept: the day's, each of which stands in many documents."""
_MARKUP = re.compile(r"</?[a-z]+[^<>]*>|&(?:[a-z]+|#\d+);")
_PARAGRAPH = re.compile(r"<p[ >]")


def document(feed: DemoFeed, entries: Sequence[Entry], updated: datetime) -> bytes:
    """Return the feed's document with these entries, newest first, in its own format and encoding."""
    if feed.format == "json":
        return _json(feed, entries)
    body = {"rss": _rss, "atom": _atom, "rdf": _rdf}[feed.format](feed, entries, updated)
    prolog = f'<?xml version="1.0" encoding="{feed.encoding.upper()}"?>\n'
    return (prolog + body).encode(feed.encoding, "xmlcharrefreplace")


def _rss(feed: DemoFeed, entries: Sequence[Entry], updated: datetime) -> str:
    """Return an RSS 2.0 document."""
    head = [
        _tag("title", feed.title),
        _tag("link", feed.site),
        _tag("description", feed.description),
        _tag("language", feed.language),
        _tag("lastBuildDate", format_datetime(updated, usegmt=True)),
        f'<atom:link rel="self" type="application/rss+xml" href="{escape(feed.url)}"/>',
    ]
    if feed.ttl_minutes is not None:
        head.append(_tag("ttl", str(feed.ttl_minutes)))
    if feed.update_period is not None:
        head += [_tag("sy:updatePeriod", feed.update_period), _tag("sy:updateFrequency", "1")]
    lines = "\n".join(head + [_rss_item(entry) for entry in entries])
    return f'<rss version="2.0" {_RSS_NAMES}>\n<channel>\n{lines}\n</channel>\n</rss>\n'


@lru_cache(ENTRIES_KEPT)
def _rss_item(entry: Entry) -> str:
    """Return one ``<item>`` of RSS 2.0."""
    lines = [
        _tag("title", entry.title),
        _tag("link", entry.link),
        f'<guid isPermaLink="false">{escape(entry.guid)}</guid>',
        _tag("pubDate", format_datetime(entry.published, usegmt=True)),
        *_described(entry),
    ]
    return "<item>\n" + "\n".join(lines) + "\n</item>"


def _rdf(feed: DemoFeed, entries: Sequence[Entry], updated: datetime) -> str:
    """Return an RDF document (RSS 1.0); its entries are known by their address, it has no other id."""
    names = _RSS_NAMES + ' xmlns="http://purl.org/rss/1.0/"'
    sequence = "".join(f'<rdf:li rdf:resource="{escape(entry.link)}"/>' for entry in entries)
    head = [
        _tag("title", feed.title),
        _tag("link", feed.site),
        _tag("description", feed.description),
        _tag("dc:language", feed.language),
        _tag("dc:date", _iso(updated)),
        f"<items><rdf:Seq>{sequence}</rdf:Seq></items>",
    ]
    channel = f'<channel rdf:about="{escape(feed.url)}">\n' + "\n".join(head) + "\n</channel>\n"
    items = "\n".join(_rdf_item(entry) for entry in entries)
    space = 'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'
    return f"<rdf:RDF {space} {names}>\n{channel}{items}\n</rdf:RDF>\n"


@lru_cache(ENTRIES_KEPT)
def _rdf_item(entry: Entry) -> str:
    """Return one ``<item>`` of RSS 1.0."""
    lines = [
        _tag("title", entry.title),
        _tag("link", entry.link),
        _tag("dc:date", _iso(entry.published)),
        *_described(entry),
    ]
    return f'<item rdf:about="{escape(entry.link)}">\n' + "\n".join(lines) + "\n</item>"


def _described(entry: Entry) -> list[str]:
    """Return author, summary and text as RSS carries them: HTML, escaped or in CDATA."""
    lines = [_tag("dc:creator", entry.author)] if entry.author else []
    lines.append(_tag("description", _html(entry.summary, "" if entry.text else entry.credit)))
    if entry.text:
        lines.append(f"<content:encoded><![CDATA[{_html(entry.text, entry.credit)}]]></content:encoded>")
    return lines


def _atom(feed: DemoFeed, entries: Sequence[Entry], updated: datetime) -> str:
    """Return an Atom document."""
    head = [
        _tag("title", feed.title),
        _tag("subtitle", feed.description),
        _tag("id", feed.url),
        f'<link rel="self" href="{escape(feed.url)}"/>',
        f'<link rel="alternate" href="{escape(feed.site)}"/>',
        _tag("updated", _iso(updated)),
        f"<author>{_tag('name', feed.title)}</author>",
    ]
    lines = "\n".join(head + [_atom_entry(entry) for entry in entries])
    return f'<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="{feed.language}">\n{lines}\n</feed>\n'


@lru_cache(ENTRIES_KEPT)
def _atom_entry(entry: Entry) -> str:
    """Return one ``<entry>`` of Atom."""
    lines = [
        f'<title type="text">{escape(entry.title, quote=False)}</title>',
        f'<link rel="alternate" href="{escape(entry.link)}"/>',
        _tag("id", entry.guid),
        _tag("published", _iso(entry.published)),
        _tag("updated", _iso(entry.updated)),
    ]
    if entry.author:
        lines.append(f"<author>{_tag('name', entry.author)}</author>")
    summary = entry.summary if entry.text else _join(entry.summary, entry.credit)
    kind = "html" if _MARKUP.search(summary) else "text"
    lines.append(f'<summary type="{kind}">{escape(summary, quote=False)}</summary>')
    if entry.text:
        content = escape(_html(entry.text, entry.credit), quote=False)
        lines.append(f'<content type="html">{content}</content>')
    return "<entry>\n" + "\n".join(lines) + "\n</entry>"


def _json(feed: DemoFeed, entries: Sequence[Entry]) -> bytes:
    """Return a JSON Feed 1.1 document."""
    top = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": feed.title,
        "home_page_url": feed.site,
        "feed_url": feed.url,
        "description": feed.description,
        "language": feed.language,
        "items": [_json_item(entry) for entry in entries],
    }
    return json.dumps(top, ensure_ascii=False, indent=1).encode("utf-8")


def _json_item(entry: Entry) -> dict[str, object]:
    """Return one item of a JSON Feed."""
    item: dict[str, object] = {
        "id": entry.guid,
        "url": entry.link,
        "title": entry.title,
        "summary": entry.summary,
        "date_published": _iso(entry.published),
        "date_modified": _iso(entry.updated),
    }
    if entry.text:
        item["content_html"] = _html(entry.text, entry.credit)
    else:
        item["content_text"] = _join(entry.summary, entry.credit)
    if entry.author:
        item["authors"] = [{"name": entry.author}]
    return item


def _html(text: str, credit: str) -> str:
    """Return paragraphs of HTML; text with markup in it is the outlet's own HTML. The credit line is the last one."""
    written = text if _MARKUP.search(text) else escape(text, quote=False)
    paragraphs = [" ".join(part.split("\n")) for part in written.split("\n\n")]
    lines = [written] if _PARAGRAPH.search(written) else [f"<p>{part}</p>" for part in paragraphs if part]
    if credit:
        lines.append(f"<p><em>{escape(credit, quote=False)}</em></p>")
    return "".join(lines)


def _join(*parts: str) -> str:
    """Return the parts that are there, one after another."""
    return " ".join(part for part in parts if part)


def _tag(name: str, text: str) -> str:
    """Return one XML element with escaped text."""
    return f"<{name}>{escape(text, quote=False)}</{name}>"


def _iso(moment: datetime) -> str:
    """Return the moment as RFC 3339 writes it, to the second."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
