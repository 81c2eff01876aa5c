"""What operators hear of the poller: one line an answer, one for each change of standing, and the counters."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, get_args

from schemas.feed_state import FeedStatus
from services.obs import log

if TYPE_CHECKING:
    from collections.abc import Iterable

    from schemas.feed import Feed
    from schemas.feed_state import FeedState
    from services.obs.metrics import Metrics
    from services.poller.decide import Decision


def report(feed: Feed, decision: Decision, seconds: float, metrics: Metrics) -> None:
    """Log and count one committed answer."""
    state = decision.state
    log.emit(
        "poll.finished",
        feed_id=feed.id,
        url=feed.url,
        outcome=decision.outcome,
        http_status=state.http_status,
        stories=len(decision.stories),
        seconds=round(seconds, 3),
        due_at=state.due_at,
        reason=state.reason,
    )
    for event in decision.events:
        log.emit(
            "feed.changed_status",
            feed_id=feed.id,
            url=feed.url,
            kind=event.kind,
            since=event.since,
            detail=event.detail,
        )
    metrics.inc("tumen_polls_total", outcome=decision.outcome)
    for (arrival, change), count in Counter((s.arrival, s.change) for s in decision.stories).items():
        metrics.inc("tumen_stories_total", count, arrival=arrival, change=change)
    for reason, count in decision.skipped:
        metrics.skip(reason, count)


def count_standing(states: Iterable[FeedState], metrics: Metrics) -> None:
    """Set how many feeds have which standing."""
    counts = Counter(state.status for state in states)
    for status in get_args(FeedStatus):
        metrics.set("tumen_feeds", counts[status], status=status)
