"""Durations as people write them, and how long one may be."""

from __future__ import annotations

from datetime import timedelta

import pytest

from services.text.times import DURATION_MAX, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("15m", 900), ("1h30m", 5_400), (" 0s ", 0), ("250ms", 0.25), ("1.5h", 5_400)],
)
def test_a_duration_reads_as_people_write_it(text: str, seconds: float) -> None:
    """Units may be combined."""
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "soon", "5", "-5m", "5 m", "99999999999d", "9" * 5_000 + "d", "3661d"])
def test_what_is_no_duration_is_said_in_one_way(text: str) -> None:
    """Also one so long that no moment lies that far away."""
    with pytest.raises(ValueError, match=r"not a duration|longer than 3660 days"):
        parse_duration(text)
    assert parse_duration("3660d") == DURATION_MAX
