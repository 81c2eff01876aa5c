"""What an adapter tells of its work while it works, for whoever counts: transactions, fences, restores, ownership.

Calls are made in the process's event loop and must be quick. Groups and topics are named as in the table of topics.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal, Protocol, TypeAlias

Place: TypeAlias = tuple[str, int]
"""A topic of the table and a partition."""
Fate: TypeAlias = Literal["fenced", "expired", "unknown"]
"""How a lane was lost while its partition stayed: another owner, idle for too long, an outcome nobody knows."""


class Signals(Protocol):
    """Hears what happens."""

    def committed(self, group: str, seconds: float, records: int, messages: int) -> None:
        """Hear of a transaction: how long it took, its input records, its messages."""

    def aborted(self, group: str) -> None:
        """Hear of a transaction that failed, or whose outcome is not known."""

    def fenced(self, group: str) -> None:
        """Hear of a transaction that was refused: another member has the partition now."""

    def rebuilt(self, group: str, fate: Fate) -> None:
        """Hear of a partition that stayed with its member and was taken anew."""

    def restored(self, group: str, seconds: float, records: int) -> None:
        """Hear of a state topic's partition that was read whole."""

    def owns(self, group: str, places: Collection[Place]) -> None:
        """Hear which partitions of a group this process has now; those it does not name are another's."""


class NoSignals:
    """Tells nobody."""

    def committed(self, group: str, seconds: float, records: int, messages: int) -> None:
        """Say nothing."""

    def aborted(self, group: str) -> None:
        """Say nothing."""

    def fenced(self, group: str) -> None:
        """Say nothing."""

    def rebuilt(self, group: str, fate: Fate) -> None:
        """Say nothing."""

    def restored(self, group: str, seconds: float, records: int) -> None:
        """Say nothing."""

    def owns(self, group: str, places: Collection[Place]) -> None:
        """Say nothing."""


SILENT = NoSignals()
