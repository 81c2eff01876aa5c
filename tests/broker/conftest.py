"""A broker for tests of processes that die: it notices soon, and forgets producers that are idle."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kafka_broker import Broker, running

QUICK = """\
group.min.session.timeout.ms=1000
transactional.id.expiration.ms=8000
transaction.remove.expired.transaction.cleanup.interval.ms=500
"""


@pytest.fixture(scope="session")
def quick_broker(broker: Broker) -> Iterator[Broker]:
    """Boot a second Apache Kafka with bounds of its own."""
    with running(QUICK) as started:
        yield started
