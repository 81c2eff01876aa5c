"""What the log's adapter tells becomes metrics, and series of partitions that went elsewhere vanish."""

from __future__ import annotations

import pytest

from services.bootstrap.observed import measure_lag
from services.bootstrap.opening import open_bus
from services.bootstrap.tally import Tally
from services.bus.ports import Message
from services.bus.topics import STORIES, VERDICTS
from services.obs.metrics import Metrics, UndeclaredMetric

LAG = "tumen_lag_records"


def lags(metrics: Metrics) -> list[str]:
    """Return the series of lag as they are shown."""
    return [line for line in metrics.render()[0].decode().splitlines() if line.startswith(LAG)]


def test_each_signal_has_its_metric() -> None:
    """Transactions, aborts, fences, rebuilds and restores are counted under their group."""
    metrics = Metrics()
    tally = Tally(metrics)
    tally.committed("classifier", 0.02, 250, 3)
    tally.aborted("classifier")
    tally.fenced("poller")
    tally.rebuilt("poller", "expired")
    tally.restored("correlator", 0.5, 1_200)
    assert metrics.value("tumen_transaction_seconds_sum", group="classifier") == pytest.approx(0.02)
    assert metrics.value("tumen_transaction_records_bucket", group="classifier", le="300.0") == 1
    assert metrics.value("tumen_transaction_records_bucket", group="classifier", le="100.0") == 0
    assert metrics.value("tumen_transactions_aborted_total", group="classifier") == 1
    assert metrics.value("tumen_fences_total", group="poller") == 1
    assert metrics.value("tumen_lane_rebuilds_total", group="poller", reason="expired") == 1
    assert metrics.value("tumen_restore_seconds_count", group="correlator") == 1
    assert metrics.value("tumen_restored_records_total", group="correlator") == 1_200
    assert dict(tally.commits) == {"classifier": 1, "correlator": 1}


def test_series_of_partitions_that_went_elsewhere_vanish() -> None:
    """Only what this process owns is shown, whatever the log says of the others."""
    metrics = Metrics()
    tally = Tally(metrics)
    tally.owns("classifier", [(STORIES.name, 0), (STORIES.name, 1)])
    tally.owns("correlator", [(VERDICTS.name, 0)])
    assert tally.lags("classifier", STORIES.name, {0: 4, 1: 5, 2: 6}) == 9
    assert tally.lags("correlator", VERDICTS.name, {0: 7}) == 7
    tally.owns("classifier", [(STORIES.name, 1), (STORIES.name, 2)])
    assert lags(metrics) == [
        'tumen_lag_records{group="classifier",partition="1",topic="stories"} 5.0',
        'tumen_lag_records{group="correlator",partition="0",topic="verdicts"} 7.0',
    ]
    tally.owns("classifier", ())
    assert tally.lags("classifier", STORIES.name, {0: 4}) == 0
    assert len(lags(metrics)) == 1


def test_only_gauges_can_be_dropped() -> None:
    """A counter that vanished and came back would have run backwards."""
    with pytest.raises(UndeclaredMetric):
        Metrics().drop("tumen_fences_total", group="poller")


async def test_lag_is_measured_where_there_is_something_to_own() -> None:
    """Each group's input is asked for; a desk has none."""
    metrics = Metrics()
    tally = Tally(metrics)
    async with open_bus("sqlite::memory:", signals=tally) as bus:
        await bus.append([Message(STORIES.name, 3, "k", b"x")])
        assert await measure_lag(bus, ("classifier", "desk"), tally) == {}
        membership = await bus.join("classifier", [STORIES.name])
        assert await measure_lag(bus, ("classifier", "desk"), tally) == {"classifier": 1}
        assert metrics.value(LAG, group="classifier", topic="stories", partition=3) == 1
        await membership.close()
        assert lags(metrics) == []
