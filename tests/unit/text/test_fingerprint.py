"""Copies look alike, other articles do not, and nothing of the text can be read back."""

from __future__ import annotations

import pytest

from services.text.fingerprint import PLACES, fingerprint, numbers, paragraphs, similarity, title_key

ARTICLE = " ".join(f"word{number} of the long briefing about trains" for number in range(60))
KOREAN = (
    "국정원은 컨테이너 약 천 개가 나진항을 떠났다고 밝혔다. 정부는 상황을 면밀히 주시하고 있다고 덧붙였다."
)


def test_the_same_words_are_the_same_fingerprint() -> None:
    """It is a function of the text, the same on every run and machine."""
    print_ = fingerprint("Containers leave Rajin", "", None)
    assert print_ == fingerprint("Containers leave Rajin", "", None)
    assert print_.signature[:2] == (932328117, 3632745999)


def test_a_reprint_with_another_head_and_tail_stays_similar() -> None:
    """An agency's text under another headline, with a credit line, is at least half alike."""
    agency = fingerprint("Containers leave Rajin", ARTICLE, None)
    reprint = fingerprint("A thousand boxes", ARTICLE + " (Baltic Wire)", None)
    assert similarity(agency, reprint) >= 0.8
    assert similarity(agency, fingerprint("Zoo", "A lion was born in the zoo on Monday.", None)) < 0.1


def test_texts_without_spaces_compare_by_characters() -> None:
    """Korean, Japanese and Chinese have shingles, too."""
    one = fingerprint("", KOREAN, None)
    assert similarity(one, fingerprint("", KOREAN + "(한빛뉴스)", None)) > 0.8
    assert similarity(one, fingerprint("", "오늘 서울의 날씨는 맑고 기온은 어제보다 높겠습니다.", None)) < 0.1


def test_a_text_without_words_is_like_nothing() -> None:
    """Two empty texts are no copies of each other."""
    empty = fingerprint("", "", None)
    assert empty.signature == ()
    assert similarity(empty, empty) == 0.0
    assert len(fingerprint("one", "", None).signature) == PLACES


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Kim sends 1,000 containers - Baltic Wire", "KIM SENDS 1.000 CONTAINERS!"),
        ("Kim sends containers | Potomac Ledger", "Kim sends containers"),
        ("ｋｉｍ sends containers", "Kim sends containers"),
        ("北朝鮮がロシアに砲弾を供与 - みなと新聞", "北朝鮮がロシアに砲弾を供与"),
    ],
)
def test_titles_that_say_the_same_share_a_key(one: str, other: str) -> None:
    """Case, punctuation, width and the outlet's name at the end do not count."""
    assert title_key(one) == title_key(other) != ""


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Kim sends 1,000 containers", "Kim sends 10,000 containers"),
        ("Kremlin: claims are groundless - Peskov", "Kremlin: claims are proven by imagery"),
        ("Live - a very long explanation of all that happened", "Live - something else entirely today"),
    ],
)
def test_titles_that_differ_have_keys_of_their_own(one: str, other: str) -> None:
    """A number is a difference; what is left without its suffix must say enough by itself."""
    assert title_key(one) != title_key(other)


@pytest.mark.parametrize("title", ["", "Live", "In brief - Baltic", "!!! ???", "뉴스 속보", "12345"])
def test_a_title_that_says_too_little_has_no_key(title: str) -> None:
    """A word like "Live" joins nothing."""
    assert title_key(title) == ""


def test_numbers_are_read_whatever_groups_their_digits() -> None:
    """Thousands are joined; a decimal comma is a point; each number once."""
    assert numbers("1,000 and 1 000, 1.000.000, 3,5 and 152-mm in 2026; 1000") == (
        "1000",
        "1000000",
        "3.5",
        "152",
        "2026",
    )


def test_only_paragraphs_that_are_somebodys_are_hashed() -> None:
    """A short line is nobody's; the same paragraph counts once."""
    long = "This paragraph was written by an agency and printed by many papers."
    assert len(paragraphs(f"Read more\n{long}\n{long.upper()}\nShare")) == 1


@pytest.mark.timeout(20)
@pytest.mark.parametrize("piece", ["\u0301\u0327", "漢", "ﷺ", "a ", "1 ", "1,", " - "])
def test_hostile_lengths_cost_a_bounded_time(piece: str) -> None:
    """A megabyte of combining marks, ligatures or digits is cut before it can hurt."""
    text = piece * (1_000_000 // len(piece))
    assert len(fingerprint(text, text, text).signature) in {0, PLACES}
