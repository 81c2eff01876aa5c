"""Drafts to one list of a story: answers find what they answer, and what is said twice by one voice counts once."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.classifier.claims.attribution import Voice
    from services.classifier.claims.draft import Draft
    from services.classifier.claims.pack import Pack, Speaker

EVIDENCE_MAX = 4
TARGETS_MAX = 8
ONE_WAY = ("a_to_b", "b_to_a")


def settle(drafts: Sequence[Draft], pack: Pack) -> list[Draft]:
    """Return the claims of a story, each once, in the order in which they are first made."""
    merged: list[Draft] = []
    for draft in _answered(drafts):
        place = next((at for at, other in enumerate(merged) if _same(other, draft, pack)), None)
        if place is None:
            merged.append(draft)
        else:
            merged[place] = _sum(merged[place], draft)
    return merged


def targets_of(draft: Draft, others: Sequence[Draft]) -> list[int]:
    """Return the places in the list of what an answer answers."""
    if not draft.answers:
        return []
    found = [
        place
        for place, other in enumerate(others)
        if not other.answers
        and other.direction == draft.direction
        and (not draft.categories or not other.categories or draft.categories & other.categories)
        and root(other.voice) != root(draft.voice)
    ]
    return found[:TARGETS_MAX]


def root(voice: Voice) -> str:
    """Return the institution that is the source of what a voice says."""
    first = voice.speakers[0] if voice.speakers else None
    return (first.of or first.id) if first else ""


def _answered(drafts: Sequence[Draft]) -> list[Draft]:
    """Return the drafts with the answers taking direction and things from what the story speaks of."""
    told = [draft for draft in drafts if not draft.answers and draft.direction in ONE_WAY]
    counts = Counter(draft.direction for draft in told)
    usual = counts.most_common(1)[0][0] if counts else "unknown"
    answered: list[Draft] = []
    for place, draft in enumerate(drafts):
        if draft.answers and draft.direction == "unknown":
            target = _nearest(drafts[:place], usual) or next(iter(told), None)
            things = draft.things or (target.things if target else ())
            answered.append(replace(draft, direction=usual, things=things))
        else:
            answered.append(draft)
    return answered


def _nearest(before: Sequence[Draft], direction: str) -> Draft | None:
    found = [draft for draft in before if draft.direction == direction and draft.things]
    return found[-1] if found else None


def _same(one: Draft, other: Draft, pack: Pack) -> bool:
    return (
        one.type == other.type
        and one.direction == other.direction
        and one.standing.status == other.standing.status
        and _one_voice(one, other, pack)
        and _fit(one, other)
        and _equal_number(one, other)
    )


def _one_voice(one: Draft, other: Draft, pack: Pack) -> bool:
    """Return whether two claims may come from one source: an institution and its state, or a headline without a name."""
    if not one.voice.speakers or not other.voice.speakers:
        return True
    roots = [_states(speaker, pack) for speaker in (one.voice.speakers[0], other.voice.speakers[0])]
    return bool(roots[0] & roots[1])


def _states(speaker: Speaker, pack: Pack) -> set[str]:
    """Return a speaker's institution and the state it is part of, if that may be meant."""
    institution = pack.speakers.get(speaker.of, speaker)
    return {institution.id, institution.part} - {""} if institution.part else {institution.id}


def _fit(one: Draft, other: Draft) -> bool:
    return not one.categories or not other.categories or bool(one.categories & other.categories)


def _equal_number(one: Draft, other: Draft) -> bool:
    if one.quantity is None or other.quantity is None:
        return True
    return (one.quantity.value, one.quantity.unit) == (other.quantity.value, other.quantity.unit)


def _sum(one: Draft, other: Draft) -> Draft:
    """Return two tellings as one: the fuller one speaks, both are evidence."""
    full, short = (other, one) if _fullness(other) > _fullness(one) else (one, other)
    names = {name for name, _ in full.things}
    return replace(
        full,
        things=(*full.things, *(thing for thing in short.things if thing[0] not in names)),
        quantity=full.quantity or short.quantity,
        evidence=tuple(dict.fromkeys((*full.evidence, *short.evidence)))[:EVIDENCE_MAX],
        dated=one.dated and other.dated,
        opinion=one.opinion and other.opinion,
    )


def _fullness(draft: Draft) -> tuple[bool, bool, bool, int]:
    first = draft.voice.speakers[0] if draft.voice.speakers else None
    named = first is not None and bool(first.of or first.part)
    return first is not None, named, draft.quantity is not None, len(draft.things)
