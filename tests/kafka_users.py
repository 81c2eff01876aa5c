"""Users of a secured Kafka: who they are, what they may do, and the settings by which each of them connects."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from click.testing import CliRunner

from services.bootstrap import open_bus
from services.bootstrap.opening import topic_admin
from services.bootstrap.parts import SERVICES
from services.bus.kafka.acls import Acl
from services.bus.ports import BusDamaged, BusUnavailable
from services.cli.main import main
from services.settings import Settings, load
from tests.kafka_secure import PLAIN_PASSWORD, Secured, secured

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


PASSWORD = "a password of SCRAM"
SOON_S = 60.0
"""An idle service asks the log every five seconds and waits eight for an answer; the rest is for a busy machine."""
USER = "tumen-cli"
PREFIX = "secure"
TOKEN_S = 86_400.0
"""So long a token is good: longer than any run of the tests."""


@contextmanager
def furnished(folder: Path) -> Iterator[Secured]:
    """Boot a broker with users, make the topics, and let one user do what people at a command line do."""
    with secured(folder) as running:
        for name, text in {
            "password": PASSWORD,
            "wrong": "another password",
            "plain": PLAIN_PASSWORD,
            "lock": "lock",
            "token": a_token(TOKEN_S),
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
