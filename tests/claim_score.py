"""How well claims read in an article agree with those marked by hand: pairs one to one, then counts what agrees.

A pair needs half of the shorter span in common, and the span read must not be much longer than the one marked.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from schemas.claim import Claim

CORPUS = Path(__file__).parent / "corpus" / "claims"
WANTED = frozenset({"SOUGHT", "FEARED", "POSSIBLE", "PLANNED", "WARNED"})
CONFIRMED = frozenset(
    {
        "CONFIRMED_FIRST_PARTY",
        "CONFIRMED_BY_CLAIMANT",
        "IMAGERY_VERIFIED",
        "PHYSICALLY_VERIFIED",
        "IDENTIFIED_BY_ANALYST",
        "OBSERVED_BY_CLAIMANT",
    }
)
UNSPECIFIED = frozenset({"ARMS_UNSPECIFIED", "MATERIEL_UNSPECIFIED"})
ONE_WAY = frozenset({"DPRK>RUS", "RUS>DPRK"})


@dataclass(slots=True)
class Tally:
    """Claims marked, read and right, and the errors that no reader may be shown."""

    marked: int = 0
    read: int = 0
    right: int = 0
    grave: list[str] = field(default_factory=list)

    @property
    def f1(self) -> float:
        """The harmonic mean of how many of the read are right and how many of the marked were read."""
        return 2 * self.right / (self.marked + self.read) if self.marked + self.read else 1.0


def articles(language: str | None = None) -> Iterator[dict[str, Any]]:
    """Return our own articles with their claims, of one language or all."""
    for path in sorted(CORPUS.glob("*.jsonl")):
        for line in path.read_text("utf-8").splitlines():
            article: dict[str, Any] = json.loads(line)
            if language in {None, article["lang"]}:
                yield article


def count(article: dict[str, Any], claims: Sequence[Claim], tally: Tally) -> None:
    """Add one article; what is marked as optional counts neither way."""
    marked = article["claims"]
    pairs = _pairs(marked, claims)
    optional = {place for place, row in enumerate(marked) if not row["core"]}
    free = {read for place, read in pairs if place in optional}
    taken = {read for _, read in pairs}
    free |= {
        read
        for read, claim in enumerate(claims)
        if read not in taken and any(_share(marked[place], claim) for place in optional)
    }
    tally.marked += len(marked) - len(optional)
    tally.read += len(claims) - len(free)
    for place, read in pairs:
        if place not in optional:
            row, claim = marked[place], claims[read]
            tally.right += _right(row, claim)
            if _grave(row, claim):
                tally.grave.append(f"{article['id']} {row['id']}: {claim.status} {claim.direction}")


def _pairs(marked: list[dict[str, Any]], claims: Sequence[Claim]) -> list[tuple[int, int]]:
    ranked = sorted(
        (
            (_agreement(row, claim), place, read)
            for place, row in enumerate(marked)
            for read, claim in enumerate(claims)
            if _share(row, claim)
        ),
        key=lambda found: (-found[0], found[1], found[2]),
    )
    pairs: list[tuple[int, int]] = []
    for _, place, read in ranked:
        if all(place != other and read != another for other, another in pairs):
            pairs.append((place, read))
    return pairs


def _share(row: dict[str, Any], claim: Claim) -> float:
    length: int = row["end"] - row["start"]
    shares = [
        float(max(0, min(row["end"], span.end) - max(row["start"], span.start)))
        / min(length, span.end - span.start)
        for span in claim.evidence
        if span.end - span.start <= max(4 * length, length + 250)
    ]
    best = float(max(shares, default=0.0))
    return best if best >= 0.5 else 0.0


def _agreement(row: dict[str, Any], claim: Claim) -> float:
    things = {thing.cat for thing in claim.materiel}
    alike = len(things & set(row["materiel"])) / len(things | set(row["materiel"]) or {""})
    exact = 2 * bool(row["status"] == claim.status) + bool(row["direction"] == claim.direction)
    return exact + bool(row["claim_type"] == claim.claim_type) + alike + _share(row, claim) / 2


def _right(row: dict[str, Any], claim: Claim) -> bool:
    wanted, things = set(row["materiel"]), {thing.cat for thing in claim.materiel}
    alike = not wanted or bool(wanted & things) or bool(wanted & UNSPECIFIED and things & UNSPECIFIED)
    return row["status"] == claim.status and row["direction"] == claim.direction and alike


def _grave(row: dict[str, Any], claim: Claim) -> bool:
    if {row["direction"], claim.direction} == ONE_WAY:
        return True
    if row["status"] in WANTED:
        return claim.status in CONFIRMED | {"ALLEGED"}
    if row["status"] in {"DENIED", "DECLINED_COMMENT"}:
        return claim.status in CONFIRMED or (row["status"], claim.status) == ("DECLINED_COMMENT", "DENIED")
    return False
