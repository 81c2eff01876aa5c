"""The seed article's thirteen core claims, by offsets and codes; its text is read where it lies."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from schemas.claim import Claim
from services.classifier.classify import Item, classify, load_model

NEVER_DELIVERED = {
    "COMBAT_AIRCRAFT",
    "ARMOURED_VEHICLES",
    "MISSILE_PRODUCTION_EQUIPMENT",
    "AIR_DEFENCE_MISSILES",
}


@pytest.fixture
def gold(shared: Path) -> dict[str, Any]:
    """Return the article worked by hand."""
    worked: dict[str, Any] = json.loads((shared / "domain" / "seed_gold.json").read_text("utf-8"))
    return worked


@pytest.fixture
def claims(shared: Path) -> tuple[Claim, ...]:
    """Return what the engine reads in it."""
    text = (shared / "domain" / "000_3511b716358273cc.txt").read_text("utf-8")
    verdict = classify(Item("seed", text.partition("\n")[0], text=text), load_model())
    assert all(text[span.start : span.end] == span.quote for one in verdict.claims for span in one.evidence)
    return verdict.claims


def test_every_core_claim_of_the_seed_is_found_once(gold: dict[str, Any], claims: tuple[Claim, ...]) -> None:
    """Type, direction and status right, the span over at least half of what is marked, nothing beside."""
    core = [row for row in gold["claims"] if row["core"]]
    met = {row["id"]: [one.id for one in claims if _agrees(row, one)] for row in core}
    assert {name: len(found) for name, found in met.items()} == dict.fromkeys(met, 1)
    optional = [one for row in gold["claims"] if not row["core"] for one in claims if _agrees(row, one)]
    assert len(claims) == len(core) + len(optional)


def test_things_number_and_answers_of_the_seed(gold: dict[str, Any], claims: tuple[Claim, ...]) -> None:
    """Containers stay containers, and a denial knows what it denies."""
    by_gold = {
        row["id"]: next(one for one in claims if _agrees(row, one)) for row in gold["claims"] if row["core"]
    }
    wanted = {row["id"]: {thing["cat"] for thing in row["materiel"]} for row in gold["claims"] if row["core"]}
    assert {name: {thing.cat for thing in one.materiel} for name, one in by_gold.items()} == wanted
    number = by_gold["G06"].quantity
    assert number is not None
    assert (number.value, number.op, number.unit) == (1000, ">", "container")
    assert [name for name, one in by_gold.items() if one.quantity and one.quantity.value] == ["G06"]
    assert by_gold["G02"].id in by_gold["G04"].targets
    assert by_gold["G02"].id in by_gold["G05"].targets


def test_nothing_forbidden_is_said_of_the_seed(gold: dict[str, Any], claims: tuple[Claim, ...]) -> None:
    """What was wanted is not delivered, Russia confirms nothing, comparators and credit lines claim nothing."""
    assert {one.status for one in claims if NEVER_DELIVERED & {thing.cat for thing in one.materiel}} == {
        "SOUGHT"
    }
    assert not [one for one in claims if one.status.startswith("CONFIRMED")]
    assert not [one for one in claims if one.vessel]
    out = [row["span"] for row in gold["negatives"] if row["label"] in {"OUT_OF_SCOPE", "BOILERPLATE"}]
    assert not [
        one
        for one in claims
        for span in one.evidence
        for row in out
        if row["start"] <= span.start < row["end"]
    ]


def _agrees(row: dict[str, Any], claim: Claim) -> bool:
    if (row["claim_type"], row["direction"], row["status"]) != (
        claim.claim_type,
        claim.direction,
        claim.status,
    ):
        return False
    return any(
        2 * (min(mark["end"], span.end) - max(mark["start"], span.start))
        >= min(mark["end"] - mark["start"], span.end - span.start)
        for mark in row["evidence"]
        for span in claim.evidence
    )
