"""The check says in one line each what is missing, late, too many, forbidden or extra."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from schemas import Alert
from services.demo.check import ExpectedEvent, check, load_expected
from services.demo.model import DAY_START, DayError, DemoItem
from services.text.ids import stable_id
from services.text.times import stamp
from tests.builders import an_alert

EVENT = ExpectedEvent("ship", "A ship", ("ship-1", "ship-2"), must_minutes=30, at_most=2)
LIONS = ExpectedEvent("lions", "Lions", ("lions-1",), never=True, why="a gift")


def an_item(name: str, hour: int) -> DemoItem:
    """Return an item that appears on the hour."""
    at = DAY_START + timedelta(hours=hour)
    return DemoItem(name, "quay", at, at, f"https://quay.example/2026/{name}", name, name.title(), "")


ITEMS = (an_item("ship-1", 10), an_item("ship-2", 12), an_item("lions-1", 3), an_item("rain", 4))


def told(name: str, minutes: int, **fields: Any) -> Alert:
    """Return an alert on an item, so many minutes into the day."""
    at = stamp(DAY_START + timedelta(minutes=minutes))
    url = f"https://www.quay.example/2026/{name}".replace("www.", "")
    return an_alert(
        **{
            "id": stable_id(name, at),
            "headline_url": url,
            "sources": (),
            "detected_at": at,
            "created_at": at,
            "title": name,
            **fields,
        }
    )


def test_all_is_well() -> None:
    """In time, few enough, nothing forbidden: no line."""
    assert check([EVENT, LIONS], [told("ship-1", 615), told("ship-2", 735)], ITEMS) == []


def test_missing_and_late() -> None:
    """No alert, or the first one after its time, is told with the time it was wanted by."""
    assert check([EVENT], [], ITEMS) == ["missing: ship: no alert, wanted by 10:30: A ship"]
    assert check([EVENT], [told("ship-1", 640)], ITEMS) == [
        "late: ship: first alert at 10:40, wanted by 10:30: A ship"
    ]


def test_too_many_forbidden_and_extra() -> None:
    """Each has its own word, and extra names the alert and its address."""
    alerts = [told("ship-1", m) for m in (601, 602, 603)] + [told("lions-1", 185), told("rain", 245)]
    assert check([EVENT, LIONS], alerts, ITEMS) == [
        "too many: ship: 3 alerts, at most 2: A ship",
        "never: lions: 03:05 opened 'lions-1', but a gift",
        "extra: 04:05 opened 'rain' <https://quay.example/2026/rain>: no event expects it",
    ]


def test_addresses_are_compared_in_canonical_form() -> None:
    """A tracking parameter does not make an alert extra."""
    url = "http://quay.example/2026/ship-1?utm_source=feed"
    assert check([EVENT], [told("ship-1", 610, headline_url=url)], ITEMS) == []


def test_backfill_is_no_alert() -> None:
    """What was only filed is neither forbidden nor extra, and does not count as told."""
    assert (
        check([LIONS], [told("lions-1", 0, arrival="backfill"), told("rain", 0, arrival="backfill")], ITEMS)
        == []
    )


def test_bad_expectations_are_named(tmp_path: Path) -> None:
    """An event without items, one that is never and must, and an unknown key are refused, each by its id."""
    (tmp_path / "expected_alerts.toml").write_text(
        '[[events]]\nid = "a"\ntitle = "A"\nitems = []\n'
        '[[events]]\nid = "b"\ntitle = "B"\nitems = ["x"]\nnever = true\nmust = 5\nwhy = "w"\n'
        '[[events]]\nid = "c"\ntitle = "C"\nitems = ["x"]\nsoon = true\n',
        "utf-8",
    )
    with pytest.raises(DayError) as caught:
        load_expected(tmp_path)
    assert [line.split(":")[1].strip() for line in str(caught.value).splitlines()] == ["a", "b", "c"]


def test_unknown_items_are_told() -> None:
    """An expectation about an item that is not in the day is itself a failure."""
    assert check([ExpectedEvent("x", "X", ("gone",), at_most=1)], [], ITEMS) == ["unknown item: x: gone"]
