"""Whatever the text: claims quote it exactly, turn with the countries' names, and lose nothing to what stands beside them."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from schemas.claim import Claim
from schemas.verdict import CLAIMS_MAX
from services.classifier.classify import Item, classify, load_model

WORDS = st.sampled_from(
    [
        "North Korea", "Russia", "Pyongyang's", "Moscow", "Kim Jong Un", "sent", "received", "wants", "may have sent", "soldiers",
        "artillery shells", "more than 1,000 containers", "two million", "from", "to", "Seoul said", "he added", "Peskov",
        "denied", "declined to comment", "in exchange for", "which", "and that", "“", "”", "‘", "’", ", ", ". ", "; ", "…", "\n", ":",
        "북한이", "러시아에", "포탄", "제공했다", "КНДР", "России", "снаряды", "朝鲜", "向俄罗斯", "提供", "İ", "\ud800", "&amp;", "<p>", "\u00ad",
    ]
)  # fmt: skip
TEXTS = st.lists(WORDS | st.text(max_size=5), max_size=30).map(" ".join)
THINGS = st.sampled_from(
    ["artillery shells", "fighter jets", "ballistic missiles", "satellites", "soldiers", "drones"]
)
SENTENCES = st.sampled_from(
    [
        "{a} sent {things} to {b}.",
        "{a} may have sent {things} to {b}, NATO said.",
        "{b} received {things} from {a}.",
        "Many {things} were shipped to {b} by {a}, Washington said.",
        "{b} wants {things} from {a}.",
        "NATO fears that {a} will send {things} to {b}.",
        "According to NATO, {a} has agreed to give {things} to {b}.",
    ]
)
BESIDE = st.sampled_from(
    ["The weather was fine on Tuesday.", "A museum opened its new hall.", "Prices of tea fell."]
)
# In each language: names in the nominative, dative and genitive, sentences, things.
INFLECTED = {
    "ru": (
        ("Северная Корея", "Северной Корее", "Северной Кореи"),
        ("Россия", "России", "России"),
        ["{a[0]} поставила {b[1]} {things}.", "{b[0]} получила {things} из {a[2]}, заявил Сеул."],
        ["артиллерийские снаряды", "баллистические ракеты", "беспилотники"],
    ),
    "uk": (
        ("Північна Корея", "Північній Кореї", "Північної Кореї"),
        ("Росія", "Росії", "Росії"),
        ["{a[0]} поставила {b[1]} {things}.", "{b[0]} отримала {things} з {a[2]}, заявив Сеул."],
        ["артилерійські снаряди", "балістичні ракети", "безпілотники"],
    ),
    "pl": (
        ("Korea Północna", "Korei Północnej", "Korei Północnej"),
        ("Rosja", "Rosji", "Rosji"),
        ["{a[0]} dostarczyła {b[1]} {things}.", "{b[0]} otrzymała {things} z {a[2]}, podał Seul."],
        ["pociski artyleryjskie", "rakiety balistyczne", "drony"],
    ),
}
TURNED = {"DPRK>RUS": "RUS>DPRK", "RUS>DPRK": "DPRK>RUS"}


def claims_in(text: str, title: str = "", summary: str = "") -> tuple[Claim, ...]:
    """Return what the engine reads in a story."""
    return classify(Item("x", title, summary, text), load_model()).claims


@given(TEXTS, TEXTS, TEXTS)
def test_claims_quote_exactly_and_stand_for_every_flag(title: str, summary: str, text: str) -> None:
    """``story[field][start:end] == quote``; no flag without a claim, no claim without a flag; a few dozen at the most."""
    fields = {"title": title, "summary": summary, "text": text}
    verdict = classify(Item("x", title, summary, text), load_model())
    spans = [span for claim in verdict.claims for span in claim.evidence]
    assert all(fields[span.field][span.start : span.end] == span.quote for span in spans)
    assert all(claim.evidence for claim in verdict.claims)
    assert verdict.flagged == bool(verdict.claims)
    assert len(verdict.claims) <= CLAIMS_MAX
    ids = [claim.id for claim in verdict.claims]
    assert len(set(ids)) == len(ids)
    assert all(target in ids for claim in verdict.claims for target in claim.targets)


@given(TEXTS)
def test_the_same_text_claims_the_same(text: str) -> None:
    """Nothing but the text decides: not the time, not what was read before."""
    assert claims_in(text) == claims_in(text)


@given(SENTENCES, THINGS)
def test_swapping_the_countries_swaps_the_direction(sentence: str, things: str) -> None:
    """Grammar decides who gives, not what is expected of a country."""
    there = claims_in(sentence.format(a="North Korea", b="Russia", things=things))
    back = claims_in(sentence.format(a="Russia", b="North Korea", things=things))
    assume(there and back)  # some of these the word lists take for no arms tie at all
    assert [claim.direction for claim in there] == ["DPRK>RUS"]
    assert [claim.direction for claim in back] == [TURNED[claim.direction] for claim in there]
    assert [claim.status for claim in back] == [claim.status for claim in there]


@pytest.mark.parametrize("language", INFLECTED)
def test_swapping_the_countries_swaps_the_direction_where_cases_tell(language: str) -> None:
    """The same in languages whose endings say who gives to whom."""
    north, russia, sentences, things = INFLECTED[language]
    for sentence, thing in product(sentences, things):
        there = claims_in(sentence.format(a=north, b=russia, things=thing))
        back = claims_in(sentence.format(a=russia, b=north, things=thing))
        assert [claim.direction for claim in there] == ["DPRK>RUS"], (sentence, thing)
        assert [claim.direction for claim in back] == ["RUS>DPRK"], (sentence, thing)


@given(TEXTS, TEXTS, TEXTS)
def test_a_text_that_opens_with_its_title_claims_wherever_it_is_flagged(
    title: str, summary: str, rest: str
) -> None:
    """What is said twice is read once, never away."""
    verdict = classify(Item("x", title, summary, f"{title}{rest}"), load_model())
    assert verdict.flagged == bool(verdict.claims)


@given(st.lists(st.tuples(SENTENCES, THINGS), min_size=1, max_size=4), BESIDE)
def test_an_unrelated_sentence_takes_no_evidence_away(told: list[tuple[str, str]], beside: str) -> None:
    """What is said stays said, whatever is said before or after it."""
    text = "\n".join(row.format(a="North Korea", b="Russia", things=things) for row, things in told)
    quotes = {span.quote for claim in claims_in(text) for span in claim.evidence}
    for longer in (f"{text}\n{beside}", f"{beside}\n{text}"):
        assert quotes <= {span.quote for claim in claims_in(longer) for span in claim.evidence}
