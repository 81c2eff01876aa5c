"""Quotations: every mark stands on the words that counted, whatever was cut."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from schemas import AlertEvidence
from services.desk.highlight import Quotation, family, quotations
from services.text.quote import fits
from tests.desk_alerts import arabic, day, korean, quoted

LONG = " ".join(f"word{n}" for n in range(60))


def marked(quotation: Quotation) -> list[tuple[str, str | None, int]]:
    """Return the marked segments."""
    return [(part.text, part.family, part.layers) for part in quotation.segments if part.family]


def only(evidence: tuple[AlertEvidence, ...]) -> Quotation:
    """Return the one quotation of some evidence."""
    (found,) = quotations(evidence)
    return found


def test_terms_are_marked_where_they_stand() -> None:
    """Offsets into the field become places in the quotation; the text itself stays as it was."""
    quotation = only(
        quoted(
            "a",
            "Moscow got shells from Pyongyang, shells!",
            rus="Moscow",
            materiel__ammunition="shells",
            deny="from",
        )
    )
    assert marked(quotation) == [("Moscow", "actor", 1), ("shells", "arms", 1), ("from", "stance", 1)]
    assert "".join(part.text for part in quotation.segments) == "Moscow got shells from Pyongyang, shells!"
    assert not quotation.cut_before
    assert not quotation.cut_after


def test_a_cut_quotation_is_put_back_in_its_place() -> None:
    """Of a repeated word the right one is marked, and a term that the cut leaves outside is listed."""
    whole = "Seoul said shells, and again shells from Pyongyang went to Moscow"
    quotation = only(
        quoted(
            "a", "again shells from Pyongyang", whole, institution="Seoul", dprk="Pyongyang", allege="said"
        )
    )
    assert marked(quotation) == [("Pyongyang", "actor", 1)]
    assert [(term.text, term.shown) for term in quotation.terms] == [
        ("Seoul", False),
        ("Pyongyang", True),
        ("said", False),
    ]
    assert (quotation.cut_before, quotation.cut_after) == (True, True)


def test_overlapping_terms_all_count() -> None:
    """Flat segments: where two overlap, the segment has two layers and the longest gives the family."""
    quotation = only(
        quoted("a", "North Korean shells", dprk="North Korean", materiel__ammunition="Korean shells")
    )
    assert [(part.text, part.layers) for part in quotation.segments] == [
        ("North ", 1),
        ("Korean", 2),
        (" shells", 1),
    ]


def test_a_term_that_reads_otherwise_is_not_marked() -> None:
    """Offsets that point at other words mark nothing."""
    statement, term = quoted("a", "shells for Moscow", rus="Moscow")
    moved = term.model_copy(update={"start": term.start - 3, "end": term.end - 3})
    assert marked(only((statement, moved))) == []


def test_terms_of_other_stories_and_fields_stay_out() -> None:
    """Offsets mean something only in their own field of their own story."""
    statement, term = quoted("a", "shells for Moscow", rus="Moscow")
    assert only((statement, term.model_copy(update={"field": "title"}))).terms == ()
    assert only((statement, term.model_copy(update={"story_id": "f" * 32}))).terms == ()


def test_a_quotation_that_came_uncut_is_cut_here() -> None:
    """No page shows more than may be quoted, whoever wrote the alert."""
    quotation = only(quoted("a", LONG, rus="word40"))
    assert fits("".join(part.text for part in quotation.segments))
    assert marked(quotation) == [("word40", "actor", 1)]
    assert quotation.cut_before
    assert quotation.cut_after


def test_every_writing_system_keeps_its_offsets() -> None:
    """Code points, not bytes or UTF-16 units: each shown term is exactly one marked run."""
    for alert in day():
        for quotation in quotations(alert.evidence):
            marks = "|".join(text for text, _, _ in marked(quotation))
            assert all(term.text in marks.replace("|", "") for term in quotation.terms if term.shown)
    assert [term.shown for term in only(korean().evidence).terms] == [True] * 5 + [False]
    assert all(term.shown for term in only(arabic().evidence).terms)


def test_families() -> None:
    """Who, what, whether it is denied, the rest."""
    kinds = ("dprk", "leader_rus", "materiel.drone", "personnel", "deny", "something new")
    assert [family(kind) for kind in kinds] == ["actor", "actor", "arms", "arms", "stance", "other"]


spans = st.tuples(st.integers(0, 60), st.integers(1, 60), st.text(max_size=8))


@given(st.text(max_size=60), st.integers(0, 80), st.booleans(), st.lists(spans, max_size=5))
def test_whatever_the_evidence_says_the_text_stays_whole(
    text: str,
    extra: int,
    cut: bool,
    terms: list[tuple[int, int, str]],
) -> None:
    """Hostile or broken evidence never raises, and the segments are a piece of the quotation, in order."""
    statement = AlertEvidence(
        story_id="0" * 32,
        field="text",
        start=0,
        end=len(text) + extra + 1,
        text=text,
        kind="statement",
        cut=cut,
    )
    evidence = [
        AlertEvidence(story_id="0" * 32, field="text", start=start, end=start + length, text=word, kind="rus")
        for start, length, word in terms
    ]
    quotation = only((statement, *evidence))
    assert "".join(part.text for part in quotation.segments) in text
