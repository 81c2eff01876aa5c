"""Politeness: when may we ask a server again, and with which headers.

Pure: ``now`` is an argument, and the answer is a value. Terms of the schedule only ever lengthen the wait, and the
one that won is named.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from services.poller.model import Fetched, FetchFailed, NotModified, Response
from services.text.times import parse_duration, stamp

if TYPE_CHECKING:
    from schemas.feed import Feed
    from schemas.feed_state import FeedState
    from services.poller.model import Headers, Outcome, PollerSettings

ACCEPT = (
    "application/atom+xml, application/rss+xml, application/feed+json, application/rdf+xml;q=0.9, "
    "application/xml;q=0.8, text/xml;q=0.8, application/json;q=0.7, */*;q=0.1"
)
ETAG_MAX = 256
LAST_MODIFIED_MAX = 64
"""Characters of a validator kept: longer ones would make the feed's state large, and none is known."""
DOUBLINGS_MAX = 8
"""2**8 times the interval is beyond any cap; a failure count may be any number."""
SECONDS_MAX = 400 * 86_400
"""Numbers above a year are cut before they are made a timedelta, which overflows."""
JITTER_MAX = 0.05
"""Of the wait; added, never taken away."""
GONE_INTERVAL = timedelta(days=7)
"""410: asked once a week, because feeds do come back from what looks like death."""

_VALIDATOR = re.compile(r"[\x20-\x7e]+")
_DIRECTIVE = re.compile(r"([a-z-]+)(?:\s*=\s*\"?([0-9]+)\"?)?")
_GONE = 410


@dataclass(frozen=True, slots=True)
class Due:
    """When a feed is due next, and which term of the schedule won."""

    at: datetime
    reason: str


def request_headers(state: FeedState | None) -> Headers:
    """Return the headers of the next request: validators go back byte for byte, both when both are known."""
    headers = [("Accept", ACCEPT)]
    if state is not None and state.etag is not None:
        headers.append(("If-None-Match", state.etag))
    if state is not None and state.last_modified is not None:
        headers.append(("If-Modified-Since", state.last_modified))
    return tuple(headers)


def validator(value: str | None, length_max: int) -> str | None:
    """Return a validator as received, or None if it cannot be sent back as it was."""
    if value is None or len(value) > length_max or not _VALIDATOR.fullmatch(value):
        return None
    return value


def next_due(feed: Feed, state: FeedState, outcome: Outcome, now: datetime, settings: PollerSettings) -> Due:
    """Return the earliest moment at which this feed may be asked again; ``state`` already knows the outcome."""
    terms = {"interval": wished_interval(feed, settings)}
    match outcome:
        case FetchFailed():
            terms |= _failure_terms(terms["interval"], state.failures, outcome, now, settings)
        case Fetched() | NotModified():  # pragma: no branch - mypy holds the match exhaustive
            terms |= _success_terms(feed, state, outcome, settings)
    reason = max(terms, key=lambda term: terms[term])
    wait = terms[reason] * (1 + JITTER_MAX * _draw(feed.id, stamp(now)))
    return Due(_whole_millisecond(now + wait), reason)


def first_offset(feed_id: str, interval: timedelta) -> timedelta:
    """Return the stable share of an interval by which a feed stands apart from others imported with it."""
    return interval * _draw(feed_id, "offset")


def wished_interval(feed: Feed, settings: PollerSettings) -> timedelta:
    """Return the interval of the list or of the settings, within the settings' bounds."""
    if feed.priority == "breaking":
        return min(settings.breaking_interval, settings.interval_max)
    wished = _duration(feed.interval) or settings.interval
    return min(max(wished, settings.interval_min), settings.interval_max)


def _duration(text: str | None) -> timedelta | None:
    try:
        return parse_duration(text) if text else None
    except ValueError:
        return None


def _success_terms(
    feed: Feed, state: FeedState, outcome: Fetched | NotModified, settings: PollerSettings
) -> dict[str, timedelta]:
    terms = {}
    operator_allows = feed.interval is not None
    if state.etag is None and state.last_modified is None and not operator_allows:
        terms["unconditional"] = settings.interval_unconditional
    if (fresh := freshness(outcome.response)) is not None:
        terms["freshness"] = min(fresh, settings.interval_max)
    if isinstance(outcome, Fetched) and outcome.document is not None and outcome.document.asks is not None:
        terms["document"] = min(outcome.document.asks, settings.interval_max)
    return terms


def _failure_terms(
    interval: timedelta, failures: int, outcome: FetchFailed, now: datetime, settings: PollerSettings
) -> dict[str, timedelta]:
    """Back off: the first failure waits as usual, each further one twice as long, up to the longest interval."""
    doublings = min(max(failures - 1, 0), DOUBLINGS_MAX)
    terms = {"back-off": min(interval * (1 << doublings), max(settings.interval_max, interval))}
    if outcome.status == _GONE:
        terms["gone"] = GONE_INTERVAL
    if outcome.response is not None and (asked := retry_after(outcome.response, now)) is not None:
        terms["retry-after"] = min(asked, settings.interval_max)
    return terms


def retry_after(response: Response, now: datetime) -> timedelta | None:
    """Return what Retry-After asks for: seconds, or a date read against the server's own clock."""
    value = (response.header("retry-after") or "").strip()
    if value.isascii() and value.isdigit():
        return _seconds(value)
    moment = http_date(value)
    if moment is None:
        return None
    wait = moment - (http_date(response.header("date")) or now)
    return wait if wait > timedelta(0) else None


def freshness(response: Response) -> timedelta | None:
    """Return how long the server calls its answer fresh: Cache-Control, else Expires less Date; no-cache: None."""
    control = ",".join(value for name, value in response.headers if name.lower() == "cache-control")
    directives = dict(_DIRECTIVE.findall(control.lower()))
    if "no-cache" in directives or "no-store" in directives:
        return None
    if directives.get("max-age"):
        return _seconds(directives["max-age"])
    expires, date = http_date(response.header("expires")), http_date(response.header("date"))
    if expires is None or date is None or expires <= date:
        return None
    return expires - date


def _seconds(digits: str) -> timedelta:
    return timedelta(seconds=SECONDS_MAX if len(digits) > len(str(SECONDS_MAX)) else int(digits))


def http_date(value: str | None) -> datetime | None:
    """Return the moment of an HTTP-date, or None if it is not one."""
    try:
        moment = parsedate_to_datetime(value or "")
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _draw(*parts: str) -> float:
    """Return a number in [0, 1) that depends on nothing but the parts."""
    return int.from_bytes(hashlib.sha256("\0".join(parts).encode()).digest()[:4], "big") / 2**32


def _whole_millisecond(moment: datetime) -> datetime:
    """Round up to what the wire holds: rounding down would ask early."""
    odd = moment.microsecond % 1000
    return moment + timedelta(microseconds=1000 - odd) if odd else moment
