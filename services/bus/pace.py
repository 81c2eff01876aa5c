"""How many records one transaction takes: as many as are decided within its time, as measured.

Exactly-once has its price for each transaction, so a transaction carries as much as may be; and it is short, so that
what it leads to is soon there, and a stop or a rebalance need not wait for it.
"""

from __future__ import annotations

from services.bus.ports import BATCH_RECORDS_MIN, BATCH_RECORDS_MOST

STEP_S = 0.4
"""What deciding on one batch should take at most."""
MEMORY = 0.7
"""What a measurement still counts for after the next one: a slow batch does not make the next ones tiny for long."""


def records_within(seconds: float, seconds_per_record: float) -> int:
    """Return how many records to take for a step of so many seconds, within the bounds of a batch."""
    if seconds_per_record * BATCH_RECORDS_MOST <= seconds:
        return BATCH_RECORDS_MOST
    return max(int(seconds / seconds_per_record), BATCH_RECORDS_MIN)


class Pace:
    """What is known of a stage's speed. Until something was measured, a batch is small: its records may be slow ones."""

    def __init__(self) -> None:
        """Begin without a measurement."""
        self._records = 0.0
        self._seconds = 0.0

    @property
    def records_max(self) -> int:
        """How many records the next batch takes."""
        if not self._records:
            return BATCH_RECORDS_MIN
        return records_within(STEP_S, self._seconds / self._records)

    def took(self, records: int, seconds: float) -> None:
        """Take note of what a batch took; large ones say more than small ones."""
        if records:
            self._records = self._records * MEMORY + records
            self._seconds = self._seconds * MEMORY + seconds
