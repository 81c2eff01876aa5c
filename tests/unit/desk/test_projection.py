"""The newest alerts: order, filters, paging, resuming."""

from __future__ import annotations

import pytest

from schemas import Alert
from services.desk import projection as module
from services.desk.projection import Entry, Filter, Projection, position_text, read_position, speaks
from tests.builders import an_alert


def entry(position: int, alert: Alert | None = None) -> Entry:
    """Return an entry at a position."""
    alert = alert or an_alert(str(position))
    return Entry(position, alert, alert.to_json())


def filled(count: int) -> Projection:
    """Return a projection of so many alerts."""
    return Projection().add(entry(position) for position in range(count))


def test_pages_go_from_newest_to_oldest_and_visit_everything_once() -> None:
    """A cursor is a place in the log: what arrives meanwhile shifts no page."""
    projection = filled(7)
    positions: list[int] = []
    before = None
    while True:
        page = projection.page(Filter(), 3, before)
        positions += [found.position for found in page.entries]
        projection = projection.add([entry(100 + len(positions))])
        if (before := page.next_before) is None:
            break
    assert positions == [6, 5, 4, 3, 2, 1, 0]


def test_the_same_alert_twice_is_there_once() -> None:
    """Of one alert the later record counts."""
    alert = an_alert("same")
    projection = Projection().add([entry(0, alert), entry(1)]).add([entry(2, alert)])
    assert [found.position for found in projection.entries] == [1, 2]
    assert projection.by_id[alert.id].position == 2


def test_adding_changes_nothing_that_was_there() -> None:
    """Adding gives a new value: a reader keeps a consistent page."""
    before = filled(2)
    after = before.add([entry(2)])
    assert (len(before.entries), len(after.entries)) == (2, 3)


def test_only_the_newest_are_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest go first, and it is known up to where."""
    monkeypatch.setattr(module, "ALERTS_MAX", 3)
    projection = filled(5)
    assert [found.position for found in projection.entries] == [2, 3, 4]
    assert projection.forgotten_to == 1
    assert projection.since(0) is None
    assert [found.position for found in projection.since(1) or ()] == [2, 3, 4]


def test_resuming_gives_what_came_after_or_says_that_it_cannot() -> None:
    """A position of another log (a demo begun anew) is not taken for one of this log."""
    projection = filled(3)
    assert [found.position for found in projection.since(1) or ()] == [2]
    assert list(projection.since(2) or ()) == []
    assert projection.since(3) is None
    assert Projection().since(0) is None


@pytest.mark.parametrize(
    ("wanted", "passes"),
    [
        (Filter(), True),
        (Filter(severity_min=4), True),
        (Filter(severity_min=5), False),
        (Filter(language="ko"), True),
        (Filter(language="zh"), True),
        (Filter(language="ZH-hans"), True),
        (Filter(language="z"), False),
        (Filter(kind="opened"), True),
        (Filter(kind="denied"), False),
        (Filter(severity_min=4, language="ru", kind="opened"), False),
    ],
)
def test_filters(wanted: Filter, passes: object) -> None:
    """Every given condition must hold."""
    assert wanted.wants(an_alert(severity=4, languages=("ko", "zh-Hans"))) is passes


def test_a_narrower_language_is_the_wanted_one() -> None:
    """``zh`` wants ``zh-Hant``; ``zh-Hant`` does not want ``zh``."""
    assert speaks("zh-Hant", "zh")
    assert not speaks("zh", "zh-Hant")


@pytest.mark.parametrize("text", ["", "7", "0:", "1:7", "0:-1", "0:٧", "0:1234567890123456789", "0:7\n"])
def test_positions_that_were_never_given_out(text: str) -> None:
    """Anything else than partition and offset is no position."""
    assert read_position(text) is None
    assert read_position(position_text(7)) == 7


def test_alerts_of_a_day() -> None:
    """The day is that of detection, UTC."""
    projection = Projection().add(
        [entry(0, an_alert("a", detected_at="2026-05-11T23:59:59.999Z")), entry(1, an_alert("b"))]
    )
    assert projection.on_day("2026-05-12") == 1
