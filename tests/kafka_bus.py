"""KafkaBus on a test's broker: quick sessions, and a prefix that no other test has."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING
from uuid import uuid4

from services.bus.kafka import KafkaBus
from services.bus.kafka.admin import TopicAdmin
from services.bus.kafka.engine import Cluster
from services.bus.kafka.names import Names
from services.bus.topics import SQLITE_SHARDS, STORIES, STORYLINES, VERDICTS

if TYPE_CHECKING:
    from tests.kafka_broker import Broker

SESSION_S = 6.0
"""The least that a broker allows by default."""
HEARTBEAT_S = 0.2
CONTRACT_TOPICS = (STORIES.name, VERDICTS.name, STORYLINES.name)


def a_cluster(broker: Broker, prefix: str | None = None) -> Cluster:
    """Return how to reach a test's broker, under names of its own."""
    names = Names(prefix=prefix or f"t{uuid4().hex[:10]}", environment="test")
    return Cluster(broker.address, names, session_s=SESSION_S, heartbeat_s=HEARTBEAT_S)


async def make_topics(
    cluster: Cluster, topics: Sequence[str] = CONTRACT_TOPICS, *, shards: int = SQLITE_SHARDS
) -> None:
    """Create topics, as an operator does."""
    async with TopicAdmin(cluster, shards=shards) as admin:
        await admin.create(topics)


def kafka_opener(broker: Broker) -> Callable[[], Awaitable[KafkaBus]]:
    """Return an opener whose buses share one set of topics."""
    cluster = a_cluster(broker)

    async def opener() -> KafkaBus:
        await make_topics(cluster)
        return await KafkaBus.open(cluster)

    return opener
