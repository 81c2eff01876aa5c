"""What one answer of one server means: (feed, state, seen, outcome, now) -> what to write.

Two state machines, kept apart. Validators and schedule move with every answer; content moves only with a document
that was read. Mixing them is how pollers send stale validators for ever, or miss an item.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from schemas.feed_state import FeedState
from services.poller.content import Content, Reading, read_content
from services.poller.model import Fetched, FetchFailed, NotModified
from services.poller.politeness import (
    ETAG_MAX,
    LAST_MODIFIED_MAX,
    Due,
    first_offset,
    next_due,
    validator,
    wished_interval,
)
from services.poller.standing import Standing, events, normalised, standing, trouble
from services.text.times import moment, stamp

if TYPE_CHECKING:
    from datetime import datetime

    from schemas.feed import Feed
    from schemas.feed_event import FeedEvent
    from schemas.feed_seen import FeedSeen
    from schemas.story import Story
    from services.poller.model import Outcome, PollerSettings

ERROR_MAX = 160
STATE_BYTES_MAX = 1_000
"""Of a FeedState as JSON: it is written on every answer (contract: < 1 KB)."""


@dataclass(frozen=True, slots=True)
class Decision:
    """All that one answer leads to; ``seen`` is None when the content did not change."""

    state: FeedState
    seen: FeedSeen | None
    stories: tuple[Story, ...]
    events: tuple[FeedEvent, ...]
    outcome: str
    """In one word, for metrics: changed, unchanged, not_modified, http_error, unreadable, timeout …"""
    skipped: tuple[tuple[str, int], ...] = ()


def decide(  # noqa: PLR0913, PLR0917 - the whole of what is known
    feed: Feed,
    state: FeedState | None,
    seen: FeedSeen | None,
    outcome: Outcome,
    now: datetime,
    settings: PollerSettings,
) -> Decision:
    """Decide what to write after one answer."""
    outcome = normalised(outcome, state, seen)
    content = _content(feed, state, seen, outcome, now)
    failures = (0 if state is None else state.failures) + 1 if isinstance(outcome, FetchFailed) else 0
    before = "ok" if state is None else state.status
    after = standing(before, failures, outcome, content.seen or seen, now)
    answered = _answered(feed, state, seen, outcome, now).model_copy(
        update={
            "failures": failures,
            "status": after.status,
            "since": _since(state, after, now),
            "error": after.detail[:ERROR_MAX] or None,
            "changed_at": stamp(now) if content.stories else (None if state is None else state.changed_at),
        }
    )
    due = next_due(feed, answered, outcome, now, settings)
    if state is None:
        due = Due(due.at + first_offset(feed.id, wished_interval(feed, settings)), due.reason)
    scheduled = answered.model_copy(update={"due_at": stamp(due.at), "reason": due.reason})
    return Decision(
        fitted(scheduled),
        content.seen,
        content.stories,
        events(feed, before, after, now),
        outcome_name(outcome),
        content.skipped,
    )


def outcome_name(outcome: Outcome) -> str:
    """Return the outcome in one word."""
    match outcome:
        case NotModified():
            return "not_modified"
        case Fetched(document=None):
            return "unchanged"
        case Fetched():
            return "changed"
        case FetchFailed(kind=kind):  # pragma: no branch - mypy holds the match exhaustive
            return kind


def _content(
    feed: Feed, state: FeedState | None, seen: FeedSeen | None, outcome: Outcome, now: datetime
) -> Content:
    if not isinstance(outcome, Fetched) or outcome.document is None:
        return Content()
    ok_at = None if state is None or state.ok_at is None else moment(state.ok_at)
    return read_content(
        Reading(
            feed=feed,
            document=outcome.document,
            body_sha256=outcome.body_sha256,
            seen=seen,
            good=outcome.document.complete,
            ok_at=ok_at,
            now=now,
        )
    )


def _answered(
    feed: Feed, state: FeedState | None, seen: FeedSeen | None, outcome: Outcome, now: datetime
) -> FeedState:
    """Return the state with its validators and times moved by an answer; the schedule comes after."""
    at = stamp(now)
    old = state or FeedState(id=feed.id, polled_at=at, due_at=at, reason="")
    moved: dict[str, str | int | None] = {"polled_at": at, "http_status": None}
    match outcome:
        case FetchFailed():
            moved["http_status"] = outcome.status
        case NotModified(response=response):
            moved |= {"http_status": response.status, "ok_at": at}
            moved |= {name: value for name, value in _validators(outcome).items() if value is not None}
        case Fetched(response=response):  # pragma: no branch - mypy holds the match exhaustive
            moved["http_status"] = response.status
            if trouble(outcome, seen) is None:
                moved |= {**_validators(outcome), "ok_at": at, "body_sha256": outcome.body_sha256}
    return old.model_copy(update=moved)


def _validators(outcome: Fetched | NotModified) -> dict[str, str | None]:
    response = outcome.response
    return {
        "etag": validator(response.header("etag"), ETAG_MAX),
        "last_modified": validator(response.header("last-modified"), LAST_MODIFIED_MAX),
    }


def _since(state: FeedState | None, after: Standing, now: datetime) -> str:
    if state is not None and state.status == after.status and state.since is not None:
        return state.since
    return stamp(now)


def fitted(state: FeedState) -> FeedState:
    """Return the state within STATE_BYTES_MAX: the error is shortened first, then validators are given up."""
    surplus = len(state.to_json()) - STATE_BYTES_MAX
    if surplus > 0 and state.error is not None:
        kept = state.error.encode("ascii", "replace").decode()[: max(len(state.error) - surplus, 0)]
        state = state.model_copy(update={"error": kept or None})
    for name in ("last_modified", "etag"):
        if len(state.to_json()) > STATE_BYTES_MAX:
            state = state.model_copy(update={name: None})
    return state
