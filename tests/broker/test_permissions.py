"""Permissions on a real broker: every service works with no more than is printed for it, and what it lacks is named."""

from __future__ import annotations

import asyncio
import shlex
import subprocess
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from schemas import Alert, Story, Verdict
from services.bootstrap import open_bus
from services.bootstrap.access import acls, programs
from services.bootstrap.parts import SERVICES, Outside, Parts
from services.bootstrap.reading import latest
from services.bus.codec import encode
from services.bus.flows import FLOWS
from services.bus.kafka.acls import Acl
from services.bus.ports import BusDamaged, Message
from services.bus.topics import ALERTS, FEEDS, STORIES, SUBSCRIBERS, VERDICTS, Topic
from services.cli.main import main
from services.clock import SystemClock
from services.obs.metrics import Metrics
from services.poller.model import PollerSettings
from tests.builders import a_feed, a_story, a_subscriber, an_alert
from tests.fakes import InlineParser, ScriptedFetcher, an_item, an_rss, ok
from tests.kafka_jars import cache
from tests.kafka_secure import Secured
from tests.kafka_users import run, settings_of, soon, variables
from tests.live import ARMS_TITLE

if TYPE_CHECKING:
    from services.bus.loop import Service
    from services.bus.ports import Bus

pytestmark = [pytest.mark.broker, pytest.mark.timeout(180)]

NOW = datetime(2026, 5, 12, 6, tzinfo=UTC)


class NoPoster:
    """Nobody is posted to: the one subscriber has a console."""

    async def post(self, url: str, headers: Any, body: bytes) -> Any:
        """Refuse: no subscriber of this test has a webhook."""
        raise AssertionError(url)

    async def close(self) -> None:
        """Hold nothing."""


FEED = a_feed()


def outside(told: list[Alert]) -> Outside:
    """Return a world of one feed and a console."""
    fetcher = ScriptedFetcher(lambda _: ok(an_rss(an_item("one", title=ARMS_TITLE)), FEED.url))
    return Outside(fetcher, InlineParser(), NoPoster(), told.append, lambda reference: reference)


async def a_service(stack: AsyncExitStack, broker: Secured, name: str, world: Outside) -> Service:
    """Open the log as the service's own user and make the service."""
    settings = settings_of(broker, name)
    bus = await stack.enter_async_context(open_bus(settings.bus, settings.kafka))
    service = await Parts(bus, SystemClock(), Metrics(), PollerSettings()).make(name, world)
    stack.push_async_callback(service.close)
    return service


async def test_every_service_works_with_what_is_printed_for_it_and_no_more(secured_broker: Secured) -> None:
    """From a feed to a delivery, with something unreadable for each: reading, state, transactions, dead letters."""

    def one(topic: Topic, model: Any) -> Message:
        return encode(topic, model, partition=0, key=model.id, source="test", at="2026-05-12T05:00:00.000Z")

    cli, told = settings_of(secured_broker, "cli"), list[Alert]()
    subscriber = a_subscriber(match={"severity_min": 1})
    live = a_story(title=ARMS_TITLE)  # what a new feed holds is filed and not told
    given = [one(FEEDS, FEED), one(SUBSCRIBERS, subscriber), one(STORIES, live), one(ALERTS, an_alert())]
    junk = [Message(topic.name, 0, "junk", b"{", ()) for topic in (FEEDS, STORIES, VERDICTS, ALERTS)]
    async with AsyncExitStack() as stack:
        people = await stack.enter_async_context(open_bus(cli.bus, cli.kafka))
        await people.append([*given, *junk])
        world = outside(told)
        services = [await a_service(stack, secured_broker, name, world) for name in SERVICES]

        async def everything_is_written() -> None:
            for service in services:
                await service.drain(NOW)
            assert await unwritten(people) <= {"feed-events"}, "nothing happens to the feed"
            assert {one.flagged async for one in latest(people, VERDICTS, Verdict)} == {True}

            assert len([one async for one in latest(people, ALERTS, Alert)]) >= 2

        await soon(everything_is_written)
        assert {one.title async for one in latest(people, STORIES, Story)} == {ARMS_TITLE}
    assert an_alert().id in {alert.id for alert in told}
    people_may = variables(secured_broker)
    for command in (("replay", "stories", "--all"), ("drop", "verdicts", "--all")):
        done = await asyncio.to_thread(CliRunner().invoke, main, ["dlq", *command], env=people_may)
        assert "does not allow" not in done.output
        assert done.exit_code == 0, done.output


async def unwritten(bus: Bus) -> set[str]:
    """Return the topics that services should write and that are empty."""
    written = [topic for name in SERVICES for topic in FLOWS[name].writes]
    dead = [given.dlq for name in SERVICES if (given := FLOWS[name].consumes)]
    return {topic.short for topic in (*written, *dead) if not sum((await bus.ends(topic.name)).values())}


MISSING = (
    ("Read", "topic", STORIES),
    ("Write", "topic", VERDICTS),
    ("Read", "group", None),
    ("Write", "transactional-id", None),
)


@pytest.mark.parametrize(("operation", "resource", "topic"), MISSING, ids=["input", "output", "group", "id"])
async def test_a_permission_that_is_missing_is_named(
    secured_broker: Secured, operation: str, resource: str, topic: Topic | None
) -> None:
    """Which operation on which topic, group or transactional id; the service ends with that line."""
    kafka = settings_of(secured_broker, "classifier").kafka
    name = "" if topic is None else kafka.topic_prefix + topic.name.removeprefix("tumen")
    (missing,) = (
        acl
        for acl in acls(programs(["classifier"]), kafka, "User:tumen-{service}")["classifier"]
        if (acl.operation, acl.resource) == (operation, resource) and name in {"", acl.name}
    )
    cli = settings_of(secured_broker, "cli")
    async with open_bus(cli.bus, cli.kafka) as people:
        await people.append([Message(STORIES.name, 0, a_story().id, a_story(title=ARMS_TITLE).to_json(), ())])
    await secured_broker.forbid([missing])
    try:
        await soon(lambda: refused(secured_broker, missing))
    finally:
        await secured_broker.allow([missing])


async def classify_once(broker: Secured) -> None:
    """Let the classifier work once."""
    async with AsyncExitStack() as stack:
        service = await a_service(stack, broker, "classifier", outside([]))
        await service.drain(NOW)


async def refused(broker: Secured, missing: Acl) -> None:
    """Demand that the classifier ends with a line that names what it lacks."""
    with pytest.raises(BusDamaged) as caught:
        await classify_once(broker)
    kind = missing.resource.replace("-", " ")
    assert f"Kafka does not allow {missing.operation} on {kind} {missing.name}" in str(caught.value)
    assert "`tumen topics acls`" in str(caught.value)


def test_the_printed_command_lines_are_those_of_kafkas_own_tool(secured_broker: Secured) -> None:
    """Lines of each form are run by the tool, and it lists what they ask for."""
    config = secured_broker.folder / "admin.properties"
    config.write_text("security.protocol=PLAINTEXT\n", encoding="utf-8")
    options = ["--service", "alerter", "--principal", "User:pasted", "--command-config", str(config)]
    printed = run("topics", "acls", *options, environment={"TUMEN_BUS": secured_broker.open_url})
    first, *_, group, ids = printed.splitlines()
    for line in (first, group, ids):
        assert kafka_acls(shlex.split(line)[1:])
    listed = kafka_acls(
        ["--bootstrap-server", secured_broker.broker.address, "--list", "--principal", "User:pasted"]
    )
    assert "patternType=PREFIXED" in listed
    for name in ("tumen.", "tumen.alerter", "prod.tumen.alerter.tumen.alerts.v1."):
        assert f"name={name}," in listed


def kafka_acls(arguments: list[str]) -> str:
    """Run what `kafka-acls.sh` runs."""
    tool = ["java", "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", f"{cache()}/*"]
    done = subprocess.run(
        [*tool, "org.apache.kafka.tools.AclCommand", *arguments],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
