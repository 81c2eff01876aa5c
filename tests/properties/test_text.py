"""What holds of every text: cleaning never raises, quotations obey their limits, fingerprints are stable."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from services.text.clean import one_line, plain_text, visible
from services.text.fingerprint import fingerprint, similarity, title_key
from services.text.quote import QUOTE_CJK_CODE_POINTS_MAX, QUOTE_WORDS_MAX, quotation
from services.text.scripts import CJK

ANY_TEXT = st.text(st.characters())
PIECES = [
    "<p>",
    "</p>",
    "<a'",
    '">',
    ">",
    "<!--",
    "-->",
    "<script>",
    "</script>",
    "&amp;",
    "&#",
    "1;",
    "<![CDATA[",
    "]]>",
    "text",
    "<",
    "é",
    "砲弾",
    "<br/>",
    '"',
    "'",
]
MARKUP = st.lists(st.sampled_from([*PIECES, " ", "\n", "\ud800"]), max_size=30).map("".join)
PROSE = st.lists(
    st.sampled_from(["arms", "to", "Россия", "砲弾", "북한", "。", " ", "  ", "\n", "x" * 90]), max_size=90
).map("".join)


@given(st.one_of(ANY_TEXT, MARKUP))
def test_cleaning_never_raises(text: str) -> None:
    """Any text in; encodable text out, with paragraphs one blank line apart."""
    plain = plain_text(text)
    plain.encode()
    assert plain == plain.strip()
    assert "\n\n\n" not in plain


@given(ANY_TEXT)
def test_visible_text_is_safe_and_keeps_its_offsets(text: str) -> None:
    """Replaced one for one, so spans keep pointing at the same characters."""
    shown = visible(text)
    assert len(shown) == len(text)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", shown)
    shown.encode()


@given(ANY_TEXT, st.integers(1, 50))
def test_one_line_is_one_line_of_at_most_so_much(text: str, length: int) -> None:
    """No text is longer than its place."""
    line = one_line(text, length)
    assert len(line) <= length
    assert len(line.splitlines()) <= 1


@given(st.one_of(ANY_TEXT, PROSE), st.data())
def test_a_quotation_lies_in_its_span_and_is_short(text: str, data: st.DataObject) -> None:
    """Bounds are ordered, inside the span, and within 25 words or 60 code points of CJK."""
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    cue = data.draw(st.integers(start, max(start, end)))
    low, high, cut = quotation(text, start, end, cue, data.draw(st.integers(cue, max(cue, end))))
    quote = text[low:high]
    assert start <= low <= high <= end
    assert cut == ((low, high) != (start, end))
    assert len(quote.split()) <= QUOTE_WORDS_MAX
    if re.search(f"[{CJK}]", quote):
        assert len(quote) <= QUOTE_CJK_CODE_POINTS_MAX


@given(PROSE, st.data())
def test_a_short_cue_is_in_its_quotation(text: str, data: st.DataObject) -> None:
    """Whoever reads the quotation sees the word that counted."""
    words = [match.span() for match in re.finditer("arms|砲弾|Россия", text)]
    if words:
        low, high = data.draw(st.sampled_from(words))
        found = quotation(text, 0, len(text), low, high)
        assert found[0] <= low
        assert high <= found[1]


@given(ANY_TEXT, ANY_TEXT)
def test_a_fingerprint_is_stable_and_like_itself(title: str, text: str) -> None:
    """The same words, the same fingerprint; similarity is symmetric and within 0 to 1."""
    one, other = fingerprint(title, text, None), fingerprint(text, title, title)
    assert one == fingerprint(title, text, None)
    assert similarity(one, one) in {0.0, 1.0}
    assert similarity(one, other) == similarity(other, one)
    assert one.title_key == title_key(title)
