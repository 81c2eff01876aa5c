"""Finds to sentences: what a mask hides, what needs company, what stands in a mere list of states, is left out."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.classifier.sentences import sentences

if TYPE_CHECKING:
    from collections.abc import Sequence

    from schemas.claim import Field_
    from services.classifier.lexicon import Lexicon
    from services.classifier.match import Hit
    from services.classifier.text import View

LISTED = frozenset({"rus", "dprk", "third", "leader_rus", "leader_dprk", "leader_weak", "rus_weak"})
GAP_LENGTH_MAX = 12
"""Code points between two states of a list: a comma, "and", "as well as"."""
_FRAME = "frame."
_MARKS = str.maketrans(dict.fromkeys(",/&·、，ㆍ", " "))


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of a field, in view places, with what was found in it."""

    field: Field_
    number: int
    start: int
    end: int
    hits: tuple[Hit, ...]
    frames: frozenset[str]
    listed: bool = False

    def has(self, *targets: str) -> bool:
        """Return whether any of these was found."""
        return any(hit.target in targets for hit in self.hits)


@dataclass(frozen=True, slots=True)
class Words:
    """What the reading of a story needs of the lexicon: the lists that apply, and the joiners of their languages."""

    lexicon: Lexicon
    joiners: frozenset[str]

    @classmethod
    def of(cls, lexicon: Lexicon, languages: frozenset[str]) -> Words:
        """Return the words for these languages."""
        named = (lexicon.joiners[name] for name in languages)
        return cls(lexicon, frozenset().union(*named))


def read_sentences(
    fields: Sequence[tuple[Field_, View]], hits: Sequence[Sequence[Hit]], words: Words
) -> list[Sentence]:
    """Return the sentences of all fields with the finds that count in them."""
    whole = {hit.target for found in hits for hit in found}
    title = frozenset(name for name in _frames(hits[0], words.lexicon, "title"))
    read: list[Sentence] = []
    for (field, view), found in zip(fields, hits, strict=True):
        usable = _usable(found, whole, words.lexicon)
        places = [hit.start for hit in usable]
        for number, (start, end) in enumerate(sentences(view)):
            inside = usable[bisect_left(places, start) : bisect_left(places, end)]
            kept = _kept(inside, view, words)
            read.append(
                Sentence(
                    field,
                    number,
                    start,
                    end,
                    tuple(kept),
                    title | _frames(inside, words.lexicon, "statement"),
                    listed=len(kept) < sum(not hit.target.startswith(_FRAME) for hit in inside),
                )
            )
    return read


def _frames(hits: Sequence[Hit], lexicon: Lexicon, scope: str) -> frozenset[str]:
    names = {hit.target.removeprefix(_FRAME) for hit in hits if hit.target.startswith(_FRAME)}
    return frozenset(name for name in names if lexicon.frames[name].scope == scope)


def _kept(inside: Sequence[Hit], view: View, words: Words) -> list[Hit]:
    """Return the finds of a sentence without frames and lists; a row of states may well hold drills together."""
    kept = [hit for hit in inside if not hit.target.startswith(_FRAME)]
    return kept if any(hit.target == "drills" for hit in kept) else _without_lists(kept, view, words)


def _usable(found: Sequence[Hit], whole: set[str], lexicon: Lexicon) -> list[Hit]:
    """Return the finds that no mask hides and whose needs the story meets."""
    masks = [hit for hit in found if hit.target in lexicon.masks]
    return [
        hit
        for hit in found
        if hit.target not in lexicon.masks
        and not _masked(hit, masks, lexicon)
        and _needs_met(hit.target, whole, lexicon)
    ]


def _masked(hit: Hit, masks: list[Hit], lexicon: Lexicon) -> bool:
    for mask in masks:
        if mask.start < hit.end and hit.start < mask.end:
            hides = lexicon.masks[mask.target].hides
            if not hides or hit.target in hides:
                return True
    return False


def _needs_met(target: str, whole: set[str], lexicon: Lexicon) -> bool:
    concept = lexicon.concepts.get(target)
    return concept is None or not concept.needs or bool(concept.needs & whole)


def _without_lists(hits: list[Hit], view: View, words: Words) -> list[Hit]:
    """Return the hits without those that stand in a row of three or more states, both sides among them."""
    rows: list[list[Hit]] = []
    for hit in hits:
        if hit.target not in LISTED:
            continue
        if rows and _joined(view.low, rows[-1][-1].end, hit.start, words.joiners):
            rows[-1].append(hit)
        else:
            rows.append([hit])
    spans = [
        (row[0].start, row[-1].end)
        for row in rows
        if _is_list(row, words.lexicon) or _is_comparison(row, hits, words.lexicon)
    ]
    return [hit for hit in hits if not _in_list(hit, spans)]


def _joined(low: str, start: int, end: int, joiners: frozenset[str]) -> bool:
    """Return whether only commas and conjunctions stand between two places; overlapping finds are joined."""
    if end - start > GAP_LENGTH_MAX:
        return False
    gap = low[start:end].translate(_MARKS).replace("'s", " ")
    return all(word in joiners for word in gap.split())


def _is_list(row: list[Hit], lexicon: Lexicon) -> bool:
    targets = {hit.target for hit in row}
    keys = {key for target in targets for key in lexicon.concepts[target].keys}
    return "third" in targets and {"rus", "dprk"} <= keys


def _is_comparison(row: list[Hit], hits: list[Hit], lexicon: Lexicon) -> bool:
    """Return whether the DPRK stands among two others and nothing of Russia beside them: a name to lend to no one."""
    others = {hit.start for hit in row if hit.target == "third"}
    if len(others) < 2 or not any("dprk" in lexicon.concepts[hit.target].keys for hit in row):  # noqa: PLR2004
        return False
    return not any("rus" in lexicon.concepts[hit.target].keys for hit in hits)


def _in_list(hit: Hit, spans: list[tuple[int, int]]) -> bool:
    return (hit.target in LISTED or hit.target == "pair") and any(
        start <= hit.start and hit.end <= end for start, end in spans
    )
