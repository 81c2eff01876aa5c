"""Statements to named features in [0, 1], the ones that ``data/weights.json`` weighs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from schemas.verdict import Tier
    from services.classifier.lexicon import Lexicon
    from services.classifier.statements import Statement

# More joined statements than this make a story no more certain.
STATEMENTS_FULL = 4
TIER_VALUE = {"T1": 1.0, "T2": 0.6, "T3": 0.2, "T0": 0.0}
_STANCE = frozenset({"deny", "allege", "confirm"})
KEYS_ALL = 3


def tier_of(joined: Sequence[Statement], lexicon: Lexicon) -> Tier:
    """Return the highest tier of the nexus that decided, T0 without one."""
    tiers = [lexicon.concepts[name].tier for statement in joined for name in statement.nexus]
    return min(tiers, default="T0")


def features_of(found: Sequence[Statement], lexicon: Lexicon) -> dict[str, float]:
    """Return the features of a story's statements that are not zero."""
    joined = [statement for statement in found if statement.joins]
    hits = [hit.target for statement in joined for hit in statement.sentence.hits]
    values = {
        "joined": float(bool(joined)),
        "joined_in_title": float(any(statement.sentence.field == "title" for statement in joined)),
        "joined_alone": float(any(statement.antecedent is None for statement in joined)),
        "statements": min(len(joined), STATEMENTS_FULL) / STATEMENTS_FULL,
        "tier": TIER_VALUE[tier_of(joined, lexicon)],
        "pair": float("pair" in hits),
        "stance": float(any(target in _STANCE for target in hits)),
        "keys": max((statement.keys_met for statement in found), default=0) / KEYS_ALL,
        "listed": float(any(statement.sentence.listed for statement in found)),
        "excluded": float(any(statement.excluded for statement in found)),
    }
    return {name: value for name, value in values.items() if value}
