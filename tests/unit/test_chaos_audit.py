"""The audit of chaos is silent about a run in peace, and names each fault that a run could have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from schemas import Subscriber
from services.alerter.ledger import delivery_id
from tests.chaos_audit import Call, Ledger, audit, delivered
from tests.chaos_peace import undisturbed
from tests.chaos_world import Shape, World

PORT = 8_000
SUBSCRIBER = Subscriber.model_validate(
    {"id": "desk", "channel": "http://127.0.0.1:8000/hook", "match": {"severity_min": 1}}
)
WORLD = World(3, Shape(sites=4, pages=3, entries=20))

Spoil = Callable[[Ledger], Ledger]


@pytest.fixture(scope="module")
def ledgers() -> dict[str, Ledger]:
    """Hold what is played once for all of these tests."""
    return {}


@pytest.fixture
async def peace(ledgers: dict[str, Ledger]) -> Ledger:
    """Return how the world ends in peace."""
    if "peace" not in ledgers:
        ledgers["peace"] = await undisturbed(WORLD, PORT, SUBSCRIBER)
    return ledgers["peace"]


def test_a_world_is_the_same_each_time() -> None:
    """The seed decides everything; another seed tells other stories."""
    shape = WORLD.shape
    assert World(3, shape).sites == WORLD.sites
    assert World(4, shape).sites != WORLD.sites
    wanted = [one for feed in WORLD.wanted(PORT).values() for one in feed if one[1] == 1]
    assert len(set(wanted)) == len(wanted) == shape.stories


async def test_peace_has_no_faults(peace: Ledger) -> None:
    """What the pipeline makes of the world is what the world says it must; there are alerts to lose."""
    assert audit(WORLD.wanted(PORT), peace, peace) == []
    assert peace.alerts
    assert {alert.kind for alert in peace.alerts} <= {"opened", "updated"}


SPOILT: dict[str, tuple[Spoil, str]] = {
    "a story is lost": (lambda it: replace(it, stories=it.stories[1:]), "stories: 1 missing"),
    "a story is there twice": (
        lambda it: replace(it, stories=(*it.stories, it.stories[0])),
        "stories: 1 double",
    ),
    "stories are out of order": (
        lambda it: replace(it, stories=it.stories[::-1]),
        "stories of a feed: 4 out of order",
    ),
    "a verdict is lost": (lambda it: replace(it, verdicts=it.verdicts[:-1]), "verdicts: 1 missing"),
    "a verdict is there twice": (
        lambda it: replace(it, verdicts=(*it.verdicts, it.verdicts[-1])),
        "verdicts: 1 double",
    ),
    "verdicts are out of order": (
        lambda it: replace(it, verdicts=it.verdicts[::-1]),
        "verdicts of a lane: ",
    ),
    "an alert is lost": (lambda it: replace(it, alerts=it.alerts[1:]), "alerts: 1 missing"),
    "an alert is there twice": (
        lambda it: replace(it, alerts=(*it.alerts, it.alerts[0])),
        "alerts: 1 double",
    ),
    "an alert is another one": (
        lambda it: replace(it, alerts=(it.alerts[0].model_copy(update={"id": "0" * 32}), *it.alerts[1:])),
        "alerts: 1 not expected",
    ),
    "a storyline is another one": (
        lambda it: replace(
            it, storylines=(*it.storylines, it.storylines[0].model_copy(update={"revision": 99}))
        ),
        "storylines: 1 differ",
    ),
    "a storyline was written twice": (
        lambda it: replace(it, storylines=(it.storylines[0], *it.storylines)),
        "revisions of a storyline: 1 out of order",
    ),
    "a member is missing": (lambda it: replace(it, members=it.members[:-1]), "storylines: 1 differ"),
    "an alert tells less than the storyline": (
        lambda it: replace(it, alerts=tuple(one.model_copy(update={"tier": "T0"}) for one in it.alerts)),
        "fold of the alerts: ",
    ),
    "a delivery was sent twice": (
        lambda it: replace(it, deliveries=(*it.deliveries, it.deliveries[-1])),
        "deliveries sent: 1 double",
    ),
    "a dead letter": (lambda it: replace(it, dead=1), "dead letters: 1"),
}


@pytest.mark.parametrize("fault", SPOILT)
async def test_a_fault_is_named(fault: str, peace: Ledger) -> None:
    """Each way to spoil a ledger has its line."""
    spoil, said = SPOILT[fault]
    found = audit(WORLD.wanted(PORT), peace, spoil(peace))
    assert any(line.startswith(said) for line in found), found


async def test_verdicts_may_come_again_where_a_group_was_forgotten(peace: Ledger) -> None:
    """Only they: a story that comes again is a fault as ever."""
    again = replace(peace, verdicts=peace.verdicts * 2)
    assert audit(WORLD.wanted(PORT), peace, again, verdicts_again=True) == []
    twice = replace(again, stories=peace.stories * 2)
    assert audit(WORLD.wanted(PORT), peace, twice, verdicts_again=True)


KEY = delivery_id("alert", "desk")


@pytest.mark.parametrize(
    ("calls", "struck", "said"),
    [
        ([], (), "webhooks: 1 lost"),
        ([Call(1, "other", "alert")], (), "webhooks: 1 under another key"),
        ([Call(1, KEY, "alert"), Call(2, KEY, "alert")], (3.0,), "webhooks: 1 repeated without a strike"),
        ([Call(at, KEY, "alert") for at in (1, 3, 5)], (2.0, 4.0), ""),
        (
            [Call(at, KEY, "alert") for at in (1, 3, 3, 3)],
            (2.0, 3.0),
            "webhooks: 3 repeated, 2 strikes explain 1",
        ),
    ],
)
def test_a_webhook_is_repeated_only_where_its_sender_was_struck(
    calls: list[Call], struck: tuple[float, ...], said: str
) -> None:
    """At least once, under one key, and never again without a reason."""
    found = delivered({"alert": KEY}, calls, struck, round_max=1)
    assert [line for line in found.faults if line.startswith(said)] if said else found.faults == ()
