"""Severity is worked as DOMAIN.md section 4 says, and shows its working."""

from __future__ import annotations

from typing import Any

import pytest

from schemas import SeverityParts
from services.correlator import severity
from tests.builders import STATEMENT, a_source, a_story, a_verdict, evidence_in


def the_parts(
    kind: str = "opened", tier: str = "T1", statement: str = STATEMENT, **story: Any
) -> SeverityParts:
    """Return the parts of a story whose summary is the statement."""
    told = a_story(**story)
    evidence = (
        *evidence_in(statement, dprk="North Korea", rus="Russia"),
        *evidence_in("shells", materiel__ammunition="shells"),
    )
    return severity.parts(kind, a_verdict(told, tier=tier, evidence=evidence), told)


@pytest.mark.parametrize(
    ("points", "band"), [(75, 5), (74, 4), (55, 4), (54, 3), (35, 3), (34, 2), (15, 2), (14, 1)]
)
def test_bands_are_those_of_the_domain(points: int, band: int) -> None:
    """Urgent from 75, high from 55, medium from 35, low from 15."""
    assert severity.band(SeverityParts(novelty=points)) == band


def test_floor_and_cap_are_bands() -> None:
    """A cap lowers, a floor lifts, whatever the points."""
    assert severity.band(SeverityParts(novelty=90, cap=3)) == 3
    assert severity.band(SeverityParts(novelty=0, floor=4)) == 4


def test_an_update_is_less_new_than_an_event() -> None:
    """25 for a new instance, 12 for a partial update."""
    assert (the_parts().novelty, the_parts("updated").novelty) == (25, 12)


@pytest.mark.parametrize(
    ("kinds", "source", "points"),
    [
        (set(), {}, 2),
        (set(), {"kind": "think_tank"}, 5),
        ({"allege"}, {}, 8),
        ({"deny", "leader_rus"}, {"label": "state media RU"}, 8),
        ({"institution", "allege"}, {}, 14),
        ({"leader_dprk"}, {}, 14),
        (set(), {"kind": "official"}, 14),
        ({"sanction", "institution"}, {}, 20),
        ({"confirm"}, {"label": "state media DPRK"}, 25),
        ({"confirm"}, {}, 14),
    ],
)
def test_authority_is_that_of_whoever_speaks(kinds: set[str], source: dict[str, str], points: int) -> None:
    """From unsourced to an admission in a party's own media."""
    assert severity.authority(kinds, a_source(**source)) == points


@pytest.mark.parametrize(
    ("kinds", "points"),
    [
        ({"rus", "dprk"}, 2),
        ({"treaty"}, 6),
        ({"logistics"}, 10),
        ({"materiel.ammunition"}, 12),
        ({"materiel.unheard_of"}, 12),
        ({"materiel.ammunition", "materiel.air_defence"}, 18),
        ({"personnel", "logistics"}, 20),
        (set(), 2),
    ],
)
def test_substance_is_the_gravest_thing_named(kinds: set[str], points: int) -> None:
    """The highest of what is given counts."""
    assert severity.substance(kinds) == points


def test_artillery_shells_are_shells() -> None:
    """A materiel word inside a longer one is not a second thing; two things in one field are."""
    text = "artillery shells and missiles"
    kinds = {"materiel__ammunition": "artillery shells", "materiel__artillery": "artillery"}
    spans = evidence_in(text, "summary", **kinds)
    assert severity.kinds_of(spans) == {"statement", "materiel.ammunition"}
    assert "materiel.missile" in severity.kinds_of((*spans, *evidence_in(text, materiel__missile="missiles")))


@pytest.mark.parametrize(
    ("text", "points"),
    [
        ("about 1,000 containers left", 5),
        ("10 000 снарядов", 5),
        ("1만 명을 파병", 5),
        ("3 million shells", 5),
        ("12000 soldiers", 5),
        ("in 2026 they met", 0),
        ("on 12 May they met", 0),
        ("152mm rounds, 152 mm guns", 0),
        ("the KN-230 and the Mi-171", 0),
        ("no number at all", 0),
    ],
)
def test_an_amount_counts_and_a_date_does_not(text: str, points: int) -> None:
    """Five points for a number with its unit; years, days, calibres and model names are none."""
    assert severity.scale(a_verdict(evidence=evidence_in(text))) == points


def test_tiers_lateness_and_hearsay_cap() -> None:
    """Context is at most low, enabling at most high, what came late or from hearsay at most medium."""
    assert the_parts().cap is None
    assert the_parts(tier="T2").cap == 4
    assert the_parts(tier="T3", arrival="late").cap == 2
    assert the_parts(arrival="late").cap == 3
    assert the_parts(source=a_source(trust="E")).cap == 3


def test_age_and_unreliability_cost() -> None:
    """Ten points each."""
    assert the_parts().penalty == 0
    assert the_parts(published="2026-04-01T00:00:00.000Z").penalty == 10
    assert the_parts(published="2026-04-01T00:00:00.000Z", source=a_source(trust="F")).penalty == 20
    assert the_parts(published=None).penalty == 0


def test_confidence_is_the_score_less_what_trust_takes() -> None:
    """0 to 100, an integer; an outlet of unknown reliability halves it."""
    verdict = a_verdict(score=0.9)
    assert severity.confidence(verdict, a_source(trust="A")) == 90
    assert severity.confidence(verdict, a_source(trust="F")) == 45
