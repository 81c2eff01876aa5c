"""How urgent is a story? DOMAIN.md section 4, worked from evidence until claims are read. Pure.

Score = novelty + authority + substance + scale - penalty; five bands. ``floor`` and ``cap`` are bands, 1 to 5.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from datetime import timedelta
from typing import TYPE_CHECKING

from schemas.claim import SeverityParts
from services.text.times import moment

if TYPE_CHECKING:
    from schemas.story import Source, StoryHead
    from schemas.verdict import Evidence, Tier, Verdict

BANDS = ((75, 5), (55, 4), (35, 3), (15, 2))
"""(least score, band); below all of them: 1, archive."""
NOVELTY = {"opened": 25, "updated": 12}
"""A new instance; a partial update."""
TIER_CAP: dict[Tier, int | None] = {"T0": 1, "T1": None, "T2": 4, "T3": 2}
LATE_CAP = 3
HEARSAY_CAP = 3
UNRELIABLE = frozenset({"E", "F"})
UNRELIABLE_PENALTY = 10
OLD_PENALTY = 10
OLD_AFTER = timedelta(days=14)
NUMBER_POINTS = 5
MATERIEL = "materiel."

SUBSTANCE = {
    "materiel.missile": 20,
    "materiel.artillery": 20,
    "materiel.vehicle": 20,
    "personnel": 20,
    "materiel.air_defence": 18,
    "materiel.aircraft": 18,
    "technology": 18,
    "materiel.ammunition": 12,
    "materiel.arms": 12,
    "materiel.drone": 12,
    "logistics": 10,
    "treaty": 6,
}
"""Points of what is given, by evidence kind: the highest counts. An unknown materiel is arms unspecified."""
SUBSTANCE_ARMS = 12
SUBSTANCE_TIES = 2

AUTHORITY_UNSOURCED = 2
_NAMED = frozenset({"institution", "leader_rus", "leader_dprk", "confirm"})
_AUTHORITY: tuple[tuple[int, Callable[[AbstractSet[str], Source], bool]], ...] = (
    (8, lambda kinds, _: "deny" in kinds),
    (25, lambda kinds, source: "confirm" in kinds and _speaks_for_a_party(source)),
    (20, lambda kinds, _: {"sanction", "institution"} <= kinds),
    (14, lambda kinds, source: bool(kinds & _NAMED) or source.kind == "official"),
    (8, lambda kinds, _: "allege" in kinds),
    (5, lambda _, source: source.kind in {"think_tank", "specialist", "ngo"}),
)
"""First rule that holds: a denial is weighed as one even where it names a leader who admits something else."""

# Amounts, not years, calibres or dates: three digits and more, or a number with a word for its power of ten.
_AMOUNT = re.compile(
    r"(?<![\w.,-])(?!(?:19|20)\d\d(?![\d,.]))\d{1,3}(?:[.,\u00a0\u202f ]?\d{3})+(?![\d-])\s?(?!mm|мм|㎜|km|км)[^\W\d]"
    r"|\d[\d.,]*\s?(?:[万萬만億亿억千천百백]|million|thousand|billion|млн|тыс|тис|мільйон|миллион"
    r"|Million|Tausend|mill|mille|mil\b|tys|mln|ألف|آلاف|مليون)"
)

CONFIDENCE_BY_TRUST = {"A": 1.0, "B": 0.95, "C": 0.9, "D": 0.75, "E": 0.6, "F": 0.5}
"""What is left of the model's certainty that this is in scope, by the trust in its only source so far."""


def parts(kind: str, verdict: Verdict, story: StoryHead) -> SeverityParts:
    """Return the working of the severity of an alert of this kind on this verdict."""
    kinds = kinds_of(verdict.evidence)
    return SeverityParts(
        novelty=NOVELTY[kind],
        authority=authority(kinds, story.source),
        substance=substance(kinds),
        scale=scale(verdict),
        penalty=penalty(story),
        cap=cap(verdict.tier, story),
    )


def band(working: SeverityParts) -> int:
    """Return the severity, 1 (archive) to 5 (urgent)."""
    plus = (working.novelty or 0) + working.authority + working.substance + working.scale
    score = plus - working.penalty
    reached = next((band for least, band in BANDS if score >= least), 1)
    return max(min(reached, working.cap or reached), working.floor or 1)


def confidence(verdict: Verdict, source: Source) -> int:
    """Return 0 to 100: the model's score, less what the source's trust takes away. Not a probability of the event."""
    return round(100 * verdict.score * CONFIDENCE_BY_TRUST[source.trust])


def kinds_of(evidence: Iterable[Evidence]) -> set[str]:
    """Return the kinds of spans, without materiel inside longer materiel: "artillery shells" are shells."""
    kinds = set()
    reached = ("", -1, -1)
    for span in sorted(evidence, key=lambda span: (span.field, span.start, -span.end)):
        if not span.kind.startswith(MATERIEL):
            kinds.add(span.kind)
            continue
        field, start, end = reached
        inside = span.field == field and span.end <= end
        if not inside or (span.start, span.end) == (start, end):
            kinds.add(span.kind)
            reached = (span.field, span.start, span.end)
    return kinds


def authority(kinds: AbstractSet[str], source: Source) -> int:
    """Return the points for who speaks."""
    return next((points for points, holds in _AUTHORITY if holds(kinds, source)), AUTHORITY_UNSOURCED)


def substance(kinds: AbstractSet[str]) -> int:
    """Return the points for what is given: the highest of the kinds."""
    return max((_substance_of(kind) for kind in kinds), default=SUBSTANCE_TIES)


def scale(verdict: Verdict) -> int:
    """Return the points for a specific amount in one of the statements."""
    statements = (evidence.text for evidence in verdict.evidence if evidence.kind == "statement")
    return NUMBER_POINTS if any(_AMOUNT.search(text) for text in statements) else 0


def penalty(story: StoryHead) -> int:
    """Return what age and an unreliable source take away."""
    unreliable = UNRELIABLE_PENALTY if story.source.trust in UNRELIABLE else 0
    return unreliable + (OLD_PENALTY if _is_old(story) else 0)


def cap(tier: Tier, story: StoryHead) -> int | None:
    """Return the highest band that tier, lateness and hearsay allow; None: no cap."""
    caps = (
        TIER_CAP[tier],
        LATE_CAP if story.arrival == "late" else None,
        HEARSAY_CAP if story.source.trust in UNRELIABLE else None,
    )
    return min((cap for cap in caps if cap is not None), default=None)


def _substance_of(kind: str) -> int:
    return SUBSTANCE.get(kind, SUBSTANCE_ARMS if kind.startswith(MATERIEL) else SUBSTANCE_TIES)


def _speaks_for_a_party(source: Source) -> bool:
    return source.kind == "official" or (source.label or "").lower().startswith("state media")


def _is_old(story: StoryHead) -> bool:
    return story.published is not None and moment(story.first_seen) - moment(story.published) > OLD_AFTER
