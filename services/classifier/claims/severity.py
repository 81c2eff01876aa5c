"""How heavy a claim is, by itself (DOMAIN.md 4): all but novelty, which only the storyline knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.claim import SeverityParts

if TYPE_CHECKING:
    from services.classifier.claims.draft import Draft
    from services.classifier.claims.pack import Pack

SCALE_NUMBER = 5
SCALE_CURRENT = 5
PENALTY_OLD = 10
PENALTY_OPINION = 8
PENALTY_SOCIAL = 10
CONFIDENCE_BASE = 50
CONFIDENCE_STEP = 10
CONFIDENCE_MAX = 90


def parts_of(draft: Draft, pack: Pack) -> SeverityParts:
    """Return the parts of the severity of a claim."""
    role = draft.voice.speakers[0].role if draft.voice.speakers else pack.reporter.role
    authority = max(pack.authority.get(role, 0), pack.proof.get(draft.standing.status, 0))
    counted = draft.quantity is not None and draft.quantity.value is not None
    penalty = (
        PENALTY_OLD * draft.dated + PENALTY_OPINION * draft.opinion + PENALTY_SOCIAL * (role == "SOCIAL")
    )
    return SeverityParts(
        authority=authority,
        substance=_substance(draft, pack),
        scale=SCALE_NUMBER * counted + SCALE_CURRENT * (not draft.dated),
        penalty=-penalty,
    )


def _substance(draft: Draft, pack: Pack) -> int:
    points = [pack.categories[name].substance for name in draft.categories]
    return max(points, default=pack.substance.get(draft.type, 0))


def confidence_of(draft: Draft) -> int:
    """Return how sure the reading is: more with a named speaker, a direction and a thing; of the reading, not of the event."""
    signs = (
        bool(draft.voice.speakers),
        draft.direction != "unknown",
        bool(draft.things),
        bool(draft.standing.cue),
    )
    return min(CONFIDENCE_BASE + CONFIDENCE_STEP * sum(signs), CONFIDENCE_MAX)
