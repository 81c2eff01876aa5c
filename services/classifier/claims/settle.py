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
BARE = "said"
HEDGES = frozenset({"believe", "may", "see", "imagery", "physical", "identify", "confirm"})
ONE_WAY = ("a_to_b", "b_to_a")


def settle(drafts: Sequence[Draft], pack: Pack) -> list[Draft]:
    """Return the claims of a story, each once, in the order in which they are first made."""
    merged: list[Draft] = []
    for draft in _answered(drafts, pack):
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


def _answered(drafts: Sequence[Draft], pack: Pack) -> list[Draft]:
    """Return the drafts with the answers taking direction and things from what the story speaks of."""
    told = [draft for draft in drafts if not draft.answers and draft.direction in ONE_WAY]
    answered: list[Draft] = []
    for place, draft in enumerate(drafts):
        if answered and _goes_on(answered[-1], draft):
            things = draft.things or answered[-1].things
            answered.append(_turned(draft, answered[-1].direction, things))
        elif draft.answers and draft.direction == "unknown":
            near = _nearest(drafts[:place], draft) if draft.clause.has("this") else None
            target = near or _usual(_of_the_same(told, draft), drafts[:place])
            things = _about(draft, target, told, pack)
            direction = target.direction if target else "unknown"
            answered.append(_turned(draft, direction, things))
        else:
            answered.append(draft)
    return answered


def _turned(draft: Draft, direction: str, things: tuple[tuple[str, str], ...]) -> Draft:
    return replace(
        draft, direction=direction, things=things, categories=frozenset(name for name, _ in things)
    )


def _about(
    answer: Draft, target: Draft | None, told: Sequence[Draft], pack: Pack
) -> tuple[tuple[str, str], ...]:
    """Return the things that an answer is about: its own if anybody claimed their like, else those it answers."""
    families = pack.families(name for draft in told for name in draft.categories)
    own = tuple(thing for thing in answer.things if pack.families([thing[0]]) & families)
    return own or (target.things if target else answer.things)


def _goes_on(one: Draft, other: Draft) -> bool:
    """Return whether somebody goes on with the answer just given."""
    return (
        one.answers
        and other.answers
        and other.direction == "unknown"
        and root(one.voice) == root(other.voice)
        and other.clause.number - one.clause.number <= 1
    )


def _nearest(before: Sequence[Draft], answer: Draft) -> Draft | None:
    """Return the last claim before an answer that says something happened.

    Nobody answers for what another wants, unless that was said in the sentence just before.
    """
    told = (
        draft
        for draft in reversed(before)
        if not draft.answers
        and draft.direction in ONE_WAY
        and (draft.standing.modality != "want" or _just_before(draft, answer))
    )
    return next(told, None)


def _just_before(draft: Draft, answer: Draft) -> bool:
    return draft.clause.field == answer.clause.field and draft.clause.number == answer.clause.number - 1


def _of_the_same(told: list[Draft], answer: Draft) -> list[Draft]:
    """Return the claims about the things that an answer names, all if it names none or nobody spoke of them."""
    return [one for one in told if one.categories & answer.categories] or told


def _usual(told: Sequence[Draft], before: Sequence[Draft]) -> Draft | None:
    """Return the claim that an answer without a word of its own is about: of the way that most go, the last before it."""
    if not told:
        return None
    usual = Counter(draft.direction for draft in told).most_common(1)[0][0]
    ways = [draft for draft in told if draft.direction == usual]
    earlier = {id(draft) for draft in before}
    return next((draft for draft in reversed(ways) if id(draft) in earlier and draft.things), ways[0])


def _same(one: Draft, other: Draft, pack: Pack) -> bool:
    return (
        (one.type == other.type or (not one.answers and not other.answers and _is_headline(one)))
        and (one.answers or not _one_sentence(one, other))
        and one.direction == other.direction
        and _one_standing(one, other)
        and _one_voice(one, other, pack)
        and _fit(one, other)
        and _equal_number(one, other)
    )


def _one_standing(one: Draft, other: Draft) -> bool:
    """Return whether two claims have one standing; what a headline says flatly, the text says with its hedge."""
    if one.standing.status == other.standing.status:
        return True
    return (
        _is_headline(one)
        and one.standing.modality == BARE
        and not one.voice.speakers
        and other.standing.modality in HEDGES
        and bool(other.voice.speakers)
    )


def _is_headline(draft: Draft) -> bool:
    """Return whether a claim was made by the first sentence of a story alone."""
    return len(draft.evidence) == 1 and draft.clause.number == 0


def _one_sentence(one: Draft, other: Draft) -> bool:
    """Return whether two claims stand in one sentence, which would not say one thing twice."""
    return (one.clause.field, one.clause.number) == (other.clause.field, other.clause.number)


def _one_voice(one: Draft, other: Draft, pack: Pack) -> bool:
    """Return whether two claims may come from one source: an institution and its state, or nobody by name.

    What the outlet tells without a name is somebody's claim told again, unless only one of the two has a number.
    """
    first, second = (draft.voice.speakers[0] if draft.voice.speakers else None for draft in (one, other))
    if first is None or second is None or first.unnamed or second.unnamed:
        counted = (one.quantity is None) != (other.quantity is None)
        return _is_headline(one) or _is_headline(other) or not counted
    return bool(_states(first, pack) & _states(second, pack))


def _states(speaker: Speaker, pack: Pack) -> set[str]:
    """Return a speaker's institution and the state it is part of, if that may be meant."""
    institution = pack.speakers.get(speaker.of, speaker)
    return {institution.id, institution.part} - {""} if institution.part else {institution.id}


def _fit(one: Draft, other: Draft) -> bool:
    if one.quantity is not None and other.quantity is not None and one.quantity.value is not None:
        return True  # the same number of the same unit, as _equal_number sees to
    return not one.categories or not other.categories or bool(one.categories & other.categories)


def _equal_number(one: Draft, other: Draft) -> bool:
    if one.quantity is None or other.quantity is None:
        return True
    return (one.quantity.value, one.quantity.unit) == (other.quantity.value, other.quantity.unit)


def _sum(one: Draft, other: Draft) -> Draft:
    """Return two tellings as one: the fuller one speaks, both are evidence."""
    full, short = (other, one) if _fullness(other) > _fullness(one) else (one, other)
    return replace(
        full,
        things=(*full.things, *(thing for thing in short.things if thing[0] not in full.categories)),
        categories=full.categories | short.categories,
        quantity=full.quantity or short.quantity,
        evidence=tuple(dict.fromkeys((*full.evidence, *short.evidence)))[:EVIDENCE_MAX],
        dated=one.dated and other.dated,
        opinion=one.opinion and other.opinion,
    )


def _fullness(draft: Draft) -> tuple[bool, bool, bool, int]:
    first = draft.voice.speakers[0] if draft.voice.speakers else None
    named = first is not None and bool(first.of or first.part)
    return first is not None, named, draft.quantity is not None, len(draft.things)
