"""Topics on the cluster, from the one table: create what is missing, say what differs."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Self

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import TopicAlreadyExistsError, TopicAuthorizationFailedError, for_code

from services.bus.kafka.engine import ASK_S, REQUEST_BYTES_MAX, RETRY_S
from services.bus.kafka.faults import bounded, told, translated
from services.bus.ports import BusError, BusUnavailable
from services.bus.topics import DAY_MS, KAFKA_SHARDS, TOPICS

if TYPE_CHECKING:
    from services.bus.kafka.engine import Cluster
    from services.bus.topics import Topic

REPLICATION = 3
"""Copies of every partition, where the cluster has so many brokers; fewer brokers: one."""
IN_SYNC_MIN = 2
COMPACTION_LAG_MS = 600_000
"""How long a superseded record stays: readers that are minutes behind see every value."""
TOMBSTONE_KEPT_MS = DAY_MS
SEGMENT_MS = DAY_MS
"""Retention removes whole segments: text must not outlive its days by much."""
CREATE_S = 30.0


def replication(brokers: int) -> int:
    """Return how many copies a cluster of so many brokers can keep."""
    return REPLICATION if brokers >= REPLICATION else 1


def config_of(topic: Topic, copies: int) -> dict[str, str]:
    """Return the settings a topic must have."""
    config = {
        "cleanup.policy": "delete" if topic.cleanup == "keep" else topic.cleanup,
        "retention.ms": str(-1 if topic.retention_ms is None else topic.retention_ms),
        "min.insync.replicas": str(IN_SYNC_MIN if copies >= REPLICATION else 1),
        "max.message.bytes": str(REQUEST_BYTES_MAX),
        "segment.ms": str(SEGMENT_MS),
        "message.timestamp.type": "CreateTime",
    }
    if topic.compacted:
        config |= {
            "min.compaction.lag.ms": str(COMPACTION_LAG_MS),
            "delete.retention.ms": str(TOMBSTONE_KEPT_MS),
        }
    return config


def differences(name: str, wanted: Mapping[str, str], found: Mapping[str, str] | None) -> list[str]:
    """Return one line for each setting of a topic that is not what the table says."""
    if found is None:
        return [f"{name}: is not there"]
    return [
        f"{name}: {key} is {found.get(key, 'not set')}, should be {value}"
        for key, value in wanted.items()
        if _plain(found.get(key, "")) != _plain(value)
    ]


def _plain(value: str) -> frozenset[str]:
    """Return a setting as a set of words: the broker orders ``compact,delete`` as it likes."""
    return frozenset(value.split(","))


def shards_fault(have: Mapping[str, int], wanted: int) -> str | None:
    """Return why sharded topics cannot have so many partitions; None: those that are there do."""
    others = {name: count for name, count in sorted(have.items()) if count != wanted}
    if not others:
        return None
    counts = "/".join(map(str, sorted(set(others.values()))))
    return (
        f"nothing was changed: {', '.join(others)} have {counts} partitions, not {wanted} (kafka.partitions); "
        "the number stays, because a feed's partition follows from it"
    )


class TopicAdmin:
    """Creates and checks topics."""

    def __init__(self, cluster: Cluster, *, shards: int = KAFKA_SHARDS) -> None:
        """Take the cluster; ``async with`` connects."""
        self._names = cluster.names
        self._address = cluster.address
        self._shards = shards
        self._client = AIOKafkaAdminClient(**cluster.client)

    async def __aenter__(self) -> Self:
        """Connect."""
        try:
            async with bounded(ASK_S, f"kafka://{self._address}"):
                await self._client.start()
        except BusUnavailable as error:
            await self._client.close()
            raise told(error) from error.__cause__
        except BaseException:
            await self._client.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """Disconnect."""
        await self._client.close()

    async def create(self, names: Iterable[str] = tuple(TOPICS)) -> list[str]:
        """Create the topics that are not there; return their names on the cluster.

        BusError where there are sharded topics with another number of partitions: a feed is on one partition of each.
        """
        async with bounded(CREATE_S, "topics"):
            there = set(await self._client.list_topics())
            await self._demand_shards(there)
            copies = await self._copies()
            missing = [TOPICS[name] for name in names if self._names.topic(name) not in there]
            if not missing:
                return []
            answer = await self._client.create_topics([self._new(topic, copies) for topic in missing])
        for name, code, *said in answer.topic_errors:
            error = for_code(code)
            if code and error is not TopicAlreadyExistsError:
                about = [name] if error is TopicAuthorizationFailedError else said
                raise translated(error(*about), f"topic {name}", "Create")
        made = [self._names.topic(topic.name) for topic in missing]
        await self._known(made)
        return made

    async def _demand_shards(self, there: Collection[str]) -> None:
        """Refuse to make topics beside sharded ones that were made with another number of partitions."""
        sharded = [self._names.topic(topic.name) for topic in TOPICS.values() if not topic.partitions]
        described = await self._client.describe_topics([name for name in sharded if name in there])
        have = {topic["topic"]: len(topic["partitions"]) for topic in described if not topic["error_code"]}
        if fault := shards_fault(have, self._shards):
            raise BusError(fault)

    async def _known(self, made: list[str]) -> None:
        """Wait until the cluster says of each topic who leads it: it answers before it knows."""
        async with bounded(CREATE_S, "topics"):
            while not all(map(_led, await self._client.describe_topics(made))):
                await asyncio.wait({asyncio.get_running_loop().create_future()}, timeout=RETRY_S)

    async def _copies(self) -> int:
        described = await self._client.describe_cluster()
        return replication(len(described["brokers"]))

    def _new(self, topic: Topic, copies: int) -> NewTopic:
        return NewTopic(
            self._names.topic(topic.name),
            topic.partitions or self._shards,
            copies,
            topic_configs=config_of(topic, copies),
        )

    async def check(self) -> list[str]:
        """Return what differs from the table, one line each."""
        async with bounded(CREATE_S, "topics"):
            copies = await self._copies()
            found = await self._found()
        lines: list[str] = []
        for topic in TOPICS.values():
            shape = {"partitions": str(topic.partitions or self._shards), "replication": str(copies)}
            name = self._names.topic(topic.name)
            lines += differences(name, shape | config_of(topic, copies), found.get(name))
        return lines

    async def _found(self) -> dict[str, dict[str, str]]:
        """Return the shape and settings of the topics that are there."""
        names = [self._names.topic(name) for name in TOPICS]
        described = [topic for topic in await self._client.describe_topics(names) if not topic["error_code"]]
        found = {topic["topic"]: _shape(topic) for topic in described}
        if found:
            asked = [ConfigResource(ConfigResourceType.TOPIC, name) for name in found]
            for response in await self._client.describe_configs(asked):
                for _, _, _, name, entries in response.resources:
                    found[name] |= {key: value for key, value, *_ in entries if value is not None}
        return found


def _led(topic: Mapping[str, Any]) -> bool:
    return not topic["error_code"] and all(partition["leader"] >= 0 for partition in topic["partitions"])


def _shape(topic: Mapping[str, Any]) -> dict[str, str]:
    copies = {len(partition["replicas"]) for partition in topic["partitions"]}
    return {"partitions": str(len(topic["partitions"])), "replication": "/".join(map(str, sorted(copies)))}
