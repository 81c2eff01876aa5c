"""Why a connection to Kafka failed, said in one line; and files of certificates that are no good, named."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest
from aiokafka import errors
from pytest_socket import socket_allow_hosts

from services.bus.kafka import connecting
from services.bus.kafka.connecting import NOTED_MAX, PACE_S, Refusal, connect, explain, note, refusals
from services.bus.kafka.faults import Refused, bounded, told, translated
from services.bus.kafka.security import Security, Tls, TlsFileError
from services.bus.ports import BusDamaged, BusUnavailable
from tests.certificates import Authority
from tests.kafka_broker import free_ports

TLS = {"security_protocol": "SASL_SSL", "sasl_mechanism": "SCRAM-SHA-512", "sasl_plain_username": "anna"}


def verification(code: int) -> ssl.SSLCertVerificationError:
    """Return what OpenSSL raises when a certificate is not accepted."""
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code = code
    error.verify_message = "said OpenSSL"
    return error


def closed_by(cause: BaseException) -> errors.KafkaConnectionError:
    """Return what the client raises when a connection ends."""
    error = errors.KafkaConnectionError("Connection at kafka:9092 closed")
    error.__cause__ = cause
    return error


@pytest.fixture(autouse=True)
def nothing_noted() -> None:
    """Forget what other tests met."""
    connecting._noted.clear()


@pytest.mark.parametrize(
    ("error", "options", "why", "settled"),
    [
        (verification(10), TLS, "certificate has expired", True),
        (verification(9), TLS, "is not valid yet", True),
        (verification(62), TLS, "certificate is not for kafka", True),
        (verification(64), TLS, "certificate is not for kafka", True),
        (verification(19), TLS, "nobody who is trusted here (kafka.tls_ca)", True),
        (verification(26), TLS, "not accepted: said OpenSSL", True),
        (
            closed_by(ssl.SSLError(1, "TLSV13_ALERT_CERTIFICATE_REQUIRED")),
            TLS,
            "(kafka.tls_certificate)",
            True,
        ),
        (ssl.SSLError(1, "WRONG_VERSION_NUMBER"), TLS, "no TLS there (kafka.security_protocol)?", False),
        (ConnectionResetError(), TLS, "no TLS there (kafka.security_protocol)?", False),
        (closed_by(EOFError()), {"security_protocol": "PLAINTEXT"}, "does it want TLS", False),
        (errors.SaslAuthenticationFailed("no"), TLS, "does not let user anna in", True),
        (errors.SaslAuthenticationFailed("no"), TLS | {"sasl_mechanism": "OAUTHBEARER"}, "the token", True),
        (errors.UnsupportedSaslMechanismError(), TLS, "does not offer SCRAM-SHA-512", True),
        (errors.IllegalSaslStateError(), TLS, "wants no user and password there", True),
        (socket.gaierror(-2, "Name or service not known"), TLS, "the host name cannot be resolved", False),
        (ConnectionRefusedError(111, "Connect call failed"), TLS, "nobody listens there", False),
        (TimeoutError(), TLS, "does not answer", False),
        (OSError(113, "No route to host"), TLS, "No route to host", False),
        (RuntimeError(), TLS, "RuntimeError", False),
    ],
)
def test_each_failure_of_a_connection_has_its_line(
    error: BaseException, options: dict[str, Any], why: str, settled: bool
) -> None:
    """What is wrong, the setting that has to do with it, and whether waiting may help."""
    refusal = explain(error, "kafka", 9092, options)
    assert why in refusal.why
    assert refusal.settled is settled
    assert not set("\n[") & set(refusal.why)
    assert type(error).__name__ not in refusal.why or type(error) is RuntimeError, "words, not a class"


async def test_whoever_waits_in_vain_is_told_why() -> None:
    """A time-out and a client that gives up carry the reason; at the first connection it decides what is raised."""
    note(Refusal("kafka", 9092, "does not let user anna in", settled=True))

    with pytest.raises(Refused, match=r"^lag: kafka:9092: does not let user anna in$") as caught:
        async with bounded(0.01, "lag"):
            await asyncio.get_running_loop().create_future()

    assert isinstance(caught.value, BusUnavailable), "a service that runs waits, and says so"
    assert isinstance(told(caught.value), BusDamaged), "a command ends"
    named = translated(errors.KafkaConnectionError("Unable to bootstrap from [('kafka', 9092, <…>)]"), "x")
    assert str(named) == "x: kafka:9092: does not let user anna in"
    other = translated(errors.KafkaConnectionError("Unable to bootstrap from [('else', 9092, <…>)]"), "x")
    assert "does it want a user" in str(other), "another cluster's reason is not told"


async def test_reasons_are_bounded_and_the_newest_comes_first() -> None:
    """Names that resolve to ever new addresses do not fill the memory."""
    for port in range(NOTED_MAX + 5):
        note(Refusal("kafka", port, "nobody listens there"))
    assert len(refusals()) == NOTED_MAX
    note(Refusal("kafka", 9092, "does not answer"))
    assert refusals()[0].port == 9092
    assert not isinstance(told(BusUnavailable("lag: Kafka did not answer within 8 s")), BusDamaged)


async def test_an_address_that_just_failed_is_left_alone_for_a_moment() -> None:
    """A client that tries thirty times a second, each of its many connections, makes a few attempts a second."""
    (port,) = free_ports(1)
    clock = asyncio.get_running_loop().time
    begun = clock()
    for _ in range(3):
        with pytest.raises(OSError, match=r"refused|failed"):
            await connect("127.0.0.1", port)
    assert clock() - begun >= 2 * PACE_S


async def test_secrets_are_asked_for_at_each_connection_and_their_absence_is_a_reason() -> None:
    """A secret that cannot be read any more ends no service: it is why there is no connection."""
    socket_allow_hosts(["127.0.0.1"])
    asked: list[int] = []

    def password() -> str:
        asked.append(1)
        if len(asked) > 1:
            raise ValueError("secret file:/run/password: cannot be read")
        return "right"

    (port,) = free_ports(1)
    options = Security("SASL_PLAINTEXT", None, "PLAIN", "anna", password).client
    with pytest.raises(OSError, match=r"refused|Connect call failed"):
        await connect("127.0.0.1", port, **options)
    assert refusals()[0].why == "nobody listens there"
    with pytest.raises(errors.KafkaConnectionError):
        await connect("127.0.0.1", port, **options)
    assert "cannot be read" in refusals()[0].why


@pytest.mark.parametrize(
    ("error", "operation", "said"),
    [
        (errors.TopicAuthorizationFailedError("tumen.alerts.v1"), "Read", "Read on topic tumen.alerts.v1"),
        (errors.TopicAuthorizationFailedError({"b", "a"}), "Write", "Write on topic a, b"),
        (errors.GroupAuthorizationFailedError("tumen.poller"), "Write", "Read on group tumen.poller"),
        (errors.TransactionalIdAuthorizationFailed("prod.x.3"), "Read", "Write on transactional id prod.x.3"),
        (errors.ClusterAuthorizationFailedError(), "Create", "Create on the cluster"),
    ],
)
def test_a_missing_acl_names_operation_and_resource(error: Exception, operation: str, said: str) -> None:
    """Also when the client hides it behind an error of its own."""
    hidden = errors.KafkaError("Unexpected error during batch delivery")
    hidden.__cause__ = error
    for seen in (error, hidden):
        found = translated(seen, "x", operation)
        assert isinstance(found, BusDamaged)
        assert f"Kafka does not allow {said}: `tumen topics acls`" in str(found)


def test_files_of_certificates_are_named_when_they_are_no_good(tmp_path: Path) -> None:
    """Not there, no certificate, no key, not the key of that certificate, a wrong password: the field is named."""
    authority = Authority("a CA")
    files = {name: tmp_path / name for name in ("ca", "cert", "key", "other", "locked", "locked_cert")}
    files["ca"].write_bytes(authority.pem)
    certificate, key = authority.issue("client")
    files["cert"].write_bytes(certificate)
    files["key"].write_bytes(key)
    files["other"].write_bytes(authority.issue("client")[1])
    certificate, key = authority.issue("client", password=b"lock")
    files["locked_cert"].write_bytes(certificate)
    files["locked"].write_bytes(key)
    at = {name: str(path) for name, path in files.items()}

    for field, tls in (
        ("ca", Tls(str(tmp_path / "absent"))),
        ("ca", Tls(at["key"])),
        ("certificate", Tls(at["ca"], at["key"], at["key"])),
        ("key", Tls(at["ca"], at["cert"], at["other"])),
        ("key", Tls(at["ca"], at["cert"], at["cert"])),
        ("key", Tls(at["ca"], at["locked_cert"], at["locked"])),
        ("key", Tls(at["ca"], at["locked_cert"], at["locked"], lambda: "wrong")),
    ):
        with pytest.raises(TlsFileError) as caught:
            tls()
        assert caught.value.field == field
        assert str(tmp_path) in str(caught.value)
    Tls(at["ca"], at["locked_cert"], at["locked"], lambda: "lock")()


def test_tls_is_strict_and_follows_files_that_change(tmp_path: Path) -> None:
    """1.2 at least, host names checked; a renewed certificate is read for the next connection, an old one kept."""
    path = tmp_path / "ca.pem"
    path.write_bytes(Authority("first").pem)
    tls = Tls(str(path))
    context = tls()
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert tls() is context
    path.write_bytes(Authority("second, and longer").pem)
    os.utime(path, ns=(1, 1))
    assert tls() is not context
