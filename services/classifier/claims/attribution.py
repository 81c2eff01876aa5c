"""Who speaks in a clause: named with a word of speaking, carried from what was said before, or the outlet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from services.classifier.claims.pack import Pack, Side, Speaker
    from services.classifier.claims.scene import Context, Scene
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
)
# These name somebody who acts as much as somebody who speaks: they do not take the word from a speaker who goes on.
ACTS = frozenset({"believe", "fear", "see", "identify", "monitor", "sanction"})
CLOSE = 3
NEAR = 40
FAR = 110
SCORE_MIN = 3
CARRY_GAP_MAX = 24
JOINT_GAP_MAX = 12
JOINT_MAX = 6


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
    view, pack = context.views[clause.field], context.pack
    goes_on = bool(before.speakers) and _goes_on(clause)
    best: tuple[int, Hit, Hit] | None = None
    for cue in clause.of(*SPEECH):
        if goes_on and cue.target in ACTS:
            continue
        for who in clause.speakers:
            points = _points(who, cue, clause, view, pack)
            if points >= SCORE_MIN and (best is None or points > best[0]):
                best = (points, who, cue)
    carried = _carried(clause, before)
    if carried is not None and (best is None or best[0] <= SCORE_MIN + 1):
        return carried
    if best is None:
        return None
    _, who, cue = best
    return Voice(_joint(who, clause, context), cue.term, who.start, who.end)


def _goes_on(clause: Scene) -> bool:
    """Return whether a clause opens as the continuation of what somebody says."""
    return any(hit.target == "keep" and hit.start <= clause.start + 1 for hit in clause.cues)


def _points(who: Hit, cue: Hit, clause: Scene, view: View, pack: Pack) -> int:
    """Return how likely somebody named is the subject of a word of speaking."""
    after = who.start >= cue.end
    gap = who.start - cue.end if after else cue.start - who.end
    if gap < 0 or gap > FAR:
        return 0
    between = view.cased[cue.end : who.start] if after else view.cased[who.end : cue.start]
    points = 6 if gap <= CLOSE else 4 if gap <= NEAR else 2
    if after:
        points += 2 if cue.target == "according" else -3 if not _inverted(cue, view) else 1
    elif between.strip(" ") in {",", "，", "、", ",”", '"', ',"', "”", "»,", "»"}:
        points -= 4
    speaker = pack.speakers[who.target]
    if pack.side_of(speaker) is None or speaker.of or speaker.part:
        points += 2
    if any(hit.target == "subject_after" and hit.start == who.end for hit in clause.cues):
        points += 4
    if any(hit.target in {"from", "to", "at"} and 0 <= who.start - hit.end <= CLOSE for hit in clause.cues):
        points -= 0 if cue.target == "according" else 3
    if clause.quoted(who.start):
        points -= 6
    return points


def _inverted(cue: Hit, view: View) -> bool:
    """Return whether a verb stands right after a comma or a quotation: its subject follows."""
    return view.cased[max(0, cue.start - 2) : cue.start].rstrip()[-1:] in {
        ",",
        "”",
        '"',
        "»",
        "“",
        "’",
        "–",
        "—",
    }


def _carried(clause: Scene, before: Voice) -> Voice | None:
    """Return the speaker before where a pronoun or a common noun speaks."""
    for carry in clause.of("carry"):
        for cue in clause.of(*SPEECH):
            gap = max(cue.start - carry.end, carry.start - cue.end)
            if gap <= CARRY_GAP_MAX and before.speakers:
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
        row.insert(0, other)
    return tuple(context.pack.speakers[one.target] for one in row)
