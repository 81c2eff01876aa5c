"""Alert: what a subscriber is told, with the words that caused it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from schemas.claim import Claim, SeverityParts
from schemas.common import Confidence, Id, Severity, Timestamp, Wire
from schemas.story import Arrival, SourceKind, Trust
from schemas.storyline import Counts
from schemas.storyline_member import Role
from schemas.verdict import MONITOR, Entity, Evidence, Tier

AlertKind = Literal["opened", "updated", "corroborated", "denied", "revised", "retracted"]


class AlertSource(Wire):
    """One story behind an alert: outlet, title and link, labelled."""

    story_id: Id
    name: str
    domain: str
    kind: SourceKind
    label: str | None = None
    trust: Trust = "C"
    role: Role
    title: str
    url: str
    language: str | None = None
    published: Timestamp | None = None
    first_seen: Timestamp


class AlertEvidence(Evidence):
    """A short quotation (at most 25 words, 60 code points in CJK) and where it stands."""

    story_id: Id


class AlertChange(Wire):
    """What is different from what was told before."""

    what: str
    before: str | None = None
    after: str | None = None


class Alert(Wire):
    """What a subscriber is told about a storyline."""

    schema_: Literal["alert/1"] = Field("alert/1", alias="schema")
    id: Id
    storyline_id: Id
    monitor: str = MONITOR
    kind: AlertKind
    reason: str
    """A named reason, in one short sentence."""
    tier: Tier
    severity: Severity
    severity_parts: SeverityParts
    confidence: Confidence
    title: str
    body: str
    headline_url: str
    languages: tuple[str, ...] = ()
    counts: Counts
    sources: tuple[AlertSource, ...] = ()
    claims: tuple[Claim, ...] = ()
    evidence: tuple[AlertEvidence, ...] = ()
    entities: tuple[Entity, ...] = ()
    changes: tuple[AlertChange, ...] = ()
    answered_by: tuple[str, ...] = ()
    admiralty: str | None = None
    arrival: Arrival
    created_at: Timestamp
    """Event time of the story that caused it."""
    detected_at: Timestamp
    """When the correlator decided."""
    supersedes: Id | None = None
    verdict_ids: tuple[str, ...] = ()
