"""Verdict: what the classifier says of one story, and the words that prove it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from schemas.claim import Claim, Field_
from schemas.common import Score, Wire
from schemas.fingerprint import Fingerprint
from schemas.story import StoryHead

CLAIMS_MAX = 64
MONITOR = "russia-dprk-arms"
Tier = Literal["T0", "T1", "T2", "T3"]
EntityType = Literal["vessel", "aircraft", "company", "person", "unit", "place", "system"]


class Evidence(Wire):
    """A span that counted: ``story[field][start:end] == text``, in code points, end exclusive."""

    field: Field_
    start: Annotated[int, Field(ge=0)]
    end: Annotated[int, Field(ge=1)]
    text: str
    kind: str
    """``statement`` for the sentence that joins the keys, else the concept of the lexicon entry that matched."""
    term: str | None = None
    """The lexicon entry that matched."""
    cut: bool | None = None
    """True in an alert where the quotation is a shorter piece of this span."""


class Entity(Wire):
    """Something the gazetteer knows by name."""

    id: str
    type: EntityType
    name: str
    field: Field_
    start: int
    end: int
    ids: dict[str, str] = Field(default_factory=dict)


class Contribution(Wire):
    """One feature's part in the score."""

    feature: str
    value: float
    weight: float


class ModelVersion(Wire):
    """Which engine, word lists and weights decided."""

    version: str
    lexicon: str
    weights: str


class Verdict(Wire):
    """What the classifier says of one revision of one story."""

    schema_: Literal["verdict/1"] = Field("verdict/1", alias="schema")
    id: str
    story_id: str
    story_revision: int = 1
    monitor: str = MONITOR
    model: ModelVersion
    flagged: bool
    near_miss: bool = False
    score: Score
    threshold: Score
    tier: Tier
    language: str | None = None
    evidence: tuple[Evidence, ...] = ()
    claims: Annotated[tuple[Claim, ...], Field(max_length=CLAIMS_MAX)] = ()
    entities: tuple[Entity, ...] = ()
    breakdown: tuple[Contribution, ...] = ()
    truncated: tuple[str, ...] = ()
    fingerprint: Fingerprint | None = None
    story: StoryHead | None = None
