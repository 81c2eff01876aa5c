"""Who speaks in a clause: named with a word of speaking, carried from what was said before, or the outlet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from services.classifier.claims.pack import Pack, Side, Speaker
    from services.classifier.claims.scene import Context, Mention, Scene
    from services.classifier.match import Hit
    from services.classifier.text import View

# Words that have a speaker as their subject.
SPEECH = (
    "say",
    "according",
    "believe",
    "confirm",
    "deny",
    "decline",
    "warn",
    "fear",
    "see",
    "identify",
    "monitor",
    "sanction",
    "retract",
    "debunk",
    "imagery",
    "echo",
)
# These name somebody who acts as much as somebody who speaks: they do not take the word from a speaker who goes on.
ACTS = frozenset({"believe", "fear", "see", "identify", "monitor", "sanction"})
CLOSE = 3
NEAR = 40
FAR = 110
SCORE_MIN = 3
CARRY_GAP_MAX = 24
ARTICLE_GAP_MAX = 5
JOINT_GAP_MAX = 12
JOINT_MAX = 6
DONE = frozenset({"give", "get", "want", "deploy", "use", "move", "train"})
"""What stands between a name and its word of speaking only where the verb comes last."""
PARTICLES = frozenset({"from_after", "to_after", "at_after", "subject_after"})
_PAUSES = frozenset({",", "，", "、", ",”", '"', ',"', "”", "»,", "»"})
_COMMAS = frozenset(",，")
_CLOSING = frozenset(',”"»“’–—，」』')


@dataclass(frozen=True, slots=True)
class Voice:
    """The speakers of a clause, the first of them the one with knowledge of its own; none: the outlet."""

    speakers: tuple[Speaker, ...] = ()
    cue: str = ""
    start: int = -1
    end: int = -1
    """Where it stands in the view; -1 where it was carried."""

    def side(self, pack: Pack) -> Side | None:
        """Return the side that the first speaker speaks for."""
        return pack.side_of(self.speakers[0]) if self.speakers else None


OUTLET = Voice()


def voice_of(clause: Scene, before: Voice, context: Context) -> Voice | None:
    """Return who speaks by the words of the clause itself; None: nobody is named."""
    if not clause.speakers and (clause.names.isdisjoint(SPEECH) or not before.speakers):
        return None
    view, pack = context.views[clause.field], context.pack
    opener = _heads(clause, view)
    if opener is not None:
        return Voice((pack.speakers[opener.target],), ":", opener.start, opener.end)
    goes_on = bool(before.speakers) and _goes_on(clause)
    best: tuple[tuple[int, int], Hit, Hit] | None = None
    for cue in clause.of(*SPEECH):
        if goes_on and cue.target in ACTS:
            continue
        for who in clause.speakers:
            points = _points(who, cue, clause, context)
            rank = (points, -max(who.start - cue.end, cue.start - who.end))
            if points >= SCORE_MIN and (best is None or rank > best[0]):
                best = (rank, who, cue)
    carried = _carried(clause, before, context)
    if carried is not None and (best is None or pack.speakers[best[1].target].unnamed or _pronoun(clause)):
        return carried
    if best is None:
        return None
    _, who, cue = best
    return Voice(_joint(who, clause, context), cue.term, *_extent(who, cue, clause, context))


def _extent(who: Hit, cue: Hit, clause: Scene, context: Context) -> tuple[int, int]:
    """Return the place of an attribution: a name, its apposition, its verb; where that comes last, the name and its country."""
    if context.has("verb_final"):
        return min(
            (one.start for one in clause.mentions if _belongs(one, who, clause)), default=who.start
        ), who.end
    first = _title(who, clause, context.pack)
    start, end = min(first, cue.start), max(who.end, cue.end)
    said = [*clause.things, *(hit for hit in clause.cues if hit.target in DONE)]
    if end - start > FAR or any(start < hit.start < end for hit in said):
        return first, who.end
    return start, end


def _title(who: Hit, clause: Scene, pack: Pack) -> int:
    """Return where a person's title begins, if it names the institution: the spokesman of the ministry, so-and-so."""
    of = pack.speakers[who.target].of
    return next(
        (
            one.start
            for one in clause.speakers
            if one.target == of and 0 <= who.start - one.end <= CARRY_GAP_MAX
        ),
        who.start,
    )


def _belongs(one: Mention, who: Hit, clause: Scene) -> bool:
    """Return whether a side stands right before a name, no particle that marks it as more between."""
    if not 0 <= who.start - one.end <= CLOSE:
        return False
    return not any(hit.start == one.end and hit.target in PARTICLES for hit in clause.cues)


def _heads(clause: Scene, view: View) -> Hit | None:
    """Return who stands before a colon at the head of a clause: Seoul: troops on the move."""
    for who in clause.speakers:
        if who.start - clause.start <= CLOSE and view.cased[who.end : who.end + 2].lstrip()[:1] in {
            ":",
            "：",
        }:
            return who
    return None


def _goes_on(clause: Scene) -> bool:
    """Return whether a clause opens as the continuation of what somebody says."""
    return any(hit.target == "keep" and hit.start <= clause.start + 1 for hit in clause.cues)


def _points(who: Hit, cue: Hit, clause: Scene, context: Context) -> int:
    """Return how likely somebody named is the subject of a word of speaking."""
    view, pack = context.views[clause.field], context.pack
    after = who.start >= cue.end
    gap = who.start - cue.end if after else cue.start - who.end
    if gap < 0 or gap > FAR or not _may_speak(who, cue, clause, view):
        return 0
    between = view.cased[cue.end : who.start] if after else view.cased[who.end : cue.start]
    points = 6 if gap <= CLOSE else 4 if gap <= NEAR else 2
    if after:
        follows = _inverted(cue, who, view, pack) or (gap <= CLOSE and context.has("verb_first"))
        points += 2 if cue.target == "according" else 1 if follows else -6
    elif between.strip(" ") in _PAUSES and view.cased[max(0, who.start - 2) : who.start].strip() != ",":
        points -= 4
    speaker = pack.speakers[who.target]
    if pack.side_of(speaker) is None or speaker.of or speaker.part:
        points += 2
    if _is_subject(who, clause):
        points += (
            4 if any(_is_subject(one, clause) for one in clause.speakers if one.start < who.start) else 6
        )
    if who.start - clause.start <= CLOSE:
        points += 2
    if speaker.unnamed:
        points -= 2
    if cue.target != "according" and _governed(who, clause, pack):
        points -= 3
    if clause.quoted(who.start):
        points -= 6
    return points


def _may_speak(who: Hit, cue: Hit, clause: Scene, view: View) -> bool:
    """Return whether neither a particle nor a deed says that somebody is spoken of."""
    if who.start >= cue.end:
        return who.start - cue.end <= CLOSE or not _is_elsewhere(who, clause)
    if cue.start - who.end > CLOSE and _is_elsewhere(who, clause):
        return False
    return not _told_of(who, cue, clause, view)


def _told_of(who: Hit, cue: Hit, clause: Scene, view: View) -> bool:
    """Return whether somebody acts in what another says: X sent troops, the Wire reported. X, which sent troops, said: no."""
    if _is_subject(who, clause):
        return False
    low = view.cased
    begin = low.find(",", who.end + 1, cue.start) if low[who.end : who.end + 1] in _PAUSES else who.end
    deeds = [hit.end for hit in clause.cues if hit.target in DONE and begin <= hit.start < cue.start]
    return begin >= 0 and bool(deeds) and not _COMMAS.isdisjoint(low[deeds[0] : cue.start])


def _is_subject(who: Hit, clause: Scene) -> bool:
    """Return whether a particle marks somebody as the subject, by itself or at the end of a title."""
    return any(
        hit.target == "subject_after" and who.start < hit.start <= who.end < hit.end for hit in clause.cues
    )


def _is_elsewhere(who: Hit, clause: Scene) -> bool:
    """Return whether a particle marks somebody as source, goal or place, and none as the subject."""
    return not _is_subject(who, clause) and any(
        hit.start == who.end and hit.target in PARTICLES for hit in clause.cues
    )


def _governed(who: Hit, clause: Scene, pack: Pack) -> bool:
    """Return whether somebody is named after a preposition; an official at a ministry speaks for the ministry."""
    for hit in clause.cues:
        if hit.target in {"from", "to", "at"} and 0 <= who.start - hit.end <= ARTICLE_GAP_MAX:
            return not any(
                pack.speakers[one.target].unnamed and 0 <= hit.start - one.end <= CLOSE
                for one in clause.speakers
            )
    return False


def _inverted(cue: Hit, who: Hit, view: View, pack: Pack) -> bool:
    """Return whether a verb stands right after a comma or a quotation, so that its subject follows.

    A side named by itself must end the clause there: "…," says Moscow; but "analysts, …, say Moscow needs" is no such thing.
    """
    if view.cased[max(0, cue.start - 2) : cue.start].rstrip()[-1:] not in _CLOSING:
        return False
    speaker = pack.speakers[who.target]
    if pack.side_of(speaker) is None or speaker.of or speaker.part:
        return True
    return view.cased[who.end : who.end + 1] in {"", ".", ",", "。", "，", ";", ":"}


def _pronoun(clause: Scene) -> bool:
    """Return whether a clause opens with a word for the speaker before: he said."""
    return any(hit.target == "carry" and hit.start - clause.start <= CLOSE for hit in clause.cues)


def _carried(clause: Scene, before: Voice, context: Context) -> Voice | None:
    """Return the speaker before where a pronoun or a common noun speaks, close by or from one end of a clause to the other."""
    spans = context.has("verb_final") and _pronoun(clause)
    for carry in clause.of("carry"):
        for cue in clause.of(*SPEECH):
            gap = max(cue.start - carry.end, carry.start - cue.end)
            if (spans or gap <= CARRY_GAP_MAX) and before.speakers:
                return Voice(before.speakers, cue.term)
    return None


def _joint(who: Hit, clause: Scene, context: Context) -> tuple[Speaker, ...]:
    """Return a speaker with those that speak with it: a row of names before the verb."""
    row = [who]
    low = context.views[clause.field].low
    for other in reversed([one for one in clause.speakers if one.end <= who.start]):
        gap = low[other.end : row[0].start]
        if len(gap) > JOINT_GAP_MAX or len(row) == JOINT_MAX or not gap.strip() or not context.joined(gap):
            break
        if len(row) == 1 and not _conjoined(other.end, row[0].start, clause):
            break
        row.insert(0, other)
    return tuple(context.pack.speakers[one.target] for one in row)


def _conjoined(start: int, end: int, clause: Scene) -> bool:
    """Return whether the last two of a row have "and" between them; with a comma only, the first is something else."""
    return any(hit.target == "and" and start <= hit.start and hit.end <= end for hit in clause.cues)
