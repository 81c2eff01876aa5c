"""From evidence spans to marked quotations.

An alert's statements carry a short quotation and, where it was cut, the bounds of the whole span; its terms carry
offsets into the story's field. The desk never has the story, so the quotation is first put back in its place: the one
where most of the terms read as they should. A term that a cut leaves outside is listed, not marked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, TypeAlias

from schemas.alert import AlertEvidence
from services.text.quote import fits, quotation

STATEMENT = "statement"
TERMS_MAX = 64
"""Terms looked at per quotation: 25 words cannot hold more, hostile input can."""

Family: TypeAlias = Literal["actor", "arms", "stance", "other"]
"""How a mark is underlined: who, what, or whether it is denied; never by colour alone."""

_ACTORS = {"rus", "dprk", "pair", "leader_rus", "leader_dprk", "institution", "place"}
_STANCES = {"deny", "allege", "confirm"}
_ARMS = {"personnel", "technology", "logistics", "treaty", "sanction", "transfer", "materiel"}


@dataclass(frozen=True, slots=True)
class Segment:
    """A run of a quotation under the same marks: none, one family, or several (``layers`` >= 2)."""

    text: str
    family: Family | None = None
    layers: int = 0


@dataclass(frozen=True, slots=True)
class Term:
    """A lexicon term that counted, and whether the quotation shows it."""

    text: str
    concept: str
    shown: bool


@dataclass(frozen=True, slots=True)
class Quotation:
    """One statement, ready to show. ``cut_before``, ``cut_after``: something was left out there."""

    story_id: str
    field: str
    segments: tuple[Segment, ...]
    terms: tuple[Term, ...]
    cut_before: bool
    cut_after: bool


@dataclass(frozen=True, slots=True)
class _Mark:
    start: int
    end: int
    family: Family


def quotations(evidence: Sequence[AlertEvidence]) -> tuple[Quotation, ...]:
    """Return the statements of an alert in their order, each with its terms marked."""
    terms = [item for item in evidence if item.kind != STATEMENT]
    return tuple(_quotation(item, terms) for item in evidence if item.kind == STATEMENT)


def family(kind: str) -> Family:
    """Return how a concept is underlined."""
    concept = kind.partition(".")[0]
    if concept in _ACTORS:
        return "actor"
    if concept in _STANCES:
        return "stance"
    return "arms" if concept in _ARMS else "other"


def _quotation(statement: AlertEvidence, terms: Sequence[AlertEvidence]) -> Quotation:
    inside = [term for term in terms if _within(term, statement)][:TERMS_MAX]
    shift = _shift(statement, inside)
    start = statement.start + shift
    marks = {term: mark for term in inside if (mark := _mark(term, statement.text, start))}
    low, high = _bounds(statement.text, tuple(marks.values()))
    shown = {term: mark for term, mark in marks.items() if low <= mark.start and mark.end <= high}
    return Quotation(
        statement.story_id,
        statement.field,
        segments(statement.text, tuple(shown.values()), low, high),
        _listed(inside, shown),
        cut_before=low > 0 or shift > 0,
        cut_after=high < len(statement.text) or start + len(statement.text) < statement.end,
    )


def _within(term: AlertEvidence, statement: AlertEvidence) -> bool:
    same_field = (term.story_id, term.field) == (statement.story_id, statement.field)
    return same_field and statement.start <= term.start < term.end <= statement.end


def _shift(statement: AlertEvidence, terms: Sequence[AlertEvidence]) -> int:
    """Return how far into its span a quotation begins: the place on which most of its terms agree."""
    room = statement.end - statement.start - len(statement.text)
    if not statement.cut or room <= 0:
        return 0
    votes: Counter[int] = Counter()
    for term in terms:
        at = statement.text.find(term.text)
        while at >= 0 and term.text:
            votes[term.start - statement.start - at] += 1
            at = statement.text.find(term.text, at + 1)
    possible = [(count, -shift) for shift, count in votes.items() if 0 <= shift <= room]
    return -max(possible)[1] if possible else 0


def _mark(term: AlertEvidence, text: str, start: int) -> _Mark | None:
    """Return the term's place in the quotation; None where it lies outside or something else stands there."""
    low, high = term.start - start, term.end - start
    if low < 0 or high > len(text) or text[low:high] != term.text:
        return None
    return _Mark(low, high, family(term.kind))


def _bounds(text: str, marks: Sequence[_Mark]) -> tuple[int, int]:
    """Return what of a quotation may be shown: all of it, or, when it is too long, the words around its first mark."""
    if fits(text):
        return 0, len(text)
    cue = min(marks, key=lambda mark: mark.start, default=_Mark(0, 1, "other"))
    low, high, _ = quotation(text, 0, len(text), cue.start, cue.end)
    return low, high


def segments(text: str, marks: Sequence[_Mark], low: int, high: int) -> tuple[Segment, ...]:
    """Return the text cut at every mark's edge; overlapping marks make a segment of two layers.

    Where marks overlap, the longest gives the family.
    """
    edges = sorted({low, high, *(edge for mark in marks for edge in (mark.start, mark.end))})
    made = []
    for start, end in pairwise(edges):
        over = [mark for mark in marks if mark.start <= start and end <= mark.end]
        longest = max(over, key=lambda mark: mark.end - mark.start, default=None)
        made.append(Segment(text[start:end], longest.family if longest else None, len(over)))
    return tuple(made)


def _listed(terms: Sequence[AlertEvidence], shown: dict[AlertEvidence, _Mark]) -> tuple[Term, ...]:
    """Return each term once, in order; shown if any of its places is."""
    listed: dict[tuple[str, str], bool] = {}
    for term in terms:
        key = (term.text, term.kind)
        listed[key] = listed.get(key, False) or term in shown
    return tuple(Term(text, concept, is_shown) for (text, concept), is_shown in listed.items())
