"""What feeds really send: hidden and broken characters, two languages, repeated titles, texts made to take time."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

import pytest

from services.classifier.classify import FIELD_LENGTH_MAX, Item, classify, load_model
from services.classifier.mojibake import mended

if TYPE_CHECKING:
    from schemas import Verdict

SHELLS = "North Korea delivered artillery shells to Russia"


def verdict_of(title: str, summary: str = "", text: str = "") -> Verdict:
    """Return the verdict on a story, every quotation of it compared with the text as given."""
    fields = {"title": title, "summary": summary, "text": text}
    verdict = classify(Item("x", title, summary, text), load_model())
    assert all(fields[one.field][one.start : one.end] == one.text for one in verdict.evidence)
    quoted = [one for claim in verdict.claims for one in claim.evidence]
    assert all(fields[one.field][one.start : one.end] == one.quote for one in quoted)
    assert verdict.flagged == bool(verdict.claims)
    return verdict


@pytest.mark.parametrize(
    "title",
    [
        "North Korea\x00 delivered\x00 artillery shells to Russia\x00",
        "North Korea delivered \ud83d artillery shells to Russia\udc00",
        "North Korea delivered\U000e1234\u0378 artillery shells to Russia\U0010fffe",
        "\u202eNorth Korea\u202c delivered \u2067artillery shells\u2069 to \u200fRussia",
        "🇰🇵 North Korea 👨‍👩‍👧‍👦 delivered 🧨 artillery shells 💣🏽 to Russia 🇷🇺",
        "North&nbsp;Korea delivered &quot;artillery&#32;shells&quot; to Russia &amp;c.",
        "North Korea&#39;s artillery shells delivered to Russia &#x110000; &#xD800; &#0; &bogus;",
        "North Korea (북한) delivered artillery shells to Russia (ロシア)",
        "North Korea delivered artillery shells to Russia, says the Δ unit",
        "Nоrth Kоrea dеlivered artillеry shells to Russiа",
        unicodedata.normalize("NFD", "북한, 러시아에 포탄 100만 발 제공했다"),
        unicodedata.normalize("NFD", "Korea Północna dostarczyła Rosji pociski artyleryjskie"),
        unicodedata.normalize("NFD", "Россия получила из Северной Кореи снаряды, самый большой груз"),
    ],
)
def test_odd_characters_hide_nothing_and_move_no_span(title: str) -> None:
    """NUL, lone surrogates, unassigned code points, overrides, emoji, entities, other scripts, decomposed letters."""
    assert verdict_of(title).flagged


def broken(text: str, page: str) -> str:
    """Return a text as it looks if its UTF-8 is read as another code page."""
    return "".join(bytes([byte]).decode(page, "ignore") or chr(byte) for byte in text.encode())


@pytest.mark.parametrize(
    ("title", "page"),
    [
        ("Россия получила снаряды из Северной Кореи", "cp1251"),
        ("Россия получила снаряды из Северной Кореи", "cp1252"),
        ("Россия получила снаряды из Северной Кореи", "latin-1"),
        ("Korea Północna dostarczyła Rosji pociski artyleryjskie", "cp1252"),
        ("북한, 러시아에 포탄 제공", "latin-1"),
        ("<b>La Corée du Nord</b> a livré des obus d&#39;artillerie à la Russie", "cp1252"),
    ],
)
def test_text_that_was_decoded_wrongly_is_read_as_it_was_meant(title: str, page: str) -> None:
    """Spans are those of the text as given, broken as it is."""
    verdict = verdict_of(broken(title, page))
    assert verdict.flagged
    assert [one.text for one in verdict.evidence] == [
        broken(one.text, page) for one in verdict_of(title).evidence
    ]


@pytest.mark.parametrize(
    "text",
    [
        "KIM JONG UN ARRIVÉ…",  # these two would be a letter, but not of any language of ours
        "Rosja – Ãltere Ð",
        "Ð\ud800",
        "La Russie, Corée â",
        "Ñandú",
        "Россия",
    ],
)
def test_a_text_that_is_whole_is_left_alone(text: str) -> None:
    """Only where every letter fits was it broken."""
    assert mended(text) is None


@pytest.mark.parametrize("title", ["", " \t\n\u3000\u200b", "\ud800" * 50, "\x00", "&#0;", "<p>", "\u202e"])
def test_nothing_is_flagged_where_nothing_is_said(title: str) -> None:
    """Empty, white or broken titles are stories, too."""
    verdict = verdict_of(title)
    assert (verdict.flagged, verdict.near_miss, verdict.tier) == (False, False, "T0")


@pytest.mark.parametrize(
    ("title", "summary"),
    [
        ("Россия получила новую партию", f"{SHELLS}, Seoul says"),
        ("North Korea's Kim meets Putin", "Korea Północna dostarczyła Rosji pociski artyleryjskie"),
        ("김정은, 푸틴과 회담", f"{SHELLS}, officials in several European capitals said on Tuesday evening"),
        (
            "북한, 러시아에 포탄 제공",
            "The ministry said on Tuesday that it was looking into the matter with its allies.",
        ),
    ],
)
def test_title_and_summary_may_be_in_two_languages(title: str, summary: str) -> None:
    """Each is read with the words of its own."""
    assert verdict_of(title, summary).flagged


@pytest.mark.parametrize(
    ("title", "summary", "text"),
    [
        ("They sent artillery shells", "Russia and North Korea agreed on a deal.", "They sent artillery shells. Rain fell."),
        (f"{SHELLS}", "", f"{SHELLS} in a new film by a Korean director."),
        (f"{SHELLS}", "", f"{SHELLS}. Officials said so on Tuesday."),
    ],
)  # fmt: skip
def test_a_flag_has_a_claim_where_the_text_opens_with_its_title(title: str, summary: str, text: str) -> None:
    """A repeated title is read once, but never away: it may be all that joins the two sides."""
    verdict = verdict_of(title, summary, text)
    assert verdict.flagged
    assert len(verdict.claims) == 1


@pytest.mark.parametrize("piece", ["“", "&amp;", "<a", "1,"])
def test_a_text_without_end_is_cut_and_says_so(piece: str) -> None:
    """Five million code points of anything come back as a verdict that names what was cut."""
    verdict = verdict_of(SHELLS, text=piece * (5_000_000 // len(piece)))
    assert verdict.flagged
    assert verdict.truncated == ("text",)
    assert all(one.end <= FIELD_LENGTH_MAX for one in verdict.evidence)
