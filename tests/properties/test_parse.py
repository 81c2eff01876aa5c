"""Parsing: whatever bytes a server sends, there is a document, and its strings can be written."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.poller.parse.charset import decoded
from services.poller.parse.entries import read_document
from services.poller.parse.frames import pack_document, unpack_document

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
    """Any bytes decode to something."""
    decoded(data, content_type)
    read_document(data, "not a url", content_type)
