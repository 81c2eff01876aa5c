"""TLS, users and permissions on a real broker: what is right works with no more than is printed, what is wrong is one line."""

from __future__ import annotations

import asyncio
import base64
import json
import shlex
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiokafka.admin import NewPartitions
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from click.testing import CliRunner

from schemas import Alert, Story, Verdict
from services.bootstrap import open_bus
from services.bootstrap.access import acls, programs
from services.bootstrap.opening import topic_admin
from services.bootstrap.parts import SERVICES, Outside, Parts
from services.bootstrap.reading import latest
from services.bus.codec import encode
from services.bus.flows import FLOWS
from services.bus.kafka.acls import Acl
from services.bus.kafka.admin import config_of
from services.bus.ports import BusDamaged, BusUnavailable, Message
from services.bus.topics import ALERTS, DELIVERIES, FEEDS, STORIES, SUBSCRIBERS, VERDICTS, Topic
from services.cli.main import main
from services.clock import SystemClock
from services.obs.metrics import Metrics
from services.poller.model import PollerSettings
from services.settings import Settings, load
from tests.builders import a_feed, a_story, a_subscriber, an_alert
from tests.fakes import InlineParser, ScriptedFetcher, an_item, an_rss, ok
from tests.kafka_jars import cache
from tests.kafka_node import free_ports
from tests.kafka_secure import MUTUAL, OPEN_SASL, PLAIN_PASSWORD, PLAIN_USER, TRUSTED, Secured, secured
from tests.live import ARMS_TITLE, tumen

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from services.bus.loop import Service
    from services.bus.ports import Bus, Tail

pytestmark = [pytest.mark.broker, pytest.mark.timeout(180)]

NOW = datetime(2026, 5, 12, 6, tzinfo=UTC)
PASSWORD = "a password of SCRAM"
LINE_S_MAX = 15.0
"""Far above what a line takes (under a second on an idle machine), far below the client's own patience."""
SOON_S = 60.0
"""An idle service asks the log every five seconds and waits eight for an answer; the rest is for a busy machine."""
USER = "tumen-cli"
PREFIX = "secure"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """Boot a broker with users, make the topics, and let one user do what people at a command line do."""
    folder = tmp_path_factory.mktemp("secured")
    with secured(folder) as running:
        for name, text in {
            "password": PASSWORD,
            "wrong": "another password",
            "plain": PLAIN_PASSWORD,
            "lock": "lock",
            "token": a_token(600),
            "old-token": a_token(-600),
        }.items():
            (folder / name).write_text(f"{text}\n", encoding="utf-8")
        asyncio.run(furnish(running))
        yield running


async def furnish(broker: Secured) -> None:
    """Make users, permissions and topics, and wait until they are known."""
    await broker.set_passwords(
        {f"tumen-{name}": PASSWORD for name in (*SERVICES, "cli", "admin")} | {"nobody": PASSWORD}
    )
    printed = json.loads(
        run("topics", "acls", "--format", "json", environment={"TUMEN_KAFKA__TOPIC_PREFIX": PREFIX})
    )
    await broker.allow(
        Acl(
            row["principal"],
            row["operation"],
            row["resource_type"],
            row["resource_name"],
            row["pattern_type"],
        )
        for row in printed
    )
    settings = settings_of(broker, "admin")
    await soon(lambda: opens(settings, must=False))
    async with topic_admin(settings.bus, settings.kafka) as admin:
        assert len(await admin.create()) == 26
        assert await admin.check() == []


def a_token(lasts_s: float) -> str:
    """Return a token of the unsecured kind that the broker takes here."""

    def part(value: Mapping[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    now = time.time()  # noqa: TID251 - tokens are about the real time
    return f"{part({'alg': 'none'})}.{part({'sub': USER, 'iat': now - 1_000, 'exp': now + lasts_s})}."


def run(*arguments: str, environment: Mapping[str, str]) -> str:
    """Run a command that must succeed; return what it prints."""
    done = CliRunner().invoke(main, arguments, env=dict(environment))
    assert done.exit_code == 0, done.output
    return done.output


def variables(broker: Secured, listener: str = "GOOD", user: str = USER, **changes: str) -> dict[str, str]:
    """Return the environment of a user with TLS and SCRAM; ``changes`` of settings of ``[kafka]``, empty: not set."""
    kafka = {
        "topic_prefix": PREFIX,
        "partitions": "2",
        "security_protocol": "SASL_SSL",
        "tls_ca": broker.file("ca.pem"),
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_username": user,
        "sasl_password_ref": f"file:{broker.file('password')}",
    }
    found = {f"TUMEN_KAFKA__{key.upper()}": value for key, value in (kafka | changes).items()}
    return {"TUMEN_BUS": broker.url(listener), **found}


def settings_of(broker: Secured, service: str) -> Settings:
    """Return the settings of a service, which is a user of its own."""
    return load(None, variables(broker, user=f"tumen-{service}"))


async def soon(attempt: Callable[[], Awaitable[Any]]) -> Any:
    """Attempt until it does not raise AssertionError or an error of the log: what was changed must get around."""
    deadline = time.monotonic() + SOON_S
    while True:
        try:
            return await attempt()
        except (AssertionError, BusUnavailable, BusDamaged):
            if time.monotonic() > deadline:
                raise
        await asyncio.wait({asyncio.get_running_loop().create_future()}, timeout=0.1)


async def opens(settings: Settings, *, must: bool = True) -> None:
    """Connect, and demand the topics unless there are none yet."""
    if must:
        async with open_bus(settings.bus, settings.kafka):
            return
    async with topic_admin(settings.bus, settings.kafka):
        return


PLAINTEXT = dict.fromkeys(("tls_ca", "sasl_mechanism", "sasl_username", "sasl_password_ref"), "") | {
    "security_protocol": "PLAINTEXT"
}
NO_TLS = {"security_protocol": "SASL_PLAINTEXT", "tls_ca": ""}
TOKEN = NO_TLS | {"sasl_mechanism": "OAUTHBEARER", "sasl_username": "", "sasl_password_ref": ""}
CERTIFIED = PLAINTEXT | {"security_protocol": "SSL", "tls_ca": "@ca.pem"}


def at(broker: Secured, changes: Mapping[str, str]) -> dict[str, str]:
    """Return changes with ``@NAME`` and ``file:@NAME`` as paths of the broker's files."""
    return {
        key: value.replace("@", str(broker.folder) + "/", 1) if "@" in value else value
        for key, value in changes.items()
    }


@pytest.mark.parametrize(
    ("listener", "changes"),
    [
        ("GOOD", {}),
        ("GOOD", {"sasl_mechanism": "SCRAM-SHA-256"}),
        (OPEN_SASL, NO_TLS),
        (OPEN_SASL, TOKEN | {"sasl_token_ref": "file:@token"}),
        (TRUSTED, CERTIFIED),
    ],
    ids=["scram-512", "scram-256", "without TLS on loopback", "token", "TLS alone"],
)
def test_right_credentials_are_let_in(broker: Secured, listener: str, changes: Mapping[str, str]) -> None:
    """SCRAM in both strengths, a token from a file, TLS without users."""
    run("tail", "alerts", environment=variables(broker, listener, **at(broker, changes)))


WRONG: tuple[tuple[str, str, Mapping[str, str], str, int], ...] = (
    ("wrong password", "GOOD", {"sasl_password_ref": "file:@wrong"}, f"does not let user {USER} in", 1),
    ("unknown user", "GOOD", {"sasl_username": "stranger"}, "does not let user stranger in", 1),
    (
        "wrong mechanism",
        "GOOD",
        {"sasl_mechanism": "PLAIN"},
        "does not offer PLAIN (kafka.sasl_mechanism)",
        1,
    ),
    (
        "PLAIN, wrong password",
        OPEN_SASL,
        NO_TLS | {"sasl_mechanism": "PLAIN"},
        f"does not let user {USER} in",
        1,
    ),
    ("old token", OPEN_SASL, TOKEN | {"sasl_token_ref": "file:@old-token"}, "does not accept the token", 1),
    ("expired certificate", "EXPIRED", {}, "the broker's certificate has expired", 1),
    ("wrong host", "ELSEWHERE", {}, "the broker's certificate is not for 127.0.0.1", 1),
    ("unknown CA", "GOOD", {"tls_ca": "@other-ca.pem"}, "nobody who is trusted here (kafka.tls_ca)", 1),
    ("the system's CAs", "GOOD", {"tls_ca": ""}, "nobody who is trusted here (kafka.tls_ca)", 1),
    ("TLS to a plain listener", OPEN_SASL, {}, "no TLS there (kafka.security_protocol)?", 1),
    ("plain to a TLS listener", TRUSTED, PLAINTEXT, "does it want TLS (kafka.security_protocol)?", 1),
    ("SASL without TLS to a TLS listener", "GOOD", NO_TLS, "does it want TLS (kafka.security_protocol)?", 1),
    (
        "no user where one is wanted",
        OPEN_SASL,
        PLAINTEXT,
        "does it want a user (kafka.security_protocol)?",
        1,
    ),
    (
        "TLS alone where a user is wanted",
        "GOOD",
        CERTIFIED,
        "does it want a user (kafka.security_protocol)?",
        1,
    ),
    ("a user where none is wanted", TRUSTED, {}, "wants no user and password there", 1),
    (
        "no client certificate",
        MUTUAL,
        CERTIFIED,
        "refuses the client's certificate (kafka.tls_certificate)",
        1,
    ),
    (
        "a client certificate of another CA",
        MUTUAL,
        CERTIFIED | {"tls_certificate": "@stranger.pem", "tls_key": "@stranger.key"},
        "refuses the client's certificate (kafka.tls_certificate)",
        1,
    ),
    (
        "a client certificate whose user may do nothing",
        MUTUAL,
        CERTIFIED
        | {"tls_certificate": "@locked.pem", "tls_key": "@locked.key", "tls_key_password_ref": "file:@lock"},
        f"Kafka does not allow Describe on topic {PREFIX}.",
        1,
    ),
    (
        "PLAIN, a user who may do nothing",
        OPEN_SASL,
        NO_TLS | {"sasl_mechanism": "PLAIN", "sasl_username": PLAIN_USER, "sasl_password_ref": "file:@plain"},
        f"Kafka does not allow Describe on topic {PREFIX}.",
        1,
    ),
    (
        "a user who may do nothing",
        "GOOD",
        {"sasl_username": "nobody"},
        "Kafka does not allow Describe on topic",
        1,
    ),
    ("no CA file", "GOOD", {"tls_ca": "@absent.pem"}, "kafka.tls_ca: ", 2),
    (
        "no password file",
        "GOOD",
        {"sasl_password_ref": "file:@absent"},
        "kafka.sasl_password_ref: secret file:",
        2,
    ),
)


@pytest.mark.parametrize(
    ("listener", "changes", "said", "code"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG]
)
def test_what_is_wrong_is_one_line_within_seconds(
    broker: Secured, listener: str, changes: Mapping[str, str], said: str, code: int
) -> None:
    """The line says what is wrong, names the setting, and holds no secret."""
    begun = time.monotonic()
    done = CliRunner().invoke(
        main, ["tail", "alerts"], env=variables(broker, listener, **at(broker, changes))
    )

    assert time.monotonic() - begun < LINE_S_MAX
    assert (done.exit_code, done.stdout) == (code, "")
    assert done.stderr.startswith("Error: ")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    for secret in (PASSWORD, "another password", PLAIN_PASSWORD):
        assert secret not in done.stderr


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


async def test_every_service_works_with_what_is_printed_for_it_and_no_more(broker: Secured) -> None:
    """From a feed to a delivery, with something unreadable for each: reading, state, transactions, dead letters."""

    def one(topic: Topic, model: Any) -> Message:
        return encode(topic, model, partition=0, key=model.id, source="test", at="2026-05-12T05:00:00.000Z")

    cli, told = settings_of(broker, "cli"), list[Alert]()
    subscriber = a_subscriber(match={"severity_min": 1})
    live = a_story(title=ARMS_TITLE)  # what a new feed holds is filed and not told
    given = [one(FEEDS, FEED), one(SUBSCRIBERS, subscriber), one(STORIES, live), one(ALERTS, an_alert())]
    junk = [Message(topic.name, 0, "junk", b"{", ()) for topic in (FEEDS, STORIES, VERDICTS, ALERTS)]
    async with AsyncExitStack() as stack:
        people = await stack.enter_async_context(open_bus(cli.bus, cli.kafka))
        await people.append([*given, *junk])
        world = outside(told)
        services = [await a_service(stack, broker, name, world) for name in SERVICES]

        async def everything_is_written() -> None:
            for service in services:
                await service.drain(NOW)
            assert await unwritten(people) <= {"feed-events"}, "nothing happens to the feed"
            assert {one.flagged async for one in latest(people, VERDICTS, Verdict)} == {True}

            assert len([one async for one in latest(people, ALERTS, Alert)]) >= 2

        await soon(everything_is_written)
        assert {one.title async for one in latest(people, STORIES, Story)} == {ARMS_TITLE}
    assert an_alert().id in {alert.id for alert in told}
    people_may = variables(broker)
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
    broker: Secured, operation: str, resource: str, topic: Topic | None
) -> None:
    """Which operation on which topic, group or transactional id; the service ends with that line."""
    kafka = settings_of(broker, "classifier").kafka
    name = "" if topic is None else kafka.topic_prefix + topic.name.removeprefix("tumen")
    (missing,) = (
        acl
        for acl in acls(programs(["classifier"]), kafka, "User:tumen-{service}")["classifier"]
        if (acl.operation, acl.resource) == (operation, resource) and name in {"", acl.name}
    )
    cli = settings_of(broker, "cli")
    async with open_bus(cli.bus, cli.kafka) as people:
        await people.append([Message(STORIES.name, 0, a_story().id, a_story(title=ARMS_TITLE).to_json(), ())])
    await broker.forbid([missing])
    try:
        await soon(lambda: refused(broker, missing))
    finally:
        await broker.allow([missing])


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


async def test_a_password_that_is_revoked_makes_a_service_unready_until_there_is_a_new_one(
    broker: Secured,
) -> None:
    """The broker ends connections now and then; the service comes back, or says why it cannot, and never ends."""
    (port,) = free_ports(1)
    password = broker.folder / "renewed"
    password.write_text(PASSWORD, encoding="utf-8")
    environment = variables(
        broker, OPEN_SASL, "tumen-classifier", sasl_password_ref=f"file:{password}", **NO_TLS
    )
    process = await tumen("classifier", "--health-port", str(port), environment=environment)
    try:
        async with aiohttp.ClientSession() as session:

            async def ready() -> tuple[int, str]:
                async with session.get(f"http://127.0.0.1:{port}/ready") as answer:
                    return answer.status, await answer.text()

            async def shows(status: int, said: str) -> None:
                try:
                    found = await ready()
                except aiohttp.ClientError as error:
                    raise AssertionError from error
                assert found[0] == status, found
                assert said in found[1], found

            await soon(lambda: shows(200, ""))
            await broker.set_passwords({"tumen-classifier": "a new one"})
            await soon(lambda: shows(503, "does not let user tumen-classifier in"))
            password.write_text("a new one", encoding="utf-8")
            await soon(lambda: shows(200, ""))
    finally:
        if process.returncode is None:
            process.terminate()
        _, logged = await asyncio.wait_for(process.communicate(), SOON_S)
        await broker.set_passwords({"tumen-classifier": PASSWORD})
    assert process.returncode == 0, logged.decode()
    assert b"Traceback" not in logged
    assert b"does not let user tumen-classifier in" in logged


async def test_no_topic_is_made_by_using_it(broker: Secured) -> None:
    """On a broker that would make topics: opening says what is missing; what was removed stays removed."""
    kafka = load(None, {"TUMEN_KAFKA__TOPIC_PREFIX": "unmade", "TUMEN_KAFKA__PARTITIONS": "1"}).kafka
    with pytest.raises(BusDamaged, match=r"run `tumen topics create`, or set the kafka\.topic_prefix"):
        async with open_bus(broker.open_url, kafka):
            pass
    assert await beginning(broker, "unmade") == set()

    async with topic_admin(broker.open_url, kafka) as admin:
        made = await admin.create()
    async with open_bus(broker.open_url, kafka) as bus, broker.operator() as operator:
        tail = await bus.tail([ALERTS.name])
        membership = await bus.join("classifier", [STORIES.name])
        await membership.lanes()
        await operator.delete_topics(made)
        await soon(lambda: gone(broker, "unmade"))
        with pytest.raises((BusUnavailable, BusDamaged)):
            await use(bus, tail)
        assert await beginning(broker, "unmade") == set()


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


async def test_check_finds_each_setting_that_was_changed(broker: Secured) -> None:
    """One changed setting is one line; so is a partition too many."""
    kafka = load(None, {"TUMEN_KAFKA__TOPIC_PREFIX": "changed", "TUMEN_KAFKA__PARTITIONS": "1"}).kafka

    async def lines() -> list[str]:
        async with topic_admin(broker.open_url, kafka) as admin:
            return await admin.check()

    async def shows(wanted: list[str]) -> None:
        assert await lines() == wanted

    async with topic_admin(broker.open_url, kafka) as admin, broker.operator() as operator:
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


def test_the_printed_command_lines_are_those_of_kafkas_own_tool(broker: Secured) -> None:
    """Lines of each form are run by the tool, and it lists what they ask for."""
    config = broker.folder / "admin.properties"
    config.write_text("security.protocol=PLAINTEXT\n", encoding="utf-8")
    options = ["--service", "alerter", "--principal", "User:pasted", "--command-config", str(config)]
    printed = run("topics", "acls", *options, environment={"TUMEN_BUS": broker.open_url})
    first, *_, group, ids = printed.splitlines()
    for line in (first, group, ids):
        assert kafka_acls(shlex.split(line)[1:])
    listed = kafka_acls(["--bootstrap-server", broker.broker.address, "--list", "--principal", "User:pasted"])
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


async def test_topics_say_what_they_did_and_never_change_their_number(broker: Secured) -> None:
    """Made once, then told to be there; another number of partitions is refused, and nothing is made beside it."""

    def topics(*arguments: str, partitions: str = "2") -> tuple[int, str, str]:
        environment = {"TUMEN_KAFKA__TOPIC_PREFIX": "counted", "TUMEN_KAFKA__PARTITIONS": partitions}
        done = CliRunner(env=environment).invoke(main, ["topics", *arguments, "--bus", broker.open_url])
        return done.exit_code, done.stdout, done.stderr

    code, names, said = await asyncio.to_thread(topics, "create")
    assert (code, len(names.splitlines()), said) == (0, 26, "26 topics created\n")
    code, names, said = await asyncio.to_thread(topics, "create")
    assert (code, names, said) == (0, "", "nothing to create: all 26 topics are there\n")
    assert await asyncio.to_thread(topics, "check") == (0, "", "26 topics: all are as they must be\n")
    async with broker.operator() as operator:
        await operator.delete_topics(["counted.stories.v1"])

    async def shrunk() -> None:
        assert "counted.stories.v1" not in await beginning(broker, "counted")

    await soon(shrunk)
    for more in (("--partitions", "3"), ()):
        code, names, said = await asyncio.to_thread(topics, "create", *more, partitions="3")
        assert (code, names) == (1, "")
        assert said.startswith("Error: nothing was changed: counted.feed-events.v1, ")
        assert "counted.feeds.v1 have 2 partitions, not 3 (kafka.partitions); the number stays" in said, said
        assert len(said.splitlines()) == 1
    await shrunk()
