"""The one table of log events: what may be logged, at which level, with which fields, and what it means.

docs/operations.md lists the same, and a test holds code, table and page together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["debug", "info", "warning", "error", "critical"]


@dataclass(frozen=True, slots=True)
class Event:
    """One event that an operator may see; the name is constant, what varies is in the fields."""

    name: str
    level: Level
    fields: tuple[str, ...]
    meaning: str


CONTEXT_FIELDS = ("service",)
"""Fields that may be bound around any event (``log.bound``)."""

_TABLE = (
    Event("process.started", "info", ("version", "bus", "services"), "A process begins its work."),
    Event("process.stopping", "info", (), "It was asked to stop; what is under way is finished."),
    Event("process.stopped", "info", ("seconds",), "It has stopped; `seconds` since it was asked to."),
    Event(
        "process.cut_off",
        "critical",
        ("seconds",),
        "It did not stop in time and was ended; the traceback says where it hung. Exit 75, nothing is lost.",
    ),
    Event(
        "process.stalled",
        "critical",
        ("group", "lag", "seconds"),
        "Records waited and none was committed for `health.stall_timeout`; the traceback is all tasks'. Exit 75. "
        "Without `group`: the log gave no answer at all for as long.",
    ),
    Event(
        "loop.lagged",
        "warning",
        ("seconds", "times"),
        "The event loop was held up: `seconds` at worst, `times` above 0.25 s since the last such line.",
    ),
    Event(
        "loop.hung",
        "critical",
        ("seconds",),
        "The event loop has not run for `health.stall_timeout`; the traceback is all threads'. Exit 75.",
    ),
    Event("service.drained", "debug", ("records", "messages", "seconds"), "One drain that moved something."),
    Event("service.failed", "critical", ("error",), "A service ended on an error; the process ends, too."),
    Event("settings.ignored", "warning", ("file", "line", "detail"), "A line of a file was not used."),
    Event("feeds.imported", "info", ("file", "feeds", "skipped"), "A feed list was read onto the bus."),
    Event("subscribers.imported", "info", ("file", "subscribers", "skipped"), "Likewise for subscribers."),
    Event(
        "list.not_imported",
        "warning",
        ("file", "run"),
        "A list was given to a service on Kafka, where services import none; `run` is the command that does.",
    ),
    Event(
        "poll.finished",
        "info",
        ("feed_id", "url", "outcome", "http_status", "stories", "seconds", "due_at", "reason"),
        "One feed was asked; `outcome` as in tumen_polls_total, `reason` is the term of the schedule that won.",
    ),
    Event(
        "feed.changed_status",
        "warning",
        ("feed_id", "url", "kind", "since", "detail"),
        "A feed degraded, recovered, fell silent, moved, is gone or blocked.",
    ),
    Event(
        "record.skipped",
        "warning",
        ("topic", "partition", "offset", "reason", "detail"),
        "A record was passed over; `reason` as in tumen_skips_total.",
    ),
    Event(
        "record.dead_lettered",
        "error",
        ("topic", "partition", "offset", "stage", "error"),
        "A record could not be handled and went to `<topic>.dlq`.",
    ),
    Event(
        "record.suspected",
        "warning",
        ("topic", "partition", "offset", "stage", "deaths", "error"),
        "A batch failed, or a process ended in the middle of one: from `offset` on its records are run one by one.",
    ),
    Event(
        "bus.unavailable", "warning", ("error",), "The log cannot be reached; it is asked again and again."
    ),
    Event(
        "topic.partitions_differ",
        "warning",
        ("topic", "have", "want"),
        "Topics have another number of partitions than the table and `kafka.partitions` say (`tumen topics check`).",
    ),
    Event(
        "alert.raised",
        "info",
        ("alert_id", "storyline_id", "kind", "severity", "reason"),
        "The correlator decided that somebody must be told.",
    ),
    Event(
        "delivery.settled",
        "info",
        ("alert_id", "subscriber_id", "status", "attempts"),
        "A delivery reached its end: sent, silenced or grouped.",
    ),
    Event(
        "delivery.parked",
        "warning",
        ("alert_id", "subscriber_id", "attempts", "http_status", "error"),
        "A delivery was given up; `error` says why. Nobody has this alert from it.",
    ),
    Event(
        "delivery.failed",
        "warning",
        ("alert_id", "subscriber_id", "attempts", "http_status", "error", "due_at"),
        "An attempt failed and will be made again at `due_at`.",
    ),
    Event("health.listening", "info", ("host", "port", "wanted"), "Probes and metrics are served here."),
    Event("desk.listening", "info", ("host", "port", "wanted"), "The desk is served here."),
    Event("desk.request_failed", "error", ("path", "error"), "The desk could not answer; the page says 500."),
    Event("desk.stream_closed", "info", ("reason",), "A live stream was ended by us: it read too slowly."),
    Event("library.message", "warning", ("logger", "message"), "What a library logged, at its own level."),
)

EVENTS = {event.name: event for event in _TABLE}
