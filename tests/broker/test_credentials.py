"""TLS and users on a real broker: what is right is let in, what is wrong is one line."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

import aiohttp
import pytest
from click.testing import CliRunner

from services.cli.main import main
from tests.kafka_node import free_ports
from tests.kafka_secure import MUTUAL, OPEN_SASL, PLAIN_PASSWORD, PLAIN_USER, TRUSTED, Secured
from tests.kafka_users import PASSWORD, PREFIX, SOON_S, USER, run, soon, variables
from tests.live import tumen

pytestmark = [pytest.mark.broker, pytest.mark.timeout(180)]

LINE_S_MAX = 15.0
"""Far above what a line takes (under a second on an idle machine), far below the client's own patience."""
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
def test_right_credentials_are_let_in(
    secured_broker: Secured, listener: str, changes: Mapping[str, str]
) -> None:
    """SCRAM in both strengths, a token from a file, TLS without users."""
    run("tail", "alerts", environment=variables(secured_broker, listener, **at(secured_broker, changes)))


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
    secured_broker: Secured, listener: str, changes: Mapping[str, str], said: str, code: int
) -> None:
    """The line says what is wrong, names the setting, and holds no secret."""
    begun = time.monotonic()
    done = CliRunner().invoke(
        main, ["tail", "alerts"], env=variables(secured_broker, listener, **at(secured_broker, changes))
    )

    assert time.monotonic() - begun < LINE_S_MAX
    assert (done.exit_code, done.stdout) == (code, "")
    assert done.stderr.startswith("Error: ")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    for secret in (PASSWORD, "another password", PLAIN_PASSWORD):
        assert secret not in done.stderr


async def test_a_password_that_is_revoked_makes_a_service_unready_until_there_is_a_new_one(
    secured_broker: Secured,
) -> None:
    """The broker ends connections now and then; the service comes back, or says why it cannot, and never ends."""
    (port,) = free_ports(1)
    password = secured_broker.folder / "renewed"
    password.write_text(PASSWORD, encoding="utf-8")
    environment = variables(
        secured_broker, OPEN_SASL, "tumen-classifier", sasl_password_ref=f"file:{password}", **NO_TLS
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
            await secured_broker.set_passwords({"tumen-classifier": "a new one"})
            await soon(lambda: shows(503, "does not let user tumen-classifier in"))
            password.write_text("a new one", encoding="utf-8")
            await soon(lambda: shows(200, ""))
    finally:
        if process.returncode is None:
            process.terminate()
        _, logged = await asyncio.wait_for(process.communicate(), SOON_S)
        await secured_broker.set_passwords({"tumen-classifier": PASSWORD})
    assert process.returncode == 0, logged.decode()
    assert b"Traceback" not in logged
    assert b"does not let user tumen-classifier in" in logged
