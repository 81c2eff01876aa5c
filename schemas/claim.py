"""Claim: who says what, about which materiel, in which direction, with what standing.

The vocabularies belong to the monitor's data pack; on the wire they are strings (``claim.schema.json``).
"""

from __future__ import annotations

from typing import Literal

from schemas.common import Confidence, Wire

Field_ = Literal["title", "summary", "text"]


class Materiel(Wire):
    """A thing given, asked or used: its category and the words for it."""

    cat: str
    surface: str
    model: str | None = None
    unroca: str | None = None
    wassenaar_ml: str | None = None
    sipri: str | None = None


class Quantity(Wire):
    """A number with its unit and operator, in the claimant's words; never converted."""

    value: float | None = None
    high: float | None = None
    op: str | None = None
    unit: str | None = None
    surface: str
    cumulative_since: str | None = None


class Claimant(Wire):
    """The original speaker; ``source_chain[0]`` is the root with knowledge of its own."""

    name: str
    role: str
    named: bool = False
    source_chain: tuple[str, ...] = ()


class ClaimTime(Wire):
    """A moment as stated and what it was read from."""

    value: str | None = None
    basis: str | None = None


class Place(Wire):
    """A place as written, with the gazetteer's id where it has one."""

    surface: str
    id: str | None = None


class Vessel(Wire):
    """A ship; the IMO number is seven digits."""

    names: tuple[str, ...] = ()
    imo: str | None = None
    flag: str | None = None


class ClaimEvidence(Wire):
    """The smallest span that carries attribution and event: ``story[field][start:end] == quote``."""

    field: Field_
    start: int
    end: int
    quote: str
    cut: bool = False
    lang: str | None = None


class SeverityParts(Wire):
    """The working of a severity (DOMAIN.md section 4); novelty is the correlator's to add."""

    novelty: int | None = None
    authority: int = 0
    substance: int = 0
    scale: int = 0
    penalty: int = 0
    floor: int | None = None
    cap: int | None = None


class Claim(Wire):
    """One thing one claimant says."""

    id: str
    claim_type: str
    direction: str
    status: str
    claimant: Claimant
    evidence: tuple[ClaimEvidence, ...]
    polarity: str | None = None
    modality: str | None = None
    materiel: tuple[Materiel, ...] = ()
    quantity: Quantity | None = None
    targets: tuple[str, ...] = ()
    statement_time: ClaimTime | None = None
    event_time: ClaimTime | None = None
    place: Place | None = None
    vessel: Vessel | None = None
    attribution_cue: str | None = None
    novelty: str | None = None
    confidence: Confidence | None = None
    admiralty: str | None = None
    severity_parts: SeverityParts | None = None
    cameo: str | None = None
    plover: str | None = None
    medtop: tuple[str, ...] = ()
