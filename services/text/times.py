"""Timestamps on the wire: UTC, milliseconds, one fixed form; and durations as people write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

DURATION_MAX = timedelta(days=3_660)
"""Nobody means more than ten years, and a moment that far from now is still a moment."""

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")


def stamp(moment: datetime) -> str:
    """Return ``YYYY-MM-DDTHH:MM:SS.mmmZ`` of an aware datetime; fractions below a millisecond are cut."""
    utc = moment.astimezone(UTC)
    return f"{utc:%Y-%m-%dT%H:%M:%S}.{utc.microsecond // 1000:03d}Z"


def moment(text: str) -> datetime:
    """Return the aware datetime of a wire timestamp."""
    return datetime.fromisoformat(text)


def parse_duration(text: str) -> timedelta:
    """Read ``90s``, ``15m``, ``2h``, ``1h30m``, ``0s``; ValueError says what is wrong."""
    compact = text.strip()
    if not compact or _DURATION.sub("", compact):
        message = f"not a duration: {text!r} (write 90s, 15m, 2h, 1d)"
        raise ValueError(message)
    seconds = sum(float(n) * _UNITS[unit] for n, unit in _DURATION.findall(compact))
    if seconds > DURATION_MAX.total_seconds():
        message = f"longer than {DURATION_MAX.days} days: {text[:40]!r}"
        raise ValueError(message)
    return timedelta(seconds=seconds)
