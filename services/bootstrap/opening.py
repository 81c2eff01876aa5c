"""Opening the log that a URL names."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from services.bus.ports import BusDamaged
from services.bus.signals import SILENT, Signals
from services.bus.topics import TOPICS
from services.obs import log
from services.settings import KAFKA, SQLITE, KafkaSection, SettingsError, bus_fault

if TYPE_CHECKING:
    from services.bus.kafka import KafkaBus
    from services.bus.kafka.admin import TopicAdmin
    from services.bus.kafka.engine import Cluster
    from services.bus.ports import Bus
    from services.bus.sqlite import SqliteBus
    from services.settings import Settings

    Log: TypeAlias = SqliteBus | KafkaBus

MEMORY = ":memory:"
PLAIN = KafkaSection()


@asynccontextmanager
async def open_bus(
    url: str,
    kafka: KafkaSection = PLAIN,
    *,
    must_exist: bool = False,
    durable: bool = True,
    signals: Signals = SILENT,
) -> AsyncIterator[Log]:
    """Open the log of ``sqlite:PATH``, ``sqlite::memory:`` or ``kafka://HOST:PORT``; BusDamaged says what is wrong.

    A URL that names no log is a SettingsError. ``must_exist`` is for readers: a mistyped path must not make an empty log. Kafka's topics must always be there.
    """
    if url.startswith(KAFKA):
        bus: Log = await _kafka(url, kafka, signals)
    else:
        bus = await _sqlite(url, must_exist, durable, signals)
    try:
        yield bus
    finally:
        await bus.close()


async def _sqlite(url: str, must_exist: bool, durable: bool, signals: Signals) -> SqliteBus:
    path = sqlite_path(url)
    if must_exist and path != MEMORY and not _exists(path):
        message = f"{path}: there is no such log; name it with --bus or TUMEN_BUS"
        raise BusDamaged(message)
    from services.bus.sqlite import SqliteBus  # noqa: PLC0415 - as below

    return await SqliteBus.open(path, signals, durable=durable)


async def _kafka(url: str, kafka: KafkaSection, signals: Signals) -> KafkaBus:
    cluster = cluster_of(url, kafka)
    from services.bus.kafka import KafkaBus  # noqa: PLC0415 - nobody else pays for its import

    bus = await KafkaBus.open(cluster, signals)
    try:
        await bus.demand(tuple(TOPICS))
    except BaseException:
        await bus.close()
        raise
    return bus


def _exists(path: str) -> bool:
    return Path(path).exists()


def sqlite_path(url: str) -> str:
    """Return the path in a bus URL."""
    if fault := bus_fault(url):
        message = f"bus: {fault}"
        raise SettingsError(message)
    return url.removeprefix(SQLITE)


def cluster_of(url: str, kafka: KafkaSection) -> Cluster:
    """Return the cluster of a bus URL (one or more HOST:PORT, separated by commas) and its settings."""
    address = url.removeprefix(KAFKA)
    if fault := bus_fault(url) or not_kafka(url):
        message = f"bus: {fault}"
        raise SettingsError(message)
    from services.bootstrap.securing import security_of  # noqa: PLC0415
    from services.bus.kafka.engine import Cluster  # noqa: PLC0415
    from services.bus.kafka.names import Names  # noqa: PLC0415

    names = Names(kafka.topic_prefix, kafka.environment)
    return Cluster(
        address,
        names,
        session_s=kafka.session_timeout.total_seconds(),
        security=security_of(kafka, [host_of(one) for one in address.split(",")]),
    )


def not_kafka(url: str) -> str | None:
    """Return why topics of a log cannot be administered; None where it is on Kafka."""
    return (
        None
        if url.startswith(KAFKA)
        else f"not a Kafka cluster: {url!r}; write kafka://HOST:PORT[,HOST:PORT]"
    )


def host_of(text: str) -> str:
    """Return the host of HOST:PORT, without the brackets of an IPv6 address."""
    return text.rpartition(":")[0].strip("[]")


def topic_namer(settings: Settings) -> Callable[[str], str]:
    """Return what gives a topic of the table the name that it has on the log."""
    if not settings.bus.startswith(KAFKA):
        return str
    from services.bus.kafka.names import Names  # noqa: PLC0415

    return Names(settings.kafka.topic_prefix).topic


async def warn_of_partitions(bus: Bus, settings: Settings) -> None:
    """Log which topics on Kafka have another number of partitions than they should: it decides who can share the work."""
    if not settings.bus.startswith(KAFKA):
        return
    called = topic_namer(settings)
    others: dict[tuple[int, int], list[str]] = {}
    for topic in TOPICS.values():
        have, want = await bus.partitions(topic.name), topic.partitions or settings.kafka.partitions
        if have != want:
            others.setdefault((have, want), []).append(called(topic.name))
    for (have, want), found in others.items():
        log.emit("topic.partitions_differ", topic=", ".join(found), have=have, want=want)


def topic_admin(url: str, kafka: KafkaSection = PLAIN, partitions: int | None = None) -> TopicAdmin:
    """Return who creates and checks the topics of a Kafka cluster; ``partitions`` of those that are sharded."""
    cluster = cluster_of(url, kafka)
    from services.bus.kafka.admin import TopicAdmin  # noqa: PLC0415

    return TopicAdmin(cluster, shards=partitions or kafka.partitions)
