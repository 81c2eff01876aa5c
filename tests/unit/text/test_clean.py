"""Foreign text is made readable, and nothing that it holds can steer what shows it."""

from __future__ import annotations

import pytest

from services.text.clean import one_line, plain_text, visible


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("<p>One &amp; two</p><p>three</p>", "One & two\n\nthree"),
        ("one<br>two<br/>three", "one\ntwo\nthree"),
        ("<ul><li>one</li><li>two</li></ul>", "one\ntwo"),
        ("<td>1</td><td>2</td>", "1 2"),
        ("<b>W</b>ord  and\n<i>space</i>", "Word and space"),
        ("<script>alert('<p>x</p>')</script>text<style>p{}</style>", "text"),
        ("<SCRIPT src='x'>a</sCript >b", "b"),
        ("<script>never closed", ""),
        ("a<!-- <p>hidden</p> -->b<!doctype html>c", "abc"),
        ("<![CDATA[<p>in</p>]]>", "in"),
        ("<a href=\"x>y\" title='>'>link</a>", "link"),
        ("2 < 3 and 4 > 3", "2 < 3 and 4 > 3"),
        ("a <b", "a <b"),
        ("&lt;script&gt; stays text", "<script> stays text"),
        ("&#1057;&#x41;&nbsp;&eacute;&bogus;", "СA é&bogus;"),
        ("&#99999999999999999999999;&#xD800;", "\ufffd\ufffd"),
        ("\ud800 lone", "\ufffd lone"),
        ("\ue000 private", "\ufffd private"),
        ("", ""),
    ],
)
def test_html_becomes_the_text_that_a_reader_sees(given: str, wanted: str) -> None:
    """Markup goes, paragraphs stay, entities are decoded once."""
    assert plain_text(given) == wanted


def test_text_without_markup_keeps_its_lines() -> None:
    """A plain-text feed's paragraphs are its own."""
    assert plain_text("one\r\ntwo\r\n\r\n\r\nthree  four") == "one\ntwo\n\nthree four"


def test_a_quote_that_never_closes_costs_one_tag() -> None:
    """A broken attribute does not swallow the article."""
    assert plain_text('<a href="x>one</a> two') == "one two"


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "piece",
    ["<", "<a", '<a "', '<a ">" ', "<!--", "<script>", "&", "&#1", "<div>", "</", "<p", "]]>", "<![CDATA["],
)
def test_much_of_anything_takes_seconds_at_most(piece: str) -> None:
    """Time is linear in the length, whatever the text is made of; twice with a bracket to hope for."""
    for much in (piece * (100_000 // len(piece)), piece * (100_000 // len(piece)) + ">"):
        assert len(plain_text(much)) <= len(much)


def test_what_steers_a_terminal_becomes_visible() -> None:
    """Escapes, C1 controls, bidi controls and lone surrogates are replaced one for one; line feeds stay."""
    hostile = "a\x1b[2J\x9b\r\u202eb\u2066\u061c\u200f\ud800\u2028\x00\x7f\n\tc"
    assert visible(hostile) == "a\ufffd[2J\ufffd\ufffd\ufffdb" + "\ufffd" * 7 + "\n c"


def test_a_title_cannot_fake_a_second_line() -> None:
    """One line is one line, and no longer than asked for."""
    assert one_line("a\nURGENT: b\u2028c", 100) == "a URGENT: b\ufffdc"
    assert one_line("x" * 1_000_000, 10) == "x" * 9 + "…"
