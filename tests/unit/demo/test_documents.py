"""Every document can be read: right entries, right order, right text, in whatever format and encoding."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from html import unescape
from typing import Any
from xml.etree import ElementTree as ET

import feedparser
import pytest

from services.demo.model import DAY_START, DemoFeed, Entry
from services.demo.world import World

WORLD = World.load()
WHOLE = [
    f for f in WORLD.feeds if not any(b.since == DAY_START or b.effect == "truncate" for b in f.behaviour)
]
"""Outlets whose server gives a whole document at some time of the day."""
HOSTILE = {"lakeside-hostile", "pacific-hostile"}
HOURS = [DAY_START + timedelta(hours=h) for h in (0, 6, 13, 17, 23.99)]


def bare(text: str) -> str:
    """Return text without markup, entities and white space: what any reader must agree on."""
    return re.sub(r"\s+", "", unescape(re.sub(r"<[^>]*>", "", text)))


def read(feed: DemoFeed, body: bytes, content_type: str) -> list[dict[str, Any]]:
    """Return link, title, summary and text of each entry as a lenient reader sees them."""
    if feed.format == "json":
        items = json.loads(body)["items"]
        return [
            {
                "link": i["url"],
                "title": i["title"],
                "summary": i["summary"],
                "text": i.get("content_html", ""),
            }
            for i in items
        ]
    parsed = feedparser.parse(body, response_headers={"content-type": content_type})
    return [
        {
            "link": e.link,
            "title": e.title,
            "summary": e.summary,
            "text": e.content[0].value if "content" in e else "",
        }
        for e in parsed.entries
    ]


def answered(feed: DemoFeed, now: datetime) -> tuple[bytes, str] | None:
    """Return body and content type, or None where the server is in trouble."""
    answer = WORLD.respond(feed.url, now, {})
    return (answer.body, dict(answer.headers)["Content-Type"]) if answer.status == 200 else None


def shown(feed: DemoFeed, now: datetime) -> list[Entry]:
    """Return the entries without those that are hostile on purpose."""
    return [e for e in WORLD.entries(feed, now) if e.guid.rpartition(":")[2] not in HOSTILE]


def _as_utf8(body: bytes, encoding: str) -> bytes:
    """Return a document in UTF-8: expat knows no encoding of several bytes but Unicode's."""
    return body.decode(encoding).replace(encoding.upper(), "UTF-8", 1).encode()


@pytest.mark.parametrize("feed", WHOLE, ids=lambda feed: feed.slug)
def test_a_lenient_reader_gets_every_entry(feed: DemoFeed) -> None:
    """Whatever the hour, a lenient reader gets the entries of the world, in order, word for word."""
    for now in HOURS:
        if (found := answered(feed, now)) is None:
            continue
        entries = read(feed, *found)
        assert [e["link"] for e in entries] == [e.link for e in WORLD.entries(feed, now)]
        by_link = {e["link"]: e for e in entries}
        for entry in shown(feed, now):
            got = by_link[entry.link]
            assert bare(got["title"]) == bare(entry.title)
            assert bare(got["summary"]).startswith(bare(entry.summary))
            assert bare(got["text"]).startswith(bare(entry.text))
            assert bare(entry.credit) in bare(got["text"] + got["summary"])


@pytest.mark.parametrize("feed", [f for f in WHOLE if f.format != "json"], ids=lambda feed: feed.slug)
def test_xml_is_well_formed_unless_meant_otherwise(feed: DemoFeed) -> None:
    """A strict parser reads every XML document but those that are malformed on purpose."""
    for now in HOURS:
        if (found := answered(feed, now)) is None:
            continue
        if feed.during("malformed", now):
            with pytest.raises(ET.ParseError):
                ET.fromstring(_as_utf8(found[0], feed.encoding))
        else:
            ET.fromstring(_as_utf8(found[0], feed.encoding))


@pytest.mark.parametrize(
    ("slug", "encoding", "word"), [("hanbit", "euc-kr", "국정원"), ("vestnik", "cp1251", "Кремл")]
)
def test_old_encodings(slug: str, encoding: str, word: str) -> None:
    """Hanbit writes EUC-KR and Vestnik windows-1251, and say so; the words are there."""
    feed = next(f for f in WORLD.feeds if f.slug == slug)
    body, content_type = answered(feed, DAY_START + timedelta(hours=10)) or (b"", "")
    assert word in body.decode(encoding)
    assert f"charset={feed.encoding}" in content_type
    with pytest.raises(UnicodeDecodeError):
        body.decode("utf-8")


def test_the_malformed_story_survives() -> None:
    """The Arabic story of 16:00 stands in a document with all three mistakes, and a lenient reader finds it first."""
    feed = next(f for f in WORLD.feeds if f.slug == "alqamar")
    body, content_type = answered(feed, DAY_START + timedelta(hours=16)) or (b"", "")
    assert b"&copy;" in body
    assert b" & " in body
    assert b"\x0b" in body
    first = read(feed, body, content_type)[0]
    assert first["link"].endswith("/alqamar-troops")
    assert "كوريا الشمالية" in first["title"]


def test_the_correction_replaces_the_number() -> None:
    """From 12:20 the French entry says 1,000, under the same id and date."""
    feed = next(f for f in WORLD.feeds if f.slug == "azure")
    before, after = (
        next(
            e
            for e in WORLD.entries(feed, DAY_START + timedelta(hours=12, minutes=m))
            if "ten-thousand" in e.guid
        )
        for m in (19, 20)
    )
    assert (before.guid, before.published) == (after.guid, after.published)
    assert "10 000" in before.title
    assert "10 000" not in after.title
    assert after.updated > before.updated


def test_hostile_titles_arrive_as_written() -> None:
    """Scripts, terminal escapes and bidi controls reach the reader: it is for the reader to make them harmless."""
    feed = next(f for f in WORLD.feeds if f.slug == "pacific")
    body, _ = answered(feed, DAY_START + timedelta(hours=3)) or (b"", "")
    title = next(i["title"] for i in json.loads(body)["items"] if i["url"].endswith("pacific-hostile"))
    assert "\x1b[31m" in title
    assert "\u202e" in title
    assert "<script>" in title
