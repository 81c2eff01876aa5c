"""Batches are as large as the measured speed of a stage allows, within bounds."""

from __future__ import annotations

import pytest

from services.bus.pace import STEP_S, Pace, records_within
from services.bus.ports import BATCH_RECORDS_MIN, BATCH_RECORDS_MOST


@pytest.mark.parametrize(
    ("seconds_per_record", "records"),
    [
        (0.0, BATCH_RECORDS_MOST),
        (0.4 / BATCH_RECORDS_MOST, BATCH_RECORDS_MOST),
        (0.0001, 4_000),
        (0.001, 400),
        (1.0, BATCH_RECORDS_MIN),
    ],
)
def test_a_batch_takes_what_fits_in_its_time(seconds_per_record: float, records: int) -> None:
    """Fast stages get the most, slow ones the least, the others what is decided in that time."""
    assert records_within(0.4, seconds_per_record) == records


def test_the_first_batch_is_small() -> None:
    """Nothing was measured yet, and a batch without records measures nothing: a stop must not wait for the unknown."""
    pace = Pace()
    pace.took(0, 3.0)
    assert pace.records_max == BATCH_RECORDS_MIN


def test_large_batches_say_more_than_small_ones() -> None:
    """One record that took long does not make the batches small; a slow large batch does."""
    pace = Pace()
    pace.took(4_000, STEP_S)
    pace.took(1, 0.01)
    assert pace.records_max > 3_500
    pace.took(4_000, STEP_S * 4)
    assert pace.records_max < 2_000


def test_what_was_slow_is_forgotten() -> None:
    """Ten fast batches later, the batches are large again."""
    pace = Pace()
    pace.took(500, 50.0)
    assert pace.records_max == BATCH_RECORDS_MIN
    for _ in range(30):
        pace.took(pace.records_max, pace.records_max / 10_000)
    assert pace.records_max > 3_000
