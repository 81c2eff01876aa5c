"""Processes that share the tests disturb each other little, and end at about the same time."""

from __future__ import annotations

from tests.side_by_side import rank, share


def test_a_file_stays_together_and_so_does_all_chaos() -> None:
    """A broker that a test hurts is no other process's; chaos never runs beside chaos."""
    outages, storm, alive, url = (
        "tests/broker/test_chaos_outages.py::test_a_frozen_network_is_waited_for",
        "tests/broker/test_rebalance_storm.py::test_a_storm_of_rebalances_stops_nothing[1]",
        "tests/broker/test_alive.py::test_a_large_backlog_is_not_taken_into_memory",
        "tests/unit/text/test_urls.py::test_an_address[http://chaos.example::1/storm]",
    )
    assert share(outages) == share(storm) != share(alive)
    assert share(alive) == share("tests/broker/test_alive.py::test_a_start_without_kafka_is_one_line")
    assert share(url) == "tests/unit/text/test_urls.py"


def test_what_takes_longest_begins_first() -> None:
    """Chaos, then what may take longer than others, then brokers, browsers, and all that is over in a moment."""
    markers = ("broker chaos", "broker timeout", "broker", "asyncio browser", "")
    assert [rank(one.split()) for one in markers] == [0, 1, 2, 3, 4]
