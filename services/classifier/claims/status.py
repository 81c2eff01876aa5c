"""With what standing something is said: the strongest cue of the clause, else what governs it, else a bare indicative."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.classifier.claims.scene import NOT_GAP_MAX

if TYPE_CHECKING:
    from services.classifier.claims.pack import Pack, StatusRule
    from services.classifier.claims.scene import Scene

# What one clause says of how sure it is holds for the next ones of the sentence.
GOVERNS = frozenset({"believe", "fear", "warn", "allege", "imagery"})


@dataclass(frozen=True, slots=True)
class Standing:
    """A status with its polarity and the words it was read from."""

    status: str
    polarity: str
    cue: str
    modality: str


def standing_of(clause: Scene, governing: str, pack: Pack, *, of_a_side: bool) -> Standing:
    """Return the standing of a clause; ``governing`` is the cue of an earlier clause that holds on."""
    rule = _rule(clause, governing, pack)
    status = rule.of_a_side if of_a_side else rule.status
    if of_a_side and rule is pack.bare and _undone(clause):
        status = pack.undone
    words = clause.of(rule.cue) if rule.cue else []
    polarity = "CONDITIONAL" if clause.has("if") else rule.polarity
    if polarity == "ASSERTED" and clause.has("not"):
        polarity = "NEGATED"
    return Standing(status, polarity, words[0].term if words else "", rule.cue or "said")


def _undone(clause: Scene) -> bool:
    """Return whether "not" stands right before what would have been done."""
    return any(
        0 <= hit.start - no.end <= NOT_GAP_MAX
        for no in clause.of("not")
        for hit in clause.of("give", "get", "deploy", "fight", "train", "move")
    )


def governing_of(clause: Scene, before: str) -> str:
    """Return the cue that holds on after a clause."""
    return next((hit.target for hit in clause.cues if hit.target in GOVERNS), before)


def _rule(clause: Scene, governing: str, pack: Pack) -> StatusRule:
    for rule in pack.statuses:
        if clause.has(rule.cue):
            return rule
    return next((rule for rule in pack.statuses if rule.cue == governing), pack.bare)
