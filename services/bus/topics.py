"""The one table of topics: key, partitions, cleanup, retention, model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import schemas

if TYPE_CHECKING:
    from schemas.common import Wire

DAY_MS = 86_400_000
SHARDED = 0
"""Partitions of a sharded topic: the bus's own number (8 on SQLite, 16 on Kafka)."""
SQLITE_SHARDS = 8
KAFKA_SHARDS = 16
DLQ_RETENTION_MS_MAX = 90 * DAY_MS

Cleanup = Literal["compact", "delete", "compact,delete", "keep"]


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic and its rules. ``retention_ms`` None: no age limit."""

    name: str
    key: str
    partitions: int
    cleanup: Cleanup
    retention_ms: int | None
    written_by: str
    model: type[Wire]

    @property
    def short(self) -> str:
        """The name as people type it: ``alerts`` for ``tumen.alerts.v1``."""
        return self.name.removeprefix("tumen.").removesuffix(".v1")

    @property
    def compacted(self) -> bool:
        """Whether only the latest record of a key is kept."""
        return self.cleanup.startswith("compact")

    @property
    def dlq(self) -> Topic:
        """Where records of this topic go that could not be handled."""
        retention = min(self.retention_ms or DLQ_RETENTION_MS_MAX, DLQ_RETENTION_MS_MAX)
        return replace(
            self,
            name=f"{self.name}.dlq",
            partitions=1,
            cleanup="delete",
            retention_ms=retention,
            written_by="whoever failed",
        )


FEEDS = Topic("tumen.feeds.v1", "feed_id", SHARDED, "compact", None, "tumen feeds, import", schemas.Feed)
FEED_STATE = Topic("tumen.feed-state.v1", "feed_id", SHARDED, "compact", None, "poller", schemas.FeedState)
FEED_SEEN = Topic("tumen.feed-seen.v1", "feed_id", SHARDED, "compact", None, "poller", schemas.FeedSeen)
STORIES = Topic("tumen.stories.v1", "story_id", SHARDED, "delete", 14 * DAY_MS, "poller", schemas.Story)
FEED_EVENTS = Topic(
    "tumen.feed-events.v1", "feed_id", SHARDED, "delete", 90 * DAY_MS, "poller", schemas.FeedEvent
)
VERDICTS = Topic("tumen.verdicts.v1", "story_id", 1, "delete", 90 * DAY_MS, "classifier", schemas.Verdict)
STORYLINES = Topic("tumen.storylines.v1", "storyline_id", 1, "compact", None, "correlator", schemas.Storyline)
STORYLINE_MEMBERS = Topic(
    "tumen.storyline-members.v1", "story_id", 1, "compact", None, "correlator", schemas.StorylineMember
)
ALERTS = Topic("tumen.alerts.v1", "storyline_id", 1, "keep", None, "correlator", schemas.Alert)
DELIVERIES = Topic(
    "tumen.deliveries.v1",
    "alert_id/subscriber_id",
    1,
    "compact,delete",
    400 * DAY_MS,
    "alerter",
    schemas.Delivery,
)
SUBSCRIBERS = Topic(
    "tumen.subscribers.v1",
    "subscriber_id",
    1,
    "compact",
    None,
    "tumen subscribers, import",
    schemas.Subscriber,
)
SILENCES = Topic("tumen.silences.v1", "silence_id", 1, "compact", None, "desk, CLI", schemas.Silence)
FEEDBACK = Topic(
    "tumen.feedback.v1",
    "alert_id, storyline_id or story_id",
    1,
    "keep",
    None,
    "desk, CLI",
    schemas.Feedback,
)

PRIMARY = (
    FEEDS,
    FEED_STATE,
    FEED_SEEN,
    STORIES,
    FEED_EVENTS,
    VERDICTS,
    STORYLINES,
    STORYLINE_MEMBERS,
    ALERTS,
    DELIVERIES,
    SUBSCRIBERS,
    SILENCES,
    FEEDBACK,
)
TOPICS = {topic.name: topic for primary in PRIMARY for topic in (primary, primary.dlq)}


def resolve(name: str) -> Topic:
    """Return the topic of a full or short name (``alerts``, ``stories.dlq``); KeyError lists the known ones."""
    if name in TOPICS:
        return TOPICS[name]
    base, dot, rest = name.partition(".dlq")
    full = f"tumen.{base}.v1{dot}{rest}"
    if full in TOPICS:
        return TOPICS[full]
    known = ", ".join(topic.short for topic in PRIMARY)
    message = f"unknown topic {name!r}; known: {known}"
    raise KeyError(message)
