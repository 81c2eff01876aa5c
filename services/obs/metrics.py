"""The one table of metrics, and the only way to move one.

No label holds a feed, host, URL, storyline, alert or subscriber: a label's values come from a closed vocabulary, and
what is not in it counts as ``other``. docs/operations.md lists the same; a test holds them together.
"""

from __future__ import annotations

import platform
import re
from dataclasses import dataclass
from typing import Any, Literal, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

import services
from schemas.alert import AlertKind
from schemas.delivery import DeliveryStatus
from schemas.feed_state import FeedStatus
from schemas.story import Arrival, Change

Kind = Literal["counter", "gauge", "histogram"]

SECONDS_BUCKETS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
"""From one record to a stalled disk, two a decade."""
RECORDS_BUCKETS = (0.0, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1_000.0, 3_000.0, 10_000.0, 30_000.0)
"""From a timer's transaction, which has no input, to the largest that a backlog makes."""
ALERT_BUCKETS = (0.03, 0.06, 0.1, 0.25, 0.5, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
"""What is promised of an idle log (0.06 and 0.25), then two a decade."""
OTHER = "other"


@dataclass(frozen=True, slots=True)
class Metric:
    """One time series family."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    help: str
    buckets: tuple[float, ...] = SECONDS_BUCKETS
    """Of a histogram."""


METRICS = {
    metric.name: metric
    for metric in (
        Metric("tumen_polls_total", "counter", ("outcome",), "Feeds asked, by what came of it."),
        Metric("tumen_stories_total", "counter", ("arrival", "change"), "Stories published by the poller."),
        Metric("tumen_verdicts_total", "counter", ("flagged",), "Stories judged by the classifier."),
        Metric("tumen_storylines_opened_total", "counter", (), "Storylines opened by the correlator."),
        Metric("tumen_alerts_total", "counter", ("kind", "severity"), "Alerts raised by the correlator."),
        Metric("tumen_deliveries_total", "counter", ("status",), "Ledger lines written by the alerter."),
        Metric(
            "tumen_dead_letters_total", "counter", ("topic",), "Records that went to a dead-letter topic."
        ),
        Metric("tumen_skips_total", "counter", ("reason",), "Things passed over, by the name of the reason."),
        Metric("tumen_batch_seconds", "histogram", ("service",), "Time of one drain that moved something."),
        Metric(
            "tumen_lag_records",
            "gauge",
            ("group", "topic", "partition"),
            "Records before the last stable offset that the group has yet to commit, where the partition is this process's.",
        ),
        Metric("tumen_transaction_seconds", "histogram", ("group",), "Time of one transaction."),
        Metric(
            "tumen_transaction_records",
            "histogram",
            ("group",),
            "Input records of one transaction; a timer's has none.",
            RECORDS_BUCKETS,
        ),
        Metric(
            "tumen_transactions_aborted_total",
            "counter",
            ("group",),
            "Transactions that failed or whose outcome was not learnt.",
        ),
        Metric(
            "tumen_fences_total",
            "counter",
            ("group",),
            "Transactions refused because another process has the partition: normal in a rebalance.",
        ),
        Metric(
            "tumen_lane_rebuilds_total",
            "counter",
            ("group", "reason"),
            "Partitions taken anew by the same process: fenced, expired (idle for too long) or unknown (outcome).",
        ),
        Metric("tumen_restore_seconds", "histogram", ("group",), "Time to read one state topic's partition."),
        Metric(
            "tumen_restored_records_total", "counter", ("group",), "State records read when lanes were taken."
        ),
        Metric(
            "tumen_alert_seconds",
            "histogram",
            (),
            "From a feed's answer (`fetched_at` of the story) to its alert on the log.",
            ALERT_BUCKETS,
        ),
        Metric(
            "tumen_loop_lag_seconds",
            "gauge",
            (),
            "How late the event loop was when last asked, twice a second.",
        ),
        Metric("tumen_feeds", "gauge", ("status",), "Feeds by their standing."),
        Metric("tumen_desk_streams", "gauge", (), "Live streams open on the desk."),
        Metric("tumen_desk_responses_total", "counter", ("status",), "Answers of the desk by status class."),
        Metric("tumen_build_info", "gauge", ("version", "python"), "Always 1; the labels say what runs."),
    )
}

PROCESS_METRICS = {
    "tumen_process_cpu_seconds_total": "CPU time of this process.",
    "tumen_process_resident_memory_bytes": "Memory in use.",
    "tumen_process_virtual_memory_bytes": "Address space.",
    "tumen_process_start_time_seconds": "When it started (Unix time).",
    "tumen_process_open_fds": "Open files and sockets.",
    "tumen_process_max_fds": "How many it may open.",
}
"""Written by prometheus_client's own collector (Linux only)."""

SKIPS = {
    "alert_undecodable": "The desk or the alerter met an alert that it cannot read.",
    "story_undecodable": "The classifier met a story that it cannot read; it is in the dead letters.",
    "story_tombstone": "The classifier met a tombstone among the stories; there is nothing to judge.",
    "verdict_undecodable": "The correlator met a verdict that it cannot read; it is in the dead letters.",
    "verdict_repeated": "A revision that the correlator has heard before; nothing changes.",
    "story_unmatched": "A storyline's member no longer matches; it stays, nobody is told yet.",
    "copy_not_told": "A story repeats one of its storyline; it is counted there and not told.",
    "feed_undecodable": "The poller met a feed that it cannot read; it is in the dead letters.",
    "record_deadly": "A record ended three processes that ran it alone; it is in the dead letters.",
    "record_failing": "A record raised an error three times, run alone; it is in the dead letters.",
    "message_too_large": "A message is over the log's size limit; what led to it is in the dead letters.",
    "state_undecodable": "A record of a service's own state cannot be read; it is left where it is.",
    "alert_repeated": "An alert that the alerter has made deliveries for already.",
    "table_undecodable": "A subscriber's or silence's record cannot be read; the last good one stays.",
    "entry_without_identity": "A feed entry has neither id, link nor title.",
    "entry_undatable": "A feed entry's date is no date; it is taken as seen now.",
    "entry_over_limit": "A feed document holds more entries than one poll may publish.",
    "entry_repeated": "A feed document holds one item twice; it is taken once.",
    "revision_over_limit": "A story changes at every poll; its further revisions are not published.",
    "backfill_not_pushed": "A story of a feed's first good poll is filed and never pushed.",
    "stream_too_slow": "A desk stream read too slowly and was closed; it resumes where it was.",
    OTHER: "A reason that the table lacks: a fault in tumen.",
}

POLL_OUTCOMES = (
    "changed",
    "unchanged",
    "not_modified",
    "http_error",
    "unreadable",
    "timeout",
    "dns",
    "connect",
    "tls",
    "too_large",
    "redirects",
    "refused_address",
    "protocol",
    OTHER,
)

_VOCABULARIES: dict[str, tuple[str, ...]] = {
    "outcome": POLL_OUTCOMES,
    "arrival": get_args(Arrival),
    "change": get_args(Change),
    "flagged": ("true", "false"),
    "kind": get_args(AlertKind),
    "severity": ("1", "2", "3", "4", "5"),
    "reason": tuple(SKIPS),
    "service": ("poller", "classifier", "correlator", "alerter", "desk"),
    "group": ("poller", "classifier", "correlator", "alerter"),
    "tumen_lane_rebuilds_total.reason": ("fenced", "expired", "unknown"),
    "tumen_deliveries_total.status": get_args(DeliveryStatus),
    "tumen_feeds.status": get_args(FeedStatus),
    "tumen_desk_responses_total.status": ("2xx", "3xx", "4xx", "5xx"),
}
_TOPIC = re.compile(r"[a-z-]{1,40}(\.dlq)?")
_PARTITION = re.compile(r"[0-9]{1,4}")


class UndeclaredMetric(LookupError):  # noqa: N818 - a bug at the call, named by what it is
    """A metric or its labels are not in the table of metrics."""


class Metrics:
    """Every metric of one process, on a registry of its own."""

    def __init__(self) -> None:
        """Register the whole table, and what the operating system knows of this process."""
        self._registry = CollectorRegistry()
        self._families = {metric.name: _family(metric, self._registry) for metric in METRICS.values()}
        ProcessCollector(namespace="tumen", registry=self._registry)
        self.set("tumen_build_info", 1, version=services.__version__, python=platform.python_version())

    def inc(self, name: str, by: float = 1, **labels: object) -> None:
        """Count."""
        self._child(name, "counter", labels).inc(by)

    def set(self, name: str, value: float, **labels: object) -> None:
        """Set a gauge."""
        self._child(name, "gauge", labels).set(value)

    def observe(self, name: str, value: float, **labels: object) -> None:
        """Take one measurement into a histogram."""
        self._child(name, "histogram", labels).observe(value)

    def drop(self, name: str, **labels: object) -> None:
        """Forget a gauge's series: what it measured is not this process's any more."""
        self._child(name, "gauge", labels)
        self._families[name].remove(*(bounded(name, label, labels[label]) for label in METRICS[name].labels))

    def skip(self, reason: str, by: int = 1) -> None:
        """Count something passed over; every reason has a line in ``SKIPS``."""
        self.inc("tumen_skips_total", by, reason=reason)

    def value(self, name: str, **labels: object) -> float:
        """Return a counter's or gauge's sum over the series that carry these labels: for summaries and tests."""
        wanted = {label: str(value).lower() for label, value in labels.items()}
        return sum(
            sample.value
            for family in self._registry.collect()
            for sample in family.samples
            if sample.name == name and wanted.items() <= sample.labels.items()
        )

    def render(self) -> tuple[bytes, str]:
        """Return the exposition and its content type."""
        return generate_latest(self._registry), CONTENT_TYPE_PLAIN_0_0_4

    def _child(self, name: str, kind: Kind, labels: dict[str, object]) -> Any:
        declared = METRICS.get(name)
        if declared is None or declared.kind != kind or set(labels) != set(declared.labels):
            message = f"no {kind} {name}{sorted(labels)} is declared in services/obs/metrics.py"
            raise UndeclaredMetric(message)
        family = self._families[name]
        values = {label: bounded(name, label, value) for label, value in labels.items()}
        return family.labels(**values) if values else family


def bounded(name: str, label: str, value: object) -> str:
    """Return a label's value if its vocabulary has it, else ``other``: a series must not be made of feed text."""
    text = str(value).lower()
    if label == "topic":
        short = text.removeprefix("tumen.").replace(".v1", "", 1)
        return short if _TOPIC.fullmatch(short) else OTHER
    if label == "partition":
        return text if _PARTITION.fullmatch(text) else OTHER
    if name == "tumen_build_info":
        return text
    words = _VOCABULARIES.get(f"{name}.{label}") or _VOCABULARIES[label]
    return text if text in words else OTHER


def _family(metric: Metric, registry: CollectorRegistry) -> Any:
    if metric.kind == "histogram":
        return Histogram(metric.name, metric.help, metric.labels, registry=registry, buckets=metric.buckets)
    made = Counter if metric.kind == "counter" else Gauge
    return made(metric.name, metric.help, metric.labels, registry=registry)
