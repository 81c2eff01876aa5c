"""Quotations are short, lie inside their span, and show the words that count."""

from __future__ import annotations

from services.text.quote import fits, quotation

WORDS = " ".join(f"word{number}" for number in range(60))


def quoted(text: str, cue: str) -> str:
    """Return the quotation around a cue in a text that is one span."""
    at = text.index(cue)
    low, high, _ = quotation(text, 0, len(text), at, at + len(cue))
    return text[low:high]


def test_a_short_span_is_quoted_whole() -> None:
    """Nothing is cut that need not be."""
    assert quotation("before. It sent shells. after", 8, 23, 16, 22) == (8, 23, False)


def test_a_long_sentence_is_cut_to_25_words_around_its_cue() -> None:
    """The cue is in the middle, whole words at both ends."""
    text = quoted(WORDS, "word30")
    assert len(text.split()) == 25
    assert text.split()[12] == "word30"


def test_near_an_end_the_other_side_gets_the_words() -> None:
    """25 words are used wherever the cue stands."""
    assert quoted(WORDS, "word0 ").split()[-1] == "word24"
    assert quoted(WORDS, "word59").split()[0] == "word35"


def test_cjk_is_cut_to_60_code_points() -> None:
    """Text without spaces is cut between characters; the cue is inside."""
    text = "北朝鮮は" * 30 + "砲弾" + "ロシアへ" * 30
    assert len(quoted(text, "砲弾")) == 60
    assert "砲弾" in quoted(text, "砲弾")


def test_a_latin_word_in_cjk_text_is_not_split() -> None:
    """Word borders count where there are words."""
    text = "北朝鮮は" * 14 + "Hwasong-11" + "を供与" * 30
    assert quoted(text, "北").endswith(("北朝鮮は", "Hwasong-11"))


def test_korean_obeys_both_limits() -> None:
    """Korean is written with spaces and is CJK."""
    assert len(quoted("국정원은 컨테이너가 " * 20, "국정원은")) <= 60


def test_a_cue_longer_than_a_quotation_is_quoted_from_its_start() -> None:
    """What cannot be shown whole is begun."""
    low, high, cut = quotation(WORDS, 0, len(WORDS), 0, len(WORDS))
    assert cut
    assert WORDS[low:high].split() == [f"word{number}" for number in range(25)]


def test_a_word_without_end_is_cut_hard() -> None:
    """A page without a space gives no more than a quotation's worth."""
    text = "x" * 100_000
    low, high, cut = quotation(text, 0, len(text), 50_000, 50_001)
    assert cut
    assert low <= 50_000 < high
    assert fits(text[low:high])


def test_a_cue_outside_its_span_is_moved_inside() -> None:
    """Wrong offsets give a quotation of the span, not of its neighbours."""
    low, high, _ = quotation(WORDS, 100, 400, 0, 5)
    assert low >= 100
    assert high <= 400
    assert quotation("", 0, 0, 0, 0) == (0, 0, False)
    assert quotation("ab", 2, 1, 0, 0) == (2, 2, False)


def test_a_span_of_blanks_quotes_nothing() -> None:
    """Where there is no word there is no quotation."""
    blank = " " * 1_000
    assert quotation(blank, 0, 1_000, 500, 501) == (500, 500, True)
