"""Who reads and who writes which topic: one table, for descriptions and for permissions.

A test runs the services and compares what they do with what stands here.
"""

from __future__ import annotations

from dataclasses import dataclass

from services.bus.topics import (
    ALERTS,
    DELIVERIES,
    FEED_EVENTS,
    FEED_SEEN,
    FEED_STATE,
    FEEDS,
    SILENCES,
    STORIES,
    STORYLINE_MEMBERS,
    STORYLINES,
    SUBSCRIBERS,
    VERDICTS,
    Topic,
)


@dataclass(frozen=True, slots=True)
class Flow:
    """What one service does with topics."""

    consumes: Topic | None = None
    """Its input, shared out among the members of its group; None: it has no group."""
    tables: tuple[Topic, ...] = ()
    """Read whole, without a group: its own state when it takes over, and what others decide."""
    writes: tuple[Topic, ...] = ()

    @property
    def reads(self) -> tuple[Topic, ...]:
        """Everything it reads, its input first."""
        return (*((self.consumes,) if self.consumes else ()), *self.tables)

    @property
    def dead_letters(self) -> tuple[Topic, ...]:
        """Where it puts what it cannot read of its input, and what it made that its topic is too small for."""
        return tuple(topic.dlq for topic in (self.consumes, *self.writes)) if self.consumes else ()


FLOWS: dict[str, Flow] = {
    "poller": Flow(
        consumes=FEEDS,
        tables=(FEED_STATE, FEED_SEEN),
        writes=(STORIES, FEED_EVENTS, FEED_STATE, FEED_SEEN),
    ),
    "classifier": Flow(consumes=STORIES, writes=(VERDICTS,)),
    "correlator": Flow(
        consumes=VERDICTS,
        tables=(STORYLINES, STORYLINE_MEMBERS, ALERTS),
        writes=(STORYLINES, STORYLINE_MEMBERS, ALERTS),
    ),
    "alerter": Flow(consumes=ALERTS, tables=(DELIVERIES, SUBSCRIBERS, SILENCES), writes=(DELIVERIES,)),
    "desk": Flow(tables=(ALERTS, FEEDS)),
    "import": Flow(tables=(FEEDS, SUBSCRIBERS), writes=(FEEDS, SUBSCRIBERS)),
}
"""By service; ``import`` is `tumen feeds import` and `tumen subscribers import`."""
