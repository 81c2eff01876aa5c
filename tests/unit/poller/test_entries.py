"""Reading documents: formats, fields, dates, encodings, and what malformed or hostile ones come to."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from schemas import story
from services.poller.model import Document
from services.poller.parse import shape
from services.poller.parse.charset import decoded
from services.poller.parse.entries import read_document

if TYPE_CHECKING:
    from pathlib import Path

URL = "https://outlet.example/feeds/rss"
NAMESPACES = 'xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:sy="http://purl.org/rss/1.0/modules/syndication/"'


def rss(item: str = "", head: str = "", declaration: str = '<?xml version="1.0"?>') -> bytes:
    """Return an RSS document with one item."""
    body = f"<item>{item}</item>" if item else ""
    return f'{declaration}<rss version="2.0" {NAMESPACES}><channel><title>T</title>{head}{body}</channel></rss>'.encode()


def read(data: bytes, content_type: str = "") -> Document:
    """Read a document of URL."""
    return read_document(data, URL, content_type)


def test_an_rss_item_becomes_plain_text() -> None:
    """Markup and entities are gone, the link is absolute, the date is UTC."""
    document = read(
        rss(
            "<guid isPermaLink='false'> id-1 </guid><link>/a?x=1&amp;y=2</link><title>A &amp;amp; B &lt;i&gt;c&lt;/i&gt;</title>"
            "<description>&lt;p&gt;one&lt;/p&gt;&lt;p&gt;two&lt;/p&gt;</description>"
            "<content:encoded><![CDATA[<p>long <b>text</b></p><script>x</script>]]></content:encoded>"
            "<pubDate>Tue, 12 May 2026 09:00:00 +0900</pubDate><author>desk@outlet.example (Kim A)</author>",
            head="<language>ko</language><ttl>90</ttl>",
        )
    )
    (entry,) = document.entries
    assert (document.format, document.language, document.asks) == ("rss", "ko", timedelta(minutes=90))
    assert (entry.guid, entry.url) == ("id-1", "https://outlet.example/a?x=1&y=2")
    assert (entry.title, entry.summary, entry.text) == ("A & B c", "one\n\ntwo", "long text")
    assert entry.published == datetime(2026, 5, 12, tzinfo=UTC)
    assert entry.published_raw == "Tue, 12 May 2026 09:00:00 +0900"
    assert entry.authors == ("Kim A",)


@pytest.mark.parametrize(
    ("item", "summary", "text"),
    [
        ("<description>only</description>", "only", None),
        ("<content:encoded>only</content:encoded>", "", "only"),
        ("<content:encoded>long</content:encoded><description>short</description>", "short", "long"),
        ("<description>short</description><content:encoded>long</content:encoded>", "short", "long"),
        (
            "<content:encoded>tease</content:encoded><content:encoded>the whole</content:encoded>",
            "",
            "the whole",
        ),
    ],
)
def test_summary_and_text_are_never_copied_into_each_other(item: str, summary: str, text: str | None) -> None:
    """And of several contents the longest is the text."""
    (entry,) = read(rss(item)).entries
    assert (entry.summary, entry.text) == (summary, text)


def test_an_atom_entry_is_read() -> None:
    """Types of text, relative links, update instead of publication."""
    (entry,) = read(
        b'<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="de"><title>T</title><entry><id>urn:1</id>'
        b'<title type="text">1 &lt; 2 &amp;amp; x</title><summary type="html">&lt;b&gt;s&lt;/b&gt;</summary>'
        b'<content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><p>Hi</p></div></content>'
        b'<link href="../a"/><updated>2026-05-12T00:00:00Z</updated><author><name>A B</name></author></entry></feed>'
    ).entries
    assert (entry.title, entry.summary, entry.text) == ("1 < 2 &amp; x", "s", "Hi")
    assert (entry.url, entry.language, entry.authors) == ("https://outlet.example/a", "de", ("A B",))
    assert entry.published == datetime(2026, 5, 12, tzinfo=UTC)


def test_an_rdf_item_is_read() -> None:
    """RSS 1.0 keeps its items beside the channel."""
    document = read(
        b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/" '
        b'xmlns:dc="http://purl.org/dc/elements/1.1/"><channel rdf:about="x"><title>T</title></channel>'
        b'<item rdf:about="https://outlet.example/1"><title>One</title><link>https://outlet.example/1</link>'
        b"<dc:date>2026-05-12T10:00:00+09:00</dc:date></item></rdf:RDF>"
    )
    (entry,) = document.entries
    assert (document.format, document.complete) == ("rdf", True)
    assert (entry.guid, entry.title) == ("https://outlet.example/1", "One")
    assert entry.published == datetime(2026, 5, 12, 1, tzinfo=UTC)


def test_a_json_feed_is_read() -> None:
    """Strange items are warned about, numbers may be ids."""
    items = [
        {
            "id": 7,
            "url": "/a",
            "title": " One ",
            "content_html": "<p>x</p>",
            "date_published": "2026-05-12T09:00:00+09:00",
        },
        {"id": "8", "content_text": "plain", "authors": [{"name": "A"}, "B"], "language": "fr"},
        "no object",
    ]
    document = read(json.dumps({"version": "https://jsonfeed.org/version/1.1", "items": items}).encode())
    one, two = document.entries
    assert (document.format, document.warnings) == ("json", ("1 items are no objects",))
    assert (one.guid, one.url, one.title, one.text) == ("7", "https://outlet.example/a", "One", "x")
    assert one.published == datetime(2026, 5, 12, tzinfo=UTC)
    assert (two.text, two.summary, two.authors, two.language) == ("plain", "", ("A",), "fr")


@pytest.mark.parametrize(
    ("body", "found", "word"),
    [
        (b"", "unknown", "empty"),
        (b"  \n ", "unknown", "empty"),
        (b"<!DOCTYPE html><html><body>Access denied", "html", "not a feed"),
        (b"<html><head><title>Log in", "html", "not a feed"),
        (b"<div>captcha</div>", "html", "not a feed"),
        (b"service unavailable", "unknown", "not a feed"),
        (b"{}", "unknown", "no JSON Feed"),
        (b'{"items": [', "json", "not JSON"),
        (b"[" * 100_000, "json", "not JSON"),
        (b"\x89PNG\r\n\x1a\n\0\0", "unknown", "not a feed"),
    ],
)
def test_what_is_no_feed_says_so(body: bytes, found: str, word: str) -> None:
    """An error in one line, never an exception."""
    document = read(body)
    assert document.format == found
    assert word in (document.error or "")


def test_opml_is_recognised_and_has_no_entries() -> None:
    """It is no feed, but readable: ``feeds parse`` says what it is."""
    assert read(b'<opml version="2.0"><body/></opml>') == Document("opml")


@pytest.mark.parametrize(
    "prolog",
    [
        '<!DOCTYPE r [<!ENTITY a "xx">]>',
        '<!DOCTYPE r [<!entity % b SYSTEM "file:///etc/passwd">]>',
        '<!-- <rss> --><!DOCTYPE r [\n<!ENTITY a "1">\n]>',
    ],
)
def test_a_document_that_declares_entities_is_refused(prolog: str) -> None:
    """They can grow without bound, and no news feed needs them."""
    assert "entities" in (read(rss("<title>&a;</title>", declaration=prolog)).error or "")
    assert "entities" in (read(rss("x", declaration=prolog).decode().encode("utf-16")).error or "")


def test_an_article_about_entities_is_no_declaration() -> None:
    """Without a document type the words are only words."""
    (entry,) = read(rss("<title>x</title><description><![CDATA[<!ENTITY a>]]></description>")).entries
    assert entry.title == "x"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("windows-1251", "Генштаб заявил"),
        ("koi8-r", "Генштаб заявил"),
        ("euc-kr", "북한 컨테이너"),
        ("gb2312", "朝鲜 俄罗斯"),
        ("big5", "北韓 俄羅斯"),
        ("shift_jis", "北朝鮮 ロシア"),
        ("iso-2022-jp", "北朝鮮 ロシア"),
        ("iso-8859-1", "Où naît l’été".replace("’", "'")),
        ("utf-16", "Ростов"),
        ("utf-8", "كوريا الشمالية"),
    ],
)
@pytest.mark.parametrize("how", ["prolog", "header", "both", "wrong header"])
def test_text_survives_its_encoding(name: str, text: str, how: str) -> None:
    """Named in the prolog, in the header or in both; a header that is wrong about it loses."""
    declaration = f'<?xml version="1.0" encoding="{name}"?>' if how != "header" else '<?xml version="1.0"?>'
    content_type = {"prolog": "", "wrong header": "text/xml; charset=utf-8"}.get(
        how, f"text/xml; charset={name}"
    )
    data = rss(f"<title>{text}</title>", declaration=declaration).decode().encode(name)
    assert read(data, content_type).entries[0].title == text


def test_utf8_is_believed_before_every_label() -> None:
    """No other encoding gives valid UTF-8 beyond ASCII by accident."""
    text = '<?xml version="1.0" encoding="iso-8859-1"?><rss>Пхеньян</rss>'
    assert "Пхеньян" in decoded(text.encode(), "text/xml; charset=windows-1251")


def test_a_damaged_byte_costs_one_character() -> None:
    """A document with one bad byte is not re-read as another encoding."""
    data = ("Пхеньян " * 100).encode() + b"\xff" + "конец".encode()
    assert decoded(data, "").count("\ufffd") == 1
    assert decoded(b"caf\xe9 \x80", "") == "café €"
    assert decoded(b"\xff\xfe\xfd", "text/xml; charset=no-such") != ""


def test_a_malformed_feed_keeps_its_story() -> None:
    """Unescaped ampersands, undefined entities, an unclosed tag: the words are still there."""
    document = read(
        rss(
            "<title>Troops & <b>shells</title><link>https://outlet.example/1</link><description>&nbsp;a&b</description>"
        )
    )
    assert document.entries[0].title.startswith("Troops & ")
    assert document.warnings[0].startswith("not well-formed")


def test_a_document_that_ends_early_says_so() -> None:
    """Its whole entries are kept."""
    whole = rss("<title>one</title><guid>1</guid>")
    cut = whole.replace(b"</channel></rss>", b"<item><title>tw")
    document = read(cut)
    assert (document.complete, document.entries[0].title) == (False, "one")
    assert read(whole).complete


@pytest.mark.parametrize(
    "date", ["2 ноября 2026", "0001-01-01T00:00:00Z", "Tue, 99 May 2026", "9" * 400, "soon"]
)
def test_a_date_that_is_none_is_kept_as_written(date: str) -> None:
    """Raw, and capped; never the present moment."""
    (entry,) = read(rss(f"<title>x</title><pubDate>{date}</pubDate>")).entries
    assert entry.published is None or entry.published.year in {1, 9999}
    assert entry.published_raw == date[:100]


@pytest.mark.parametrize(
    ("head", "asks"),
    [
        ("<sy:updatePeriod>hourly</sy:updatePeriod>", timedelta(hours=1)),
        (
            "<sy:updatePeriod>daily</sy:updatePeriod><sy:updateFrequency>4</sy:updateFrequency>",
            timedelta(hours=6),
        ),
        (
            "<sy:updatePeriod>hourly</sy:updatePeriod><sy:updateFrequency>0.1</sy:updateFrequency>",
            timedelta(hours=10),
        ),
        (
            "<sy:updatePeriod>hourly</sy:updatePeriod><sy:updateFrequency>0</sy:updateFrequency>",
            timedelta(hours=1),
        ),
        ("<sy:updatePeriod>always</sy:updatePeriod>", None),
        ("<sy:updatePeriod>dayly</sy:updatePeriod>", None),
        ("<ttl>30</ttl><sy:updatePeriod>hourly</sy:updatePeriod>", timedelta(hours=1)),
        ("<ttl>junk</ttl>", None),
        ("<ttl>-5</ttl>", None),
        (f"<ttl>{'9' * 50}</ttl>", timedelta(minutes=10_000_000)),
        ("", None),
    ],
)
def test_what_a_document_asks_for(head: str, asks: timedelta | None) -> None:
    """Ttl and the syndication module, the longest of them; junk asks for nothing."""
    assert read(rss("<title>x</title>", head)).asks == asks


def test_everything_has_its_cap() -> None:
    """What was cut is named; over-long ids still tell items apart; entries over the limit are counted."""
    long = "x" * 300_000
    (entry,) = read(
        rss(f"<title>{long}</title><guid>{long}</guid><description>{long}</description><link>/{long}</link>")
    ).entries
    assert entry.truncated == ("title", "summary")
    assert (len(entry.title), len(entry.summary), entry.url) == (1_000, 200_000, "")
    assert entry.guid.startswith("sha256:")
    many = read(rss("</item><item>".join(f"<guid>{n}</guid>" for n in range(2_100))))
    assert (len(many.entries), many.over_limit) == (2_000, 100)


def test_the_caps_are_those_of_a_story() -> None:
    """The worker must not import the wire models, so the numbers stand twice."""
    assert (shape.TITLE_MAX, shape.TEXT_MAX) == (story.TITLE_MAX, story.TEXT_MAX)


def test_a_body_that_is_a_path_is_not_opened(tmp_path: Path) -> None:
    """Feedparser opens strings as files; it is never given one."""
    secret = tmp_path / "feed.xml"
    secret.write_bytes(rss("<title>secret</title>"))
    assert read(str(secret).encode()).entries == ()


def test_real_documents_are_read(shared: Path) -> None:
    """Every feed document of other projects' test suites: an answer for each, most with entries."""
    files = [path for path in sorted((shared / "data" / "feeds").rglob("*")) if path.is_file()]
    documents = [read(path.read_bytes()) for path in files]
    feeds = [document for document in documents if document.error is None]
    assert len(feeds) > 0.9 * len(files)
    assert sum(len(document.entries) for document in feeds) > 1_000
    for document in documents:
        for entry in document.entries:
            entry.title.encode()
            assert entry.url == "" or entry.url.startswith(("http://", "https://"))
