"""The fast reader agrees with feedparser, or leaves the document to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from services.poller.model import FORMATS_READ
from services.poller.parse.charset import decoded
from services.poller.parse.entries import _of_plain, declares_entities, format_of, read_lenient
from services.poller.parse.strict import read_plain
from tests.fakes import an_item, an_rss

if TYPE_CHECKING:
    from pathlib import Path

URL = "https://outlet.example/feeds/rss"


def agrees(text: str) -> bool:
    """Read a document both ways; tell whether the fast one was taken. They must not differ."""
    found = format_of(text)
    if found not in FORMATS_READ - {"json"} or declares_entities(text):
        return False
    plain = read_plain(text, found)
    fast = None if plain is None else _of_plain(plain, found, URL)
    if fast is None:
        return False
    assert fast == read_lenient(text, found, URL)
    return True


def rss(item: str, head: str = "") -> str:
    """Return an RSS document with one item."""
    return (
        '<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/" '
        'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:sy="http://purl.org/rss/1.0/modules/syndication/" '
        'xmlns:atom="http://www.w3.org/2005/Atom" xmlns:media="http://search.yahoo.com/mrss/">'
        f"<channel><title>T</title>{head}<item><title>t</title>{item}</item></channel></rss>"
    )


def atom(entry: str, root: str = "") -> str:
    """Return an Atom document with one entry."""
    return f'<feed xmlns="http://www.w3.org/2005/Atom"{root}><title>T</title><entry>{entry}</entry></feed>'


PLAIN = [
    an_rss(an_item("a"), an_item("b", summary="&lt;p&gt;x&lt;/p&gt; &amp;amp; y")).decode(),
    rss("<guid>https://outlet.example/1</guid>"),
    rss("<guid isPermaLink='false'>tag:1</guid><link>/rel</link>"),
    rss("<link>https://outlet.example/?a=1&amp;b=2</link>"),
    rss(
        "<description><![CDATA[<p>one</p><script>x</script>]]></description><content:encoded>two</content:encoded>"
    ),
    rss("<pubDate>Tue, 12 May 2026 09:00:00 +0900</pubDate>"),
    rss("<pubDate>2026-05-12T09:00:00.123Z</pubDate>"),
    rss("<author>desk@outlet.example (Kim A)</author><category>x</category>"),
    rss(
        "<dc:creator>Kim B</dc:creator>",
        "<language>ko</language><ttl>90</ttl><sy:updatePeriod>daily</sy:updatePeriod>",
    ),
    atom(
        "<id>urn:1</id><title>1 &lt; 2</title><summary type='html'>&lt;b&gt;s&lt;/b&gt;</summary><link href='../a'/>"
    ),
    atom("<id>https://outlet.example/1</id><title type='html'>&amp;amp;</title><content>text</content>"),
    atom("<id>urn:1</id><title>t</title><updated>2026-05-12T00:00:00Z</updated>", ' xml:lang="de_CH"'),
    atom(
        "<title>t</title><author><name>A</name><email>a@b.example</email></author><author><name>B</name></author>"
    ),
    atom(
        "<title>t</title><published>2026-05-12T00:00:00+02:00</published><updated>2026-05-13T00:00:00Z</updated>"
    ),
]


@pytest.mark.parametrize("text", PLAIN)
def test_plain_documents_are_read_fast_and_alike(text: str) -> None:
    """Entry by entry, field by field."""
    assert agrees(text)


@pytest.mark.parametrize(
    "text",
    [
        rss("<description>a & b</description>"),
        rss("<description>&nbsp;</description>"),
        rss("<description><b>markup</b></description>"),
        rss("<description>one</description><description>two</description>"),
        rss("<media:group/>"),
        rss("<atom:link href='x'/>"),
        rss("<pubDate>yesterday</pubDate>"),
        rss("<pubDate>Tue, 99 May 2026 09:00:00 GMT</pubDate>"),
        rss("<guid>relative</guid>"),
        rss("<description>&#x92;</description>"),
        rss("<description>cafÃ©</description>"),
        rss("<description xml:lang='en'>x</description>"),
        rss("<item/>"),
        atom("<title type='xhtml'><div xmlns='http://www.w3.org/1999/xhtml'>x</div></title>"),
        atom("<title>t</title><link href='a'/><link href='b'/>"),
        atom("<title>t</title><link href='a' type='application/pdf'/>"),
        atom("<title>t</title><source><title>x</title></source>"),
        atom("<title>t</title>", ' xml:base="https://other.example/"'),
        atom("<title>t</title></entry><item><title>x</title></item><entry>"),
    ],
)
def test_whatever_is_unusual_is_left_to_feedparser(text: str) -> None:
    """Malformed, repeated, unknown, repaired, relative to another base."""
    assert not agrees(text)


def test_both_ways_agree_on_real_documents(shared: Path) -> None:
    """Every document of other projects' test suites; a good part of them is plain."""
    files = [path for path in sorted((shared / "data" / "feeds").rglob("*")) if path.is_file()]
    texts = [decoded(path.read_bytes(), "").lstrip("\ufeff \t\r\n") for path in files]
    assert sum(agrees(text) for text in texts) > 40
