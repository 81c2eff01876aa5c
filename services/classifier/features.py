"""Statements and claims to named features in [0, 1], the ones that ``data/weights.json`` weighs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from schemas import Claim
    from schemas.verdict import Tier
    from services.classifier.lexicon import Lexicon
    from services.classifier.statements import Statement

# More joined statements, or claims, than this make a story no more certain.
STATEMENTS_FULL = 4
CLAIMS_FULL = 4
KEYS_ALL = 3
_STANCE = frozenset({"deny", "allege", "confirm"})
_NO_DIRECTION = "UNKNOWN"

SIGNS = {
    "joined": 1,
    "joined_in_title": 1,
    "joined_alone": 1,
    "statements": 1,
    "tier_1": 1,
    "tier_2": 0,
    "pair": 0,
    "stance": 1,
    "nexus_kinds": 1,
    "claims": 1,
    "claims_directed": 1,
    "claims_spoken": 1,
    "claims_counted": 1,
    "keys": 1,
    "listed": -1,
    "excluded": -1,
}
"""Every feature, and which way it may count: 1 never against, -1 never for, 0 as the data say."""


def tier_of(joined: Sequence[Statement], lexicon: Lexicon) -> Tier:
    """Return the highest tier of the nexus that decided, T0 without one."""
    tiers = [lexicon.concepts[name].tier for statement in joined for name in statement.nexus]
    return min(tiers, default="T0")


def features_of(found: Sequence[Statement], claims: Sequence[Claim], lexicon: Lexicon) -> dict[str, float]:
    """Return the features of a story's statements and claims that are not zero."""
    joined = [statement for statement in found if statement.joins]
    hits = [hit.target for statement in joined for hit in statement.sentence.hits]
    tier = tier_of(joined, lexicon)
    nexus = {name for statement in joined for name in statement.nexus}
    values = {
        "joined": float(bool(joined)),
        "joined_in_title": float(any(statement.sentence.field == "title" for statement in joined)),
        "joined_alone": float(any(statement.antecedent is None for statement in joined)),
        "statements": min(len(joined), STATEMENTS_FULL) / STATEMENTS_FULL,
        "tier_1": float(tier == "T1"),
        "tier_2": float(tier == "T2"),
        "pair": float("pair" in hits),
        "stance": float(any(target in _STANCE for target in hits)),
        "nexus_kinds": float(len(nexus) > 1),
        "claims": min(len(claims), CLAIMS_FULL) / CLAIMS_FULL,
        "claims_directed": float(any(claim.direction != _NO_DIRECTION for claim in claims)),
        "claims_spoken": float(any(claim.claimant.named for claim in claims)),
        "claims_counted": float(any(claim.quantity is not None for claim in claims)),
        "keys": max((statement.keys_met for statement in found), default=0) / KEYS_ALL,
        "listed": float(any(statement.sentence.listed for statement in found)),
        "excluded": float(any(statement.excluded for statement in found)),
    }
    return {name: value for name, value in values.items() if value}
