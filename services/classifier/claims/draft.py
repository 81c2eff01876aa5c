"""A claim while it is being made: still in view places, without id and links."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from schemas.claim import Field_, Quantity
    from services.classifier.claims.attribution import Voice
    from services.classifier.claims.scene import Scene
    from services.classifier.claims.status import Standing


@dataclass(frozen=True, slots=True)
class Quoted:
    """A span of a view that a claim was read from."""

    field: Field_
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Draft:
    """One thing that one voice says, as read from one clause, or the sum of several that say the same."""

    type: str
    direction: str
    standing: Standing
    voice: Voice
    things: tuple[tuple[str, str], ...]
    """(category, surface) of each thing, a category once."""
    quantity: Quantity | None
    evidence: tuple[Quoted, ...]
    clause: Scene
    answers: bool = False
    """Whether it speaks of an earlier claim: a denial, a refusal to comment."""
    dated: bool = False
    """Whether the clause itself says that this is old news."""
    opinion: bool = False
    topic: frozenset[str] = frozenset()
    """The family that its type is about though no thing is named."""

    categories: frozenset[str] = frozenset()
    """The categories of its things."""
