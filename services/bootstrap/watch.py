"""What the poller did, told to logs and metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.obs import log

if TYPE_CHECKING:
    from schemas import Feed
    from services.obs.metrics import Metrics
    from services.poller.decide import Decision


class PollerWatch:
    """Counts polls and stories, and logs one line a poll."""

    def __init__(self, metrics: Metrics) -> None:
        """Take the metrics."""
        self._metrics = metrics
        self._standing: dict[str, str] = {}

    def polled(self, feed: Feed, decision: Decision, seconds: float) -> None:
        """Take one answer that has been committed."""
        state = decision.state
        self._metrics.inc("tumen_polls_total", outcome=decision.outcome)
        for story in decision.stories:
            self._metrics.inc("tumen_stories_total", arrival=story.arrival, change=story.change)
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
        self._count_standing(feed.id, state.status)

    def _count_standing(self, feed_id: str, status: str) -> None:
        before = self._standing.get(feed_id)
        if before == status:
            return
        self._standing[feed_id] = status
        for changed in {before, status} - {None}:
            count = sum(one == changed for one in self._standing.values())
            self._metrics.set("tumen_feeds", count, status=changed)

    def skipped(self, reason: str, count: int) -> None:
        """Take something that was passed over, by the name of the reason."""
        self._metrics.skip(reason, count)
