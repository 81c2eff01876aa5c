"""Parsing: whatever bytes a server sends, there is a document, and its strings can be written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from services.poller.model import FORMATS_READ
from services.poller.parse.charset import decoded
from services.poller.parse.entries import _of_plain, declares_entities, read_document, read_lenient
from services.poller.parse.frames import pack_document, unpack_document
from services.poller.parse.strict import read_plain

if TYPE_CHECKING:
    from services.poller.model import Format

PIECES = st.sampled_from(
    [
        *(
            "<rss>",
            "<channel>",
            "<item>",
            "</item>",
            "</channel>",
            "</rss>",
            "<feed xmlns='http://www.w3.org/2005/Atom'>",
        ),
        *(
            "<entry>",
            "</entry>",
            "</feed>",
            "<title>",
            "</title>",
            "<title type='html'>",
            "<link href='",
            "'/>",
            "<link>",
        ),
        *(
            "<description>",
            "</description>",
            "<![CDATA[",
            "]]>",
            "<!--",
            "-->",
            "<!DOCTYPE x [",
            "<!ENTITY a 'b'>",
            "]>",
        ),
        *(
            "&amp;",
            "&lt;",
            "&#0;",
            "&#xD800;",
            "&nbsp;",
            "&a;",
            "&",
            "<",
            ">",
            "\0",
            "\ufeff",
            "<?xml version='1.0'?>",
        ),
        *(
            "http://x.example/1",
            "javascript:x",
            "Tue, 12 May 2026",
            "\ud83d\ude00",
            "텍스트",
            "{",
            '"items": [',
            "]}",
            "\x1b[31m",
        ),
    ]
)
DOCUMENTS = st.lists(PIECES, max_size=30).map("".join)
CONTENT_TYPES = st.sampled_from(
    ["", "text/xml", "text/xml; charset=utf-16", "application/json; charset=punycode", "charset=idna"]
)


@given(
    DOCUMENTS | st.text(max_size=200),
    CONTENT_TYPES,
    st.sampled_from(["utf-8", "utf-16", "utf-32-le", "cp1252"]),
)
def test_text_of_any_kind_is_read(text: str, content_type: str, encoding: str) -> None:
    """Never an exception; what comes out survives the pipe and is made of real characters."""
    document = read_document(text.encode(encoding, "replace"), "https://x.example/feed", content_type)
    assert unpack_document(pack_document(document)) == document
    for entry in document.entries:
        assert entry.url == "" or entry.url.startswith(("http://", "https://"))
        "".join((entry.guid, entry.title, entry.summary, entry.text or "")).encode()


@given(st.binary(max_size=200), CONTENT_TYPES)
def test_bytes_of_any_kind_are_read(data: bytes, content_type: str) -> None:
    """Any bytes decode to text; without entries the document says why."""
    assert isinstance(decoded(data, content_type), str)
    document = read_document(data, "not a url", content_type)
    assert document.entries or document.error or document.format in FORMATS_READ


TEXTS = st.sampled_from(
    [
        *(
            "",
            "x",
            " a  b ",
            "&lt;b&gt;x&lt;/b&gt;",
            "&amp;amp; &amp;#8217;",
            "<![CDATA[<p>a</p><p>b</p>]]>",
            "é",
            "Ð\x9f",
        ),
        *("텍스트", "a &lt; b", "<i>m</i>", "&nbsp;"),
    ]
)
DATES = st.sampled_from(
    [
        "Tue, 12 May 2026 09:00:00 GMT",
        "Tue, 12 May 2026 24:00:00 +0900",
        "2026-05-12T09:00:00Z",
        "2026-05-12",
        "0001-01-01T00:00:00Z",
        "Fri, 31 Feb 2026 09:00:00 GMT",
        "",
    ]
)
LINKS = st.sampled_from(
    ["https://x.example/1", "/rel", "../up?a=1&amp;b=2", "urn:1", "tag:a", "mailto:x", "uuid:7", "", "a b"]
)
RSS_CHILDREN = st.one_of(
    st.builds("<title>{}</title>".format, TEXTS),
    st.builds("<description>{}</description>".format, TEXTS),
    st.builds("<c:encoded>{}</c:encoded>".format, TEXTS),
    st.builds("<pubDate>{}</pubDate>".format, DATES),
    st.builds("<link>{}</link>".format, LINKS),
    st.builds("<guid>{}</guid>".format, LINKS),
    st.builds("<guid isPermaLink='false'>{}</guid>".format, LINKS),
    st.builds("<author>{}</author>".format, TEXTS),
    st.builds("<dc:creator>{}</dc:creator>".format, TEXTS),
    st.sampled_from(["<category>x</category>", "<media:x xmlns:media='y'/>", "<enclosure url='x'/>"]),
)
ATOM_CHILDREN = st.one_of(
    st.builds("<title>{}</title>".format, TEXTS),
    st.builds("<title type='html'>{}</title>".format, TEXTS),
    st.builds("<summary type='html'>{}</summary>".format, TEXTS),
    st.builds(
        "<content type='{}'>{}</content>".format,
        st.sampled_from(["text", "html", "xhtml", "text/html"]),
        TEXTS,
    ),
    st.builds("<published>{}</published>".format, DATES),
    st.builds("<updated>{}</updated>".format, DATES),
    st.builds("<link href='{}'/>".format, LINKS),
    st.builds("<link rel='self' href='{}'/>".format, LINKS),
    st.builds("<id>{}</id>".format, LINKS),
    st.builds("<author><name>{}</name></author>".format, TEXTS),
    st.sampled_from(["<category term='x'/>", "<rights>x</rights>", "<author/>"]),
)


def both_ways(text: str, found: Format) -> None:
    """Read a document both ways; where the fast reader answers, it answers as feedparser does."""
    plain = None if declares_entities(text) else read_plain(text, found)
    fast = None if plain is None else _of_plain(plain, found, "https://x.example/feeds/f")
    assert fast is None or fast == read_lenient(text, found, "https://x.example/feeds/f")


@given(st.lists(RSS_CHILDREN, max_size=6).map("".join), st.lists(RSS_CHILDREN, max_size=3).map("".join))
def test_both_readers_agree_on_rss(one: str, two: str) -> None:
    """Any mixture of usual and unusual items."""
    spaces = "xmlns:c='http://purl.org/rss/1.0/modules/content/' xmlns:dc='http://purl.org/dc/elements/1.1/'"
    both_ways(
        f"<rss version='2.0' {spaces}><channel><item>{one}</item><item>{two}</item></channel></rss>", "rss"
    )


@given(st.lists(ATOM_CHILDREN, max_size=6).map("".join), st.sampled_from(["", " xml:lang='de'"]))
def test_both_readers_agree_on_atom(entry: str, root: str) -> None:
    """Any mixture of usual and unusual entries."""
    both_ways(f"<feed xmlns='http://www.w3.org/2005/Atom'{root}><entry>{entry}</entry></feed>", "atom")
