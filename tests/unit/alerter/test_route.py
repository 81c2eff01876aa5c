"""Subscribers get what they ask for, and a silence holds what it says."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from schemas import Alert, AlertEvidence, AlertSource, Claim, Entity, Match, Silence
from schemas.silence import Matcher
from services.alerter.route import FIELDS, matches, silenced, wanting
from services.text.ids import stable_id
from tests.builders import T0, a_subscriber, an_alert

NOW = datetime(2026, 5, 12, 12, tzinfo=UTC)


def the_alert() -> Alert:
    """Return an alert that has something in every field."""
    claim = {
        "id": "c1",
        "claim_type": "MATERIEL_TRANSFER",
        "direction": "DPRK>RUS",
        "status": "ALLEGED",
        "claimant": {"name": "The spy service", "role": "service"},
        "evidence": [],
        "materiel": [{"cat": "AMMUNITION", "surface": "shells"}],
    }
    story = stable_id("story")
    return an_alert(
        languages=("ko", "zh-Hans"),
        claims=(Claim.model_validate(claim),),
        entities=(Entity(id="v1", type="vessel", name="Northern Star", field="title", start=0, end=1),),
        evidence=(
            AlertEvidence(
                field="title", start=0, end=6, text="포탄 shells", kind="materiel.missile", story_id=story
            ),
        ),
        sources=(
            AlertSource(
                story_id=story,
                name="Hanbit News",
                domain="hanbit.example",
                kind="newspaper",
                role="origin",
                title="컨테이너",
                url="https://hanbit.example/1",
                first_seen=T0,
            ),
        ),
    )


@pytest.mark.parametrize(
    ("wanted", "holds"),
    [
        ({}, True),
        ({"severity_min": 4}, True),
        ({"severity_min": 5}, False),
        ({"tiers": ("T1", "T2")}, True),
        ({"tiers": ("T2",)}, False),
        ({"languages": ("KO",)}, True),
        ({"languages": ("zh",)}, True),
        ({"languages": ("zh-Hant", "de")}, False),
        ({"claim_types": ("MATERIEL_TRANSFER",)}, True),
        ({"claim_types": ("DENIAL",)}, False),
        ({"directions": ("DPRK>RUS",)}, True),
        ({"directions": ("RUS>DPRK",)}, False),
        ({"claimants": ("the spy service",)}, True),
        ({"claimants": ("spy",)}, False),
        ({"materiel": ("ammunition",)}, True),
        ({"materiel": ("missile",)}, True),
        ({"materiel": ("materiel.missile",)}, True),
        ({"materiel": ("artillery",)}, False),
        ({"entities": ("v1",)}, True),
        ({"entities": ("northern star",)}, True),
        ({"entities": ("v2",)}, False),
        ({"sources": ("hanbit.example",)}, True),
        ({"sources": ("Hanbit News",)}, True),
        ({"sources": ("baltic.example",)}, False),
        ({"keywords": ("RAIL",)}, True),
        ({"keywords": ("컨테",)}, True),
        ({"keywords": ("포탄",)}, True),
        ({"keywords": ("banana",)}, False),
        ({"tiers": ("T1",), "keywords": ("banana",)}, False),
    ],
)
def test_a_match_wants_any_word_of_each_list(wanted: dict[str, Any], holds: bool) -> None:
    """An empty list wants all; filled ones must all hold."""
    assert matches(the_alert(), Match(**wanted)) is holds


def test_only_who_is_enabled_and_wants_it_is_told_in_order() -> None:
    """By id, so that every run writes the same ledger."""
    people = [
        a_subscriber("b"),
        a_subscriber("a"),
        a_subscriber("off", enabled=False),
        a_subscriber("picky", match=Match(severity_min=5)),
    ]
    assert [one.id for one in wanting(the_alert(), people)] == ["a", "b"]


def a_silence(*matchers: tuple[str, str, str], **fields: Any) -> Silence:
    """Return a silence over today with these matchers."""
    defaults = {
        "id": stable_id("silence"),
        "matchers": tuple(Matcher(field=field, op=op, value=value) for field, op, value in matchers),  # type: ignore[arg-type]
        "starts_at": "2026-05-12T00:00:00.000Z",
        "ends_at": "2026-05-13T00:00:00.000Z",
        "author": "me",
        "reason": "known",
    }
    return Silence.model_validate({**defaults, **fields})


@pytest.mark.parametrize(
    ("matchers", "holds"),
    [
        ([("tier", "=", "t1")], True),
        ([("tier", "=", "T2")], False),
        ([("tier", "!=", "T2")], True),
        ([("language", "!=", "ko")], False),
        ([("title", "~", "by RAIL")], True),
        ([("title", "~", "by.*rail")], False),
        ([("subscriber", "=", "reader")], True),
        ([("subscriber", "=", "other")], False),
        ([("tier", "=", "T1"), ("source", "=", "nobody.example")], False),
        ([("no_such_field", "!=", "x")], False),
        ([], False),
    ],
)
def test_a_silence_holds_where_all_its_matchers_do(matchers: list[tuple[str, str, str]], holds: bool) -> None:
    """A typo in a field's name silences nobody."""
    assert silenced(the_alert(), a_subscriber(), [a_silence(*matchers)], NOW) is holds


@pytest.mark.parametrize(
    ("fields", "holds"),
    [
        ({"starts_at": "2026-05-12T12:00:00.000Z"}, True),
        ({"starts_at": "2026-05-12T12:00:00.001Z"}, False),
        ({"ends_at": "2026-05-12T12:00:00.000Z"}, False),
        ({"expired_at": "2026-05-12T11:00:00.000Z"}, False),
        ({"expired_at": "2026-05-12T13:00:00.000Z"}, True),
        ({"starts_at": "2026-02-31T00:00:00.000Z"}, False),
    ],
)
def test_a_silence_lasts_from_start_to_end_or_expiry(fields: dict[str, str], holds: bool) -> None:
    """The end is not part of it; one whose times are none silences nobody."""
    assert silenced(the_alert(), a_subscriber(), [a_silence(("tier", "=", "T1"), **fields)], NOW) is holds


def test_every_field_can_be_read_from_any_alert() -> None:
    """No matcher can make an alert fail."""
    for read in FIELDS.values():
        assert all(isinstance(value, str) for value in read(an_alert()))
