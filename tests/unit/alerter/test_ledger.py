"""The ledger knows what is open, what is settled, and whose turn it is, also after a crash."""

from __future__ import annotations

from typing import Any

from schemas import Delivery
from services.alerter.ledger import Entry, Ledger, delivery_id, delivery_key
from services.text.times import moment
from tests.builders import an_alert

NOON = "2026-05-12T12:00:00.000Z"


def a_delivery(alert: str = "alert", subscriber: str = "reader", **fields: Any) -> Delivery:
    """Return an intent for an alert of this name."""
    alert_id = an_alert(alert).id
    defaults = {
        "id": delivery_id(alert_id, subscriber),
        "alert_id": alert_id,
        "subscriber_id": subscriber,
        "status": "intent",
        "due_at": NOON,
        "at": NOON,
    }
    return Delivery.model_validate({**defaults, **fields})


def an_entry(alert: str = "alert", subscriber: str = "reader", order: int = 0, **fields: Any) -> Entry:
    """Return an open entry."""
    return Entry(a_delivery(alert, subscriber, **fields), an_alert(alert), order, moment(NOON))


def test_a_deliverys_id_is_of_its_alert_and_subscriber() -> None:
    """The same on every attempt and after every restart; its key is readable."""
    assert a_delivery().id == a_delivery(status="failed").id != a_delivery(subscriber="other").id
    assert delivery_key(a_delivery()) == f"{an_alert().id}/reader"


def test_turns_are_by_alert_then_subscriber() -> None:
    """Whatever order they were added in."""
    ledger = Ledger()
    ledger.add([an_entry("second", "a", 2), an_entry("first", "b", 1), an_entry("first", "a", 1)])
    assert [entry.turn for entry in ledger.due(moment(NOON))] == [(1, "a"), (1, "b"), (2, "a")]


def test_what_is_not_due_waits_and_says_until_when() -> None:
    """A failed delivery comes back at its time."""
    ledger = Ledger()
    ledger.add([an_entry()])
    later = "2026-05-12T12:00:30.000Z"
    ledger.settle([a_delivery(status="failed", attempts=1, due_at=later)])
    assert ledger.due(moment(NOON)) == []
    assert ledger.next_due() == moment(later)
    assert [entry.delivery.attempts for entry in ledger.due(moment(later))] == [1]


def test_a_line_about_a_delivery_that_nobody_holds_makes_none_due() -> None:
    """Without its alert there is nothing to send; only what was added comes back."""
    ledger = Ledger()
    ledger.settle([a_delivery(status="failed", attempts=1)])
    assert ledger.due(moment(NOON)) == []
    assert ledger.next_due() is None


def test_what_is_settled_is_known_and_never_due() -> None:
    """Sent, parked or silenced: nobody is told twice."""
    ledger = Ledger()
    ledger.add([an_entry(), an_entry(subscriber="quiet", status="silenced", due_at=None)])
    ledger.settle([a_delivery(status="sent", due_at=None)])
    assert ledger.due(moment(NOON)) == []
    assert ledger.next_due() is None
    assert ledger.knows(a_delivery().id)
    assert ledger.knows(a_delivery(subscriber="quiet").id)
    assert not ledger.knows(a_delivery(subscriber="stranger").id)


def test_a_ledger_that_is_read_again_goes_on_where_it_was() -> None:
    """Open lines wait for their alerts; those whose alert is lost are handed out, not forgotten."""
    ledger = Ledger(
        [
            a_delivery("one"),
            a_delivery("two", status="failed", attempts=4, due_at="2026-05-12T11:00:00.000Z"),
            a_delivery("three", status="sent", due_at=None),
            a_delivery("lost"),
        ]
    )
    assert set(ledger.wanted_alerts) == {an_alert(name).id for name in ("one", "two", "lost")}
    ledger.attach(an_alert("two"), 1)
    ledger.attach(an_alert("one"), 0)
    ledger.attach(an_alert("three"), 2)
    assert ledger.orphans() == [a_delivery("lost")]
    assert ledger.orphans() == []
    assert [entry.delivery.attempts for entry in ledger.due(moment(NOON))] == [0, 4]
    assert ledger.knows(a_delivery("three").id)
