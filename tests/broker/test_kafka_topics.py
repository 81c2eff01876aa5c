"""Topics on a real broker are what the table says: none is made by using it, and each difference is one line."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from aiokafka.admin import NewPartitions
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from click.testing import CliRunner

from services.bootstrap import open_bus
from services.bootstrap.opening import topic_admin
from services.bus.kafka.admin import config_of
from services.bus.ports import BusDamaged, BusUnavailable, Message
from services.bus.topics import ALERTS, DELIVERIES, FEEDS, STORIES, VERDICTS
from services.cli.main import main
from services.settings import load
from tests.kafka_secure import Secured
from tests.kafka_users import soon

if TYPE_CHECKING:
    from services.bus.ports import Bus, Tail

pytestmark = [pytest.mark.broker, pytest.mark.timeout(180)]


async def test_no_topic_is_made_by_using_it(secured_broker: Secured) -> None:
    """On a broker that would make topics: opening says what is missing; what was removed stays removed."""
    kafka = load(None, {"TUMEN_KAFKA__TOPIC_PREFIX": "unmade", "TUMEN_KAFKA__PARTITIONS": "1"}).kafka
    with pytest.raises(BusDamaged, match=r"run `tumen topics create`, or set the kafka\.topic_prefix"):
        async with open_bus(secured_broker.open_url, kafka):
            pass
    assert await beginning(secured_broker, "unmade") == set()

    async with topic_admin(secured_broker.open_url, kafka) as admin:
        made = await admin.create()
    async with open_bus(secured_broker.open_url, kafka) as bus, secured_broker.operator() as operator:
        tail = await bus.tail([ALERTS.name])
        membership = await bus.join("classifier", [STORIES.name])
        await membership.lanes()
        await operator.delete_topics(made)
        await soon(lambda: gone(secured_broker, "unmade"))
        with pytest.raises((BusUnavailable, BusDamaged)):
            await use(bus, tail)
        assert await beginning(secured_broker, "unmade") == set()


async def use(bus: Bus, tail: Tail) -> None:
    """Read and write."""
    await tail.poll()
    await tail.wait(1.0)
    await bus.append([Message(VERDICTS.name, 0, "key", b"{}", ())])


async def beginning(broker: Secured, prefix: str) -> set[str]:
    """Return the topics whose names begin so."""
    async with broker.operator() as operator:
        return {name for name in await operator.list_topics() if name.startswith(f"{prefix}.")}


async def gone(broker: Secured, prefix: str) -> None:
    """Demand that there are none."""
    assert await beginning(broker, prefix) == set()


async def test_check_finds_each_setting_that_was_changed(secured_broker: Secured) -> None:
    """One changed setting is one line; so is a partition too many."""
    kafka = load(None, {"TUMEN_KAFKA__TOPIC_PREFIX": "changed", "TUMEN_KAFKA__PARTITIONS": "1"}).kafka

    async def lines() -> list[str]:
        async with topic_admin(secured_broker.open_url, kafka) as admin:
            return await admin.check()

    async def shows(wanted: list[str]) -> None:
        assert await lines() == wanted

    async with topic_admin(secured_broker.open_url, kafka) as admin, secured_broker.operator() as operator:
        await admin.create()
        for topic in (FEEDS, STORIES, DELIVERIES, STORIES.dlq):
            config = config_of(topic, copies=1)
            name = "changed" + topic.name.removeprefix("tumen")
            for key, value in config.items():
                other = altered(key, value)
                resource = ConfigResource(ConfigResourceType.TOPIC, name, config | {key: other})
                await operator.alter_configs([resource])
                await soon(lambda: shows([f"{name}: {key} is {other}, should be {value}"]))  # noqa: B023 - awaited here
            await operator.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, config)])
        await soon(lambda: shows([]))
        await operator.create_partitions({"changed.alerts.v1": NewPartitions(2)})
        await soon(lambda: shows(["changed.alerts.v1: partitions is 2, should be 1"]))
        await operator.delete_topics(["changed.feedback.v1"])
        gone = "changed.feedback.v1: is not there"
        await soon(lambda: shows(["changed.alerts.v1: partitions is 2, should be 1", gone]))


def altered(key: str, value: str) -> str:
    """Return another value that the broker takes."""
    if key == "cleanup.policy":
        return "compact" if value == "delete" else "delete"
    if key == "message.timestamp.type":
        return "LogAppendTime"
    return str(int(value) + 1) if int(value) >= 0 else "86400000"


async def test_topics_say_what_they_did_and_never_change_their_number(secured_broker: Secured) -> None:
    """Made once, then told to be there; another number of partitions is refused, and nothing is made beside it."""

    def topics(*arguments: str, partitions: str = "2") -> tuple[int, str, str]:
        environment = {"TUMEN_KAFKA__TOPIC_PREFIX": "counted", "TUMEN_KAFKA__PARTITIONS": partitions}
        done = CliRunner(env=environment).invoke(
            main, ["topics", *arguments, "--bus", secured_broker.open_url]
        )
        return done.exit_code, done.stdout, done.stderr

    code, names, said = await asyncio.to_thread(topics, "create")
    assert (code, len(names.splitlines()), said) == (0, 26, "26 topics created\n")
    code, names, said = await asyncio.to_thread(topics, "create")
    assert (code, names, said) == (0, "", "nothing to create: all 26 topics are there\n")
    assert await asyncio.to_thread(topics, "check") == (0, "", "26 topics: all are as they must be\n")
    async with secured_broker.operator() as operator:
        await operator.delete_topics(["counted.stories.v1"])

    async def shrunk() -> None:
        assert "counted.stories.v1" not in await beginning(secured_broker, "counted")

    await soon(shrunk)
    for more in (("--partitions", "3"), ()):
        code, names, said = await asyncio.to_thread(topics, "create", *more, partitions="3")
        assert (code, names) == (1, "")
        assert said.startswith("Error: nothing was changed: counted.feed-events.v1, ")
        assert "counted.feeds.v1 have 2 partitions, not 3 (kafka.partitions); the number stays" in said, said
        assert len(said.splitlines()) == 1
    await shrunk()
