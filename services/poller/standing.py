"""The standing of a feed: what an operator must know about it, said once, when it changes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from schemas.feed_event import FeedEvent
from services.poller.model import EMPTY_BODY, FORMATS_READ, Document, Fetched, FetchFailed, NotModified
from services.text.ids import stable_id
from services.text.times import moment, stamp

if TYPE_CHECKING:
    from schemas.feed import Feed
    from schemas.feed_seen import FeedSeen
    from schemas.feed_state import FeedState, FeedStatus
    from services.poller.model import Outcome

DEGRADED_AFTER = 3
"""Failures in a row: one time-out is weather."""
SILENT_MIN = timedelta(hours=8)
SILENT_ITEMS_MIN = 6
"""Items in the day before it fell silent: only a busy feed's silence says something."""
SILENT_GAPS = 3
"""Times the longest pause of its history: most newsrooms sleep at night."""
DETAIL_MAX = 160
_DAY = timedelta(days=1)
_GONE = 410
_BLOCKED = frozenset({401, 403, 451})
_PERMANENT = frozenset({301, 308})


@dataclass(frozen=True, slots=True)
class Standing:
    """A feed's status and the reason for it, in one line."""

    status: FeedStatus
    detail: str = ""


def normalised(outcome: Outcome, state: FeedState | None, seen: FeedSeen | None) -> Outcome:
    """Return the outcome, with answers that only look like success named as the failures they are."""
    match outcome:
        case NotModified(response=response) if seen is None and (state is None or state.body_sha256 is None):
            return FetchFailed("protocol", "304 for a document that was never sent", response)
        case Fetched(response=response, document=Document(error=str(error))):
            return FetchFailed("unreadable", error, response)
        case Fetched(response=response, document=Document(format=found)) if found not in FORMATS_READ:
            return FetchFailed("unreadable", f"not a feed: {found}", response)
    return outcome


def trouble(outcome: Outcome, seen: FeedSeen | None) -> str | None:
    """Return what is wrong with a document that was read, or None."""
    if not isinstance(outcome, Fetched) or outcome.document is None:
        return None
    if not outcome.document.complete:
        return "the document ends early"
    if not outcome.document.entries and seen is not None and seen.entries:
        return "the document has no entries any more"
    return None


def standing(
    before: FeedStatus, failures: int, outcome: Outcome, seen: FeedSeen | None, now: datetime
) -> Standing:
    """Return the status after an outcome; ``failures`` counts it already."""
    if isinstance(outcome, FetchFailed):
        return _failed(before, failures, outcome)
    if (wrong := trouble(outcome, seen)) is not None:
        return Standing("degraded", wrong)
    if (target := _moved_to(outcome.response.redirects)) is not None:
        return Standing("moved", f"redirects permanently to {target}")
    if seen is not None and (since := silent_since(seen, now)) is not None:
        return Standing("silent", f"nothing new since {stamp(since)}")
    return Standing("ok")


def _failed(before: FeedStatus, failures: int, outcome: FetchFailed) -> Standing:
    detail = f"{outcome.kind}: {outcome.detail}"
    if outcome.status == _GONE:
        return Standing("gone", detail)
    if outcome.status in _BLOCKED or _challenged(outcome):
        return Standing("blocked", detail)
    if outcome.kind == "unreadable":
        return Standing("degraded" if outcome.detail == EMPTY_BODY else "format", detail)
    if failures >= DEGRADED_AFTER and before in ("ok", "moved", "silent"):
        return Standing("degraded", detail)
    return Standing(before, detail)


def _challenged(outcome: FetchFailed) -> bool:
    """Tell whether a content network asks for a browser: not the outlet's error, and no news of it will come."""
    return outcome.response is not None and outcome.response.header("cf-mitigated") is not None


def _moved_to(redirects: tuple[tuple[int, str], ...]) -> str | None:
    if not redirects or any(status not in _PERMANENT for status, _ in redirects):
        return None
    parts = urlsplit(redirects[-1][1])
    return f"{parts.scheme}://{parts.netloc}{parts.path}"


def silent_since(seen: FeedSeen, now: datetime) -> datetime | None:
    """Return when a busy feed fell silent, measured by its own history, or None while it talks."""
    start = None if seen.first_good_at is None else moment(seen.first_good_at).timestamp() * 1000
    if start is None:
        return None
    times = sorted({entry[5] / 1000 for entry in seen.entries if entry[5] > start})
    if not times:
        return None
    newest = times[-1]
    pause = max((later - earlier for earlier, later in pairwise(times)), default=0.0)
    wait = max(SILENT_MIN.total_seconds(), SILENT_GAPS * pause)
    busy = sum(entry[5] / 1000 > newest - _DAY.total_seconds() for entry in seen.entries if entry[5] > start)
    if busy < SILENT_ITEMS_MIN or now.timestamp() - newest < wait:
        return None
    return datetime.fromtimestamp(newest, now.tzinfo)


def events(feed: Feed, before: FeedStatus, after: Standing, now: datetime) -> tuple[FeedEvent, ...]:
    """Return what to tell: nothing while the status stays."""
    if before == after.status:
        return ()
    told = []
    if before not in ("ok", "moved") and after.status in ("ok", "moved"):
        told.append(_event(feed, "recovered", f"was {before}", now))
    if after.status != "ok":
        told.append(_event(feed, after.status, after.detail, now))
    return tuple(told)


def _event(feed: Feed, kind: str, detail: str, now: datetime) -> FeedEvent:
    since = stamp(now)
    return FeedEvent.model_validate(
        {
            "id": stable_id(feed.id, kind, since),
            "feed_id": feed.id,
            "kind": kind,
            "since": since,
            "detail": detail[:DETAIL_MAX],
        }
    )
