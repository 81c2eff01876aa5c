"""Feed lists: what is good in them is used, what is wrong is named with file and line."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from services.bus.codec import encode
from services.bus.topics import FEEDS
from services.poller.feedlist import FeedList, feed_messages, read_feed_list, write_opml
from services.poller.rows import LIST_BYTES_MAX
from services.text.ids import stable_id
from services.text.urls import partition_for, registered_domain
from tests.builders import a_feed

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 5, 12, tzinfo=UTC)


def opml(*outlines: str, prolog: str = "") -> bytes:
    """Return an OPML list with an outline a line, the first on line 4."""
    body = "\n".join(outlines)
    return (
        f'<?xml version="1.0"?>{prolog}\n<opml version="2.0"><head/>\n<body>\n{body}\n</body></opml>'.encode()
    )


def told(found: FeedList) -> list[str]:
    """Return the problems as lines."""
    return [str(problem) for problem in found.problems]


def test_an_opml_outline_is_a_feed() -> None:
    """Every key of the contract; the folder is the category of those that name none."""
    found = read_feed_list(
        opml(
            '<outline text="Agencies"><outline type="rss" text="Wire" title="Baltic Wire" htmlUrl="x"',
            'xmlUrl="https://Wire.example/atom" language="en" country="EE" interval="30m" priority="breaking"',
            'trust="A" kind="agency" label="state media XX" fullText="never" authRef="env:WIRE"/></outline>',
            '<outline text="Plain" xmlUrl="https://plain.example/rss" category="/world/asia"/>',
        ),
        "list.opml",
    )
    wire, plain = found.feeds
    assert told(found) == ["list.opml:4: authRef: kept, not acted on yet"], (
        "nobody is left to think it is sent"
    )
    assert wire.id == stable_id("https://Wire.example/atom")
    assert (wire.title, wire.category, wire.interval, wire.priority) == (
        "Baltic Wire",
        "Agencies",
        "30m",
        "breaking",
    )
    assert (wire.trust, wire.source_kind, wire.label, wire.full_text) == (
        "A",
        "agency",
        "state media XX",
        "never",
    )
    assert (wire.language, wire.country, wire.auth_ref) == ("en", "EE", "env:WIRE")
    assert (plain.title, plain.category, plain.trust, plain.source_kind) == (
        "Plain",
        "world/asia",
        "C",
        "newspaper",
    )


def test_a_toml_table_is_a_feed() -> None:
    """The same keys; ``url`` may be said for ``xmlUrl``."""
    found = read_feed_list(
        b'[[feeds]]\nxmlUrl = "https://a.example/f"\nkind = "ngo"\n\n[[feeds]] # two\nurl = "https://b.example/f"\n',
        "list.toml",
    )
    assert [feed.url for feed in found.feeds] == ["https://a.example/f", "https://b.example/f"]
    assert (found.feeds[0].source_kind, found.feeds[1].title) == ("ngo", "b.example")
    assert told(found) == []


@pytest.mark.parametrize(
    ("attributes", "problem", "kept"),
    [
        ('text="no address" xmlUrl=""', "xmlUrl is missing", False),
        ('xmlUrl="ftp://a.example/"', "xmlUrl: scheme 'ftp' is not http or https", False),
        ('xmlUrl="https://me:pw@a.example/"', "xmlUrl holds credentials; use authRef", False),
        (
            'xmlUrl="https://a.example/?x=1&amp;api_key=s3cret"',
            "xmlUrl holds credentials (api_key=…); use authRef",
            False,
        ),
        ('xmlUrl="https://good.example/feed/?utm_source=x"', "the same address as on line 4", False),
        (
            'xmlUrl="https://a.example/" trust="Z"',
            "trust 'Z' is none of A B C D E F; the default is used",
            True,
        ),
        ('type="rss" text="A"', "xmlUrl is missing", False),
        ('xmlUrl="https://a.example/" kind="blog"', "kind 'blog' is none of official agency", True),
        ('xmlUrl="https://a.example/" interval="soon"', "interval: not a duration: 'soon'", True),
        ('xmlUrl="https://a.example/" authRef="s3cret"', "authRef is neither env:NAME nor file:PATH", True),
        ('xmlUrl="https://a.example/" colour="red"', "unknown key 'colour'; known: xmlUrl title", True),
        (f'xmlUrl="https://a.example/" label="{"x" * 400}"', "label is longer than 300 characters", True),
    ],
)
def test_a_problem_names_its_line_and_spares_the_others(attributes: str, problem: str, kept: bool) -> None:
    """Whatever is wrong with a feed, the good one before it and the one after it run; secrets are not repeated."""
    good, after = (f'<outline xmlUrl="https://{name}.example/feed"/>' for name in ("good", "after"))
    found = read_feed_list(opml(good, f"<outline {attributes}/>", after), "list.opml")
    (line,) = told(found)
    assert line.startswith(f"list.opml:5: {problem}")
    assert "s3cret" not in line
    assert [feed.title for feed in found.feeds] == ["good.example", *(["a.example"] * kept), "after.example"]


def test_a_mistake_in_one_toml_table_costs_that_table() -> None:
    """Syntax errors are named with their line; the tables around it are read."""
    found = read_feed_list(
        b'strict = 1\n[[feeds]]\nurl = "https://a.example/f"\n[[feeds]]\nurl = "https://b\n'
        b'[[feeds]]\nurl = 7\n[[feeds]]\nurl = "https://c.example/f"\r\n',
        "list.toml",
    )
    assert [feed.url for feed in found.feeds] == ["https://a.example/f", "https://c.example/f"]
    assert [line.split(" ")[0] for line in told(found)] == [
        "list.toml:1:",
        "list.toml:5:",
        "list.toml:6:",
        "list.toml:6:",
    ]


def test_a_cut_opml_keeps_what_stood_before_the_cut() -> None:
    """The parser's line and reason are told."""
    whole = opml('<outline xmlUrl="https://a.example/f"/>', '<outline xmlUrl="https://b.example/f"/>')
    found = read_feed_list(whole[:-40], "list.opml")
    assert [feed.title for feed in found.feeds] == ["a.example"]
    assert told(found)[0].startswith("list.opml:5: not well-formed: ")


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (opml(prolog='<!DOCTYPE opml [<!ENTITY a "b">]>'), "declares an entity"),
        (b"<rss><channel/></rss>", "not OPML: the first element is <rss>"),
        (opml("<outline>" * 50), "nested deeper than 32"),
        (b"x" * (LIST_BYTES_MAX + 1), "more than"),
        (b"\xff\xff\xff", "not UTF-8"),
        (b'<?xml version="1.0" encoding="no-such"?><opml/>', "unknown encoding"),
        (b"just words", "not TOML"),
        (b"feeds = [1, 2]", "write [[feeds]], one for each feed"),
        (b"[[feeds]]\nurl = " + b"[" * 100_000, "not TOML"),
    ],
)
def test_what_is_no_list_says_so(data: bytes, word: str) -> None:
    """One line, no exception."""
    found = read_feed_list(data, "list")
    assert found.feeds == []
    assert word in told(found)[0]


def test_a_list_reads_back_as_it_was_written() -> None:
    """Quotes, ampersands and every key survive."""
    feeds = [
        a_feed("a", title='Quotes " & <tags>', trust="A", source_kind="agency", label="x", interval="30m"),
        a_feed("b", url="https://b.example/?a=1&b=2", category="world", priority="breaking"),
    ]
    found = read_feed_list(write_opml(feeds).encode(), "list.opml")
    assert (found.feeds, told(found)) == (feeds, [])


def test_the_real_list_reads_cleanly(shared: Path) -> None:
    """145 feeds, no problem."""
    found = read_feed_list((shared / "domain" / "sources.opml").read_bytes(), "sources.opml")
    assert (len(found.feeds), told(found)) == (145, [])


def test_an_import_writes_what_changed_and_removes_only_when_told() -> None:
    """Into the partition of the feed's own domain."""
    same, old, gone, new = a_feed("same"), a_feed("changed"), a_feed("gone"), a_feed("new")
    changed = old.model_copy(update={"title": "Other"})
    existing = {feed.id: feed for feed in (same, old, gone)}
    listed = [same, changed, new]
    written = feed_messages(listed, existing, 8, NOW)
    assert [message.key for message in written] == [changed.id, new.id]
    partition = partition_for(registered_domain(new.url), 8)
    assert written[1] == encode(
        FEEDS, new, partition=partition, key=new.id, source="import", at="2026-05-12T00:00:00.000Z"
    )
    replaced = feed_messages(listed, existing, 8, NOW, replace=True)
    assert [(message.key, message.value) for message in replaced[2:]] == [(gone.id, None)]
