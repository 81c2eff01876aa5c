"""Brokers that several files share: one that soon forgets who is idle, and one that knows its users."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kafka_broker import Broker, running
from tests.kafka_secure import Secured
from tests.kafka_users import furnished

QUICK = """\
group.min.session.timeout.ms=1000
transactional.id.expiration.ms=8000
transaction.remove.expired.transaction.cleanup.interval.ms=500
"""


@pytest.fixture(scope="session")
def quick_broker(broker: Broker) -> Iterator[Broker]:
    """Boot an Apache Kafka that notices soon that a process died, and forgets producers that are idle."""
    with running(QUICK) as started:
        yield started


@pytest.fixture(scope="session")
def secured_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """Boot an Apache Kafka with TLS, users and permissions."""
    with furnished(tmp_path_factory.mktemp("secured")) as started:
        yield started
