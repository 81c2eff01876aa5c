"""From whom to whom: each sign in a clause votes, the stronger sum decides, nothing or a tie says nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.classifier.claims.pack import FrameRule, Pack, Side
    from services.classifier.claims.scene import Context, Mention, Scene
    from services.classifier.match import Hit

MARKED = 5
"""A side marked as source or goal: from Pyongyang, to Russia."""
SUBJECT = 4
OWNED = 3
DEFAULT = 1
GIVER = 6
"""Who gives by the type of a claim: soldiers come from one side whatever ground they fight on."""
ADPOSITION_GAP_MAX = {"from": 16, "to": 5, "at": 16}
"""Code points to the side: the port of Rajin; but "to" before a verb marks nothing."""
OWNER_GAP_MAX = 28
OWNER_AFTER_GAP_MAX = 2
GIVING = ("give", "help", "tech", "exchange")
TAKING = ("get", "want")


@dataclass(frozen=True, slots=True)
class Roles:
    """What each mention of a side is in a clause."""

    source: frozenset[Side]
    goal: frozenset[Side]
    place: frozenset[Side]
    owner: frozenset[Side]
    subject: Side | None


def other(side: Side) -> Side:
    """Return the other side."""
    return "b" if side == "a" else "a"


@dataclass(frozen=True, slots=True)
class About:
    """What is known of a clause beside its own words: who it is about, who speaks, which frame fits."""

    subject: Side | None = None
    carried: Side | None = None
    """Who the sentence before was about: counts where nothing else tells."""
    speaker: Side | None = None
    frame: FrameRule | None = None


def direction_of(clause: Scene, about: About, things: Sequence[Hit], context: Context) -> str:
    """Return the direction of what moves in a clause: a_to_b, b_to_a or unknown."""
    roles = roles_of(clause, about.subject, things, context)
    votes: dict[Side, int] = {"a": 0, "b": 0}
    used = about.frame is not None and bool(about.frame.only and roles.owner)
    for side in () if used else roles.source:  # who fires a thing has not made it
        votes[side] += MARKED
    for side in roles.goal:
        votes[other(side)] += MARKED
    for side in roles.owner:
        votes[side] += OWNED
    for side in _placed(clause, roles):
        votes[side] += MARKED
    for side, points in _meant(clause, about, roles, things, context).items():
        votes[side] += points
    if votes["a"] == votes["b"]:
        return "unknown"
    return "a_to_b" if votes["a"] > votes["b"] else "b_to_a"


def _meant(
    clause: Scene, about: About, roles: Roles, things: Sequence[Hit], context: Context
) -> dict[Side, int]:
    """Return the votes of what is no mark: the subject's deed, what is known of the thing, the sentence before."""
    votes: dict[Side, int] = {"a": 0, "b": 0}
    frame = about.frame
    answers = frame is not None and frame.answers
    doer = _doer(clause, roles.subject)
    named = any(one.side == roles.subject for one in clause.mentions) and roles.subject != about.speaker
    if doer is not None and (not answers or named):
        votes[doer] += SUBJECT
    if answers:
        return votes
    if frame is not None and frame.giver:
        votes["a" if frame.giver == "a" else "b"] += GIVER
    else:
        kinds = {thing.target for thing in things} or {frame.topic if frame else ""} - {""}
        for side in _defaults(kinds, context.pack):
            votes[side] += DEFAULT
    if not any(votes.values()) and not any((roles.source, roles.goal, roles.owner)):
        carried = _doer(clause, about.carried)
        if carried is not None:
            votes[carried] += DEFAULT
    return votes


def roles_of(clause: Scene, subject: Side | None, things: Sequence[Hit], context: Context) -> Roles:
    """Return the roles of the sides in a clause; ``subject`` is who it is about if it names nobody first."""
    source: set[Side] = set()
    goal: set[Side] = set()
    place: set[Side] = set()
    owner: set[Side] = set()
    first: Side | None = None
    marked: Side | None = None
    supplier = clause.of("supplier")
    for one in clause.mentions:
        if one.side is None:
            continue
        mark = _mark(one, clause)
        match mark:
            case "from":
                source.add(one.side)
            case "to":
                goal.add(one.side)
            case "at":
                place.add(one.side)
            case "subject":
                marked = marked or one.side
            case _ if first is None and _follows_verb(one, clause, context):
                first = one.side
            case _ if any(0 <= hit.start - one.end <= OWNER_GAP_MAX * 2 for hit in supplier):
                goal.add(one.side)
            case _ if _owns(one, clause, things, context):
                owner.add(one.side)
            case _:
                first = first or one.side
    return Roles(
        frozenset(source), frozenset(goal), frozenset(place), frozenset(owner), marked or first or subject
    )


def _mark(one: Mention, clause: Scene) -> str:
    """Return how a side is marked: from, to, at, subject, or nothing."""
    best, nearest = "", max(ADPOSITION_GAP_MAX.values()) + 1
    for hit in clause.cues:
        match hit.target:
            case "from_after" | "to_after" | "at_after" | "subject_after" if hit.start == one.end:
                return hit.target.removesuffix("_after")
            case "from_form" | "to_form" if hit.start <= one.start < hit.end:
                return hit.target.removesuffix("_form")
            case "from" | "to" | "at" if 0 <= one.start - hit.end < nearest and _reaches(hit, one, clause):
                best, nearest = hit.target, one.start - hit.end
            case _:
                pass
    return best


def _follows_verb(one: Mention, clause: Scene, context: Context) -> bool:
    """Return whether a side stands right after a verb that nobody stands before, where the verb comes second."""
    if not context.has("verb_second") or any(other.start < one.start for other in clause.mentions):
        return False
    return any(
        0 <= one.start - hit.end <= 1 and hit.target in {"give", "get", "want", "plan", "will"}
        for hit in clause.cues
    )


def _reaches(hit: Hit, one: Mention, clause: Scene) -> bool:
    """Return whether an adposition stands close before a side, with nothing between that it may belong to."""
    if one.start - hit.end > ADPOSITION_GAP_MAX[hit.target]:
        return False
    starts = [mid.start for mid in clause.mentions]
    starts += [mid.start for mid in (*clause.things, *clause.others)]
    starts += [mid.start for mid in clause.cues if mid.target in _VERBS]
    return not any(hit.end <= start < one.start for start in starts)


def _owns(one: Mention, clause: Scene, things: Sequence[Hit], context: Context) -> bool:
    """Return whether a side stands right before a thing, no verb between, or right after it as an adjective."""
    low = context.views[clause.field].low
    for thing in things:
        if 0 <= thing.start - one.end <= OWNER_GAP_MAX and not any(
            one.end <= hit.start < thing.start and hit.target in _VERBS for hit in clause.cues
        ):
            if any(one.end <= mid.start and mid.end <= thing.start for mid in clause.mentions):
                return False
            return "," not in low[one.end : thing.start]
        # The name is part of the thing's name, or the other way round.
        if one.start < thing.end and thing.start < one.end:
            return True
        if context.has("adjectives_follow") and 0 <= one.start - thing.end <= OWNER_AFTER_GAP_MAX:
            return True
    return False


_VERBS = frozenset(
    {
        "give",
        "get",
        "want",
        "help",
        "deploy",
        "use",
        "fight",
        "move",
        "load",
        "unload",
        "agree",
        "plan",
        "from",
        "to",
        "at",
        "see",
        "say",
        "supplier",
        "exchange",
        "may",
    }
)


def _placed(clause: Scene, roles: Roles) -> set[Side]:
    """Return who gives by where a ship is loaded or unloaded."""
    if clause.has("unload"):
        return {other(side) for side in roles.place}
    return set(roles.place) if clause.has("load") else set()


def _doer(clause: Scene, subject: Side | None) -> Side | None:
    """Return who gives, by what the subject of the clause does."""
    if subject is None:
        return None
    first = next((hit.target for hit in clause.cues if hit.target in {*GIVING, *TAKING}), "")
    if _is_asked(subject, clause):
        return subject
    if clause.has("want") or first in TAKING:
        return other(subject)
    return subject if first in GIVING else None


def _is_asked(subject: Side, clause: Scene) -> bool:
    """Return whether somebody unnamed wants the first side named to give: the regime wants Moscow to hand over jets."""
    first = next((one for one in clause.mentions if one.side is not None), None)
    wants = clause.of("want")
    if first is None or first.side != subject or not wants or first.start - wants[-1].end <= 1:
        return False
    return wants[-1].end < first.start and any(hit.start >= first.end for hit in clause.of("give"))


def _defaults(kinds: set[str], pack: Pack) -> list[Side]:
    owners = {pack.categories[name].owner for name in kinds} - {""}
    return ["a" if owner == "a" else "b" for owner in owners] if len(owners) == 1 else []
