"""Records that could not be used: counted and logged the same way by every service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from services.obs import log

if TYPE_CHECKING:
    from services.obs.metrics import Metrics


REASONS = {"ProcessDied": "record_deadly", "MessageTooLarge": "message_too_large"}
"""The names under which dead letters of these classes are counted; any other exception is ``record_failing``."""


class Spot(Protocol):
    """A place in the log."""

    @property
    def topic(self) -> str:
        """The topic."""

    @property
    def partition(self) -> int:
        """The partition."""

    @property
    def offset(self) -> int:
        """The offset."""


def skipped(record: Spot, reason: str, detail: str, metrics: Metrics) -> None:
    """Say that a record was passed over and left where it is."""
    metrics.skip(reason)
    log.emit(
        "record.skipped",
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        reason=reason,
        detail=detail,
    )


def dead_lettered(record: Spot, reason: str, stage: str, error: str, metrics: Metrics) -> None:
    """Say that a record went to its topic's dead letters."""
    metrics.skip(reason)
    metrics.inc("tumen_dead_letters_total", topic=record.topic)
    log.emit(
        "record.dead_lettered",
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        stage=stage,
        error=error,
    )


class RecordReports:
    """Counts and logs what a service that works lanes does with records that fail it."""

    def __init__(self, stage: str, metrics: Metrics) -> None:
        """Take the service's name and the metrics."""
        self._stage = stage
        self._metrics = metrics

    def dead_lettered(self, record: Spot, error_class: str, error: str, attempts: int) -> None:
        """Say that a record went to the dead letters because it could not be run."""
        reason = REASONS.get(error_class, "record_failing")
        said = f"{error} ({counted(attempts)})"
        dead_lettered(record, reason, self._stage, said, self._metrics)

    def suspected(self, topic: str, partition: int, offset: int, deaths: int, error: str) -> None:
        """Say that the records from an offset on are run one by one, and why."""
        log.emit(
            "record.suspected",
            topic=topic,
            partition=partition,
            offset=offset,
            stage=self._stage,
            deaths=deaths,
            error=error,
        )


def counted(attempts: int) -> str:
    """Return how often it was tried, in words."""
    return "1 attempt" if attempts == 1 else f"{attempts} attempts"
