"""Politeness: headers byte for byte, and a next time that is never too early."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from schemas import FeedState
from services.poller.model import Document, Fetched, FetchFailed, NotModified, PollerSettings, Response
from services.poller.politeness import (
    JITTER_MAX,
    first_offset,
    freshness,
    next_due,
    request_headers,
    retry_after,
    validator,
    wished_interval,
)
from services.text.times import stamp
from tests.builders import a_feed

NOW = datetime(2026, 5, 12, 4, 5, tzinfo=UTC)
DATE = "Tue, 12 May 2026 04:05:00 GMT"
SETTINGS = PollerSettings()
FEED = a_feed()
HOUR = timedelta(hours=1)


def a_state(**fields: object) -> FeedState:
    """Return the state of a feed with validators."""
    now = stamp(NOW)
    defaults = {"id": FEED.id, "polled_at": now, "due_at": now, "reason": "interval", "etag": '"v1"'}
    return FeedState.model_validate({**defaults, **fields})


def an_answer(status: int = 200, **headers: str) -> Response:
    """Return an answer with these headers."""
    return Response(
        FEED.url, status, tuple((name.replace("_", "-"), value) for name, value in headers.items())
    )


def test_both_validators_go_back_byte_for_byte() -> None:
    """Quotes, W/ and odd dates are the server's business."""
    headers = dict(request_headers(a_state(etag='W/"a b\\"', last_modified="Mon, 01 bogus 1999")))
    assert headers["If-None-Match"] == 'W/"a b\\"'
    assert headers["If-Modified-Since"] == "Mon, 01 bogus 1999"


def test_a_first_request_has_no_validators() -> None:
    """Nothing is known, nothing is claimed."""
    assert {name for name, _ in request_headers(None)} == {"Accept"}


@pytest.mark.parametrize("value", [None, "", "x" * 257, "a\nb", "caf\xe9"])
def test_a_validator_that_cannot_go_back_is_not_kept(value: str | None) -> None:
    """Sent back altered it would be worse than none."""
    assert validator(value, 256) is None


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"retry_after": "120"}, timedelta(seconds=120)),
        ({"retry_after": " 120 "}, timedelta(seconds=120)),
        ({"retry_after": "Tue, 12 May 2026 05:05:00 GMT", "date": DATE}, HOUR),
        ({"retry_after": "Tue, 12 May 2026 05:05:00 GMT"}, HOUR),
        ({"retry_after": "Tue, 12 May 2026 06:05:00 GMT", "date": "Tue, 12 May 2026 05:05:00 GMT"}, HOUR),
        ({"retry_after": "Tue, 12 May 2026 03:05:00 GMT", "date": DATE}, None),
        ({"retry_after": "-5"}, None),
        ({"retry_after": "soon"}, None),
        ({"retry_after": "1e3"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_seconds_or_a_date_by_the_servers_clock(
    headers: dict[str, str], wait: timedelta | None
) -> None:
    """Junk, negative numbers and the past ask for nothing."""
    assert retry_after(an_answer(503, **headers), NOW) == wait


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"cache_control": "max-age=7200"}, 2 * HOUR),
        ({"cache_control": "public, Max-Age = 7200, must-revalidate"}, 2 * HOUR),
        ({"cache_control": 'max-age="7200"'}, 2 * HOUR),
        ({"cache_control": "no-cache, max-age=7200"}, None),
        ({"cache_control": "no-store"}, None),
        ({"cache_control": "s-maxage=60"}, None),
        ({"expires": "Tue, 12 May 2026 06:05:00 GMT", "date": DATE}, 2 * HOUR),
        ({"expires": "0", "date": DATE}, None),
        ({"expires": "Tue, 12 May 2026 06:05:00 GMT"}, None),
        (
            {"cache_control": "max-age=60", "expires": "Tue, 12 May 2030 06:05:00 GMT", "date": DATE},
            HOUR / 60,
        ),
        ({}, None),
    ],
)
def test_freshness_is_cache_control_else_expires_less_date(
    headers: dict[str, str], wait: timedelta | None
) -> None:
    """``no-cache`` wins over ``max-age``; Expires is read against the response's own Date."""
    assert freshness(an_answer(200, **headers)) == wait


def due(outcome: object, **state: object) -> tuple[timedelta, str]:
    """Return the wait without its jitter's room, and the reason."""
    found = next_due(FEED, a_state(**state), outcome, NOW, SETTINGS)  # type: ignore[arg-type]
    return found.at - NOW, found.reason


@pytest.mark.parametrize(
    ("outcome", "state", "wait", "reason"),
    [
        (NotModified(an_answer(304)), {}, HOUR, "interval"),
        (NotModified(an_answer(304, cache_control="max-age=7200")), {}, 2 * HOUR, "freshness"),
        (NotModified(an_answer(304, cache_control="max-age=500000000")), {}, 24 * HOUR, "freshness"),
        (NotModified(an_answer(304, cache_control="max-age=" + "9" * 400)), {}, 24 * HOUR, "freshness"),
        (NotModified(an_answer(304, cache_control="max-age=60")), {}, HOUR, "interval"),
        (Fetched(an_answer(), "x", None), {"etag": None}, 6 * HOUR, "unconditional"),
        (Fetched(an_answer(), "x", Document("rss", asks=3 * HOUR)), {}, 3 * HOUR, "document"),
        (Fetched(an_answer(), "x", Document("rss", asks=timedelta(days=365))), {}, 24 * HOUR, "document"),
        (FetchFailed("timeout", ""), {"failures": 1}, HOUR, "interval"),
        (FetchFailed("timeout", ""), {"failures": 2}, 2 * HOUR, "back-off"),
        (FetchFailed("timeout", ""), {"failures": 5}, 16 * HOUR, "back-off"),
        (FetchFailed("timeout", ""), {"failures": 10**6}, 24 * HOUR, "back-off"),
        (
            FetchFailed("http_error", "", an_answer(503, retry_after="7200")),
            {"failures": 1},
            2 * HOUR,
            "retry-after",
        ),
        (
            FetchFailed("http_error", "", an_answer(429, retry_after="9" * 9)),
            {"failures": 1},
            24 * HOUR,
            "retry-after",
        ),
        (FetchFailed("http_error", "", an_answer(429, retry_after="5")), {"failures": 1}, HOUR, "interval"),
        (FetchFailed("http_error", "", an_answer(410)), {"failures": 1}, timedelta(days=7), "gone"),
    ],
)
def test_the_longest_term_wins_and_is_named(
    outcome: object, state: dict[str, object], wait: timedelta, reason: str
) -> None:
    """Every term only lengthens the wait; what a server asks is capped; jitter adds at most its share."""
    found, why = due(outcome, **state)
    assert wait <= found <= wait * (1 + JITTER_MAX) + timedelta(milliseconds=1)
    assert why == reason


def test_the_due_time_is_the_same_whenever_it_is_decided_again() -> None:
    """A replay of a half-played day must not move anything."""
    assert due(NotModified(an_answer(304))) == due(NotModified(an_answer(304)))


@pytest.mark.parametrize(
    ("fields", "interval"),
    [
        ({}, HOUR),
        ({"interval": "2h"}, 2 * HOUR),
        ({"interval": "1m"}, timedelta(minutes=15)),
        ({"interval": "9d"}, 24 * HOUR),
        ({"interval": "often"}, HOUR),
        ({"priority": "breaking"}, timedelta(minutes=5)),
    ],
)
def test_a_wished_interval_is_kept_within_bounds(fields: dict[str, str], interval: timedelta) -> None:
    """The list may wish; the operator's bounds hold; breaking feeds have their own interval."""
    assert wished_interval(a_feed(**fields), SETTINGS) == interval


def test_an_operators_interval_overrides_the_one_for_feeds_without_validators() -> None:
    """Whoever writes an interval into the list has asked the outlet."""
    outcome = Fetched(an_answer(), "x", None)
    found = next_due(a_feed(interval="30m"), a_state(etag=None), outcome, NOW, SETTINGS)
    assert found.reason == "interval"


def test_offsets_are_stable_and_spread() -> None:
    """A thousand feeds imported together do not stay together."""
    offsets = [first_offset(f"feed {number}", HOUR) for number in range(1000)]
    assert offsets == [first_offset(f"feed {number}", HOUR) for number in range(1000)]
    per_quarter = [sum(q * HOUR / 4 <= offset < (q + 1) * HOUR / 4 for offset in offsets) for q in range(4)]
    assert min(per_quarter) > 200
