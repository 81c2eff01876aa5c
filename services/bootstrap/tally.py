"""What the log's adapter tells, as metrics: the adapter knows of none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from services.bus.signals import Fate, Place
    from services.obs.metrics import Metrics

LAG = "tumen_lag_records"


class Tally:
    """Counts for ``/metrics``, and remembers what the watch over progress asks: commits, and what is owned."""

    def __init__(self, metrics: Metrics) -> None:
        """Take where to count."""
        self._metrics = metrics
        self.owned: dict[str, frozenset[Place]] = {}
        """By group: the partitions that are this process's."""
        self.commits: Counter[str] = Counter()
        """By group."""

    def committed(self, group: str, seconds: float, records: int, messages: int) -> None:  # noqa: ARG002 - a signal
        """Count a transaction."""
        self.commits[group] += 1
        self._metrics.observe("tumen_transaction_seconds", seconds, group=group)
        self._metrics.observe("tumen_transaction_records", records, group=group)

    def aborted(self, group: str) -> None:
        """Count a transaction that failed."""
        self._metrics.inc("tumen_transactions_aborted_total", group=group)

    def fenced(self, group: str) -> None:
        """Count a transaction that was refused."""
        self._metrics.inc("tumen_fences_total", group=group)

    def rebuilt(self, group: str, fate: Fate) -> None:
        """Count a lane that was taken anew."""
        self._metrics.inc("tumen_lane_rebuilds_total", group=group, reason=fate)

    def restored(self, group: str, seconds: float, records: int) -> None:
        """Count state that was read."""
        self.commits[group] += 1  # whoever reads a long state is not standing still
        self._metrics.observe("tumen_restore_seconds", seconds, group=group)
        self._metrics.inc("tumen_restored_records_total", records, group=group)

    def owns(self, group: str, places: Collection[Place]) -> None:
        """Forget the series of partitions that are another process's now."""
        now = frozenset(places)
        for topic, partition in self.owned.get(group, frozenset()) - now:
            self._metrics.drop(LAG, group=group, topic=topic, partition=partition)
        self.owned[group] = now

    def lags(self, group: str, topic: str, lag: dict[int, int]) -> int:
        """Show how far behind the group is on the partitions that are this process's; return the sum."""
        mine = {partition for owned, partition in self.owned.get(group, ()) if owned == topic}
        for partition in mine & lag.keys():
            self._metrics.set(LAG, lag[partition], group=group, topic=topic, partition=partition)
        return sum(lag[partition] for partition in mine & lag.keys())
