"""Records that could not be used: counted and logged the same way by every service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from services.obs import log

if TYPE_CHECKING:
    from services.obs.metrics import Metrics


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
