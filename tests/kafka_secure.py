"""A real Kafka that knows its users: TLS and SASL on listeners beside the open one, and ACLs.

On the open listener everybody is a super user: tests make topics, users and ACLs there, as an operator does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.admin import CreateAclsRequest_v1, DeleteAclsRequest_v1
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    CompactArray,
    CompactBytes,
    CompactString,
    Int8,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)

from tests import kafka_means
from tests.certificates import DAY, Authority
from tests.kafka_broker import Broker, running
from tests.kafka_node import free_ports

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from services.bus.kafka.acls import Acl

ITERATIONS = 4_096
SALT = b"salt of a test"
SCRAM = ("SCRAM-SHA-256", "SCRAM-SHA-512")
HASHES = {"SCRAM-SHA-256": "sha256", "SCRAM-SHA-512": "sha512"}
SASL_LISTENERS = ("GOOD", "EXPIRED", "ELSEWHERE")
"""Listeners with TLS and SCRAM: all is well; the certificate has expired; it is for another host."""
TRUSTED, MUTUAL, OPEN_SASL = "TRUSTED", "MUTUAL", "OPEN_SASL"
"""TLS alone; TLS that asks clients for a certificate; SASL without TLS, PLAIN and tokens besides SCRAM."""
REAUTH_MS = 2_000
"""On the last one, a connection of SCRAM-SHA-512 ends after this."""
NAMES = (*SASL_LISTENERS, TRUSTED, MUTUAL, OPEN_SASL)


@dataclass(frozen=True, slots=True)
class Secured:
    """A running broker, its listeners' ports, and the files of certificates."""

    broker: Broker
    ports: dict[str, int]
    folder: Path

    def url(self, listener: str) -> str:
        """Return the bus URL of a listener."""
        return f"kafka://127.0.0.1:{self.ports[listener]}"

    @property
    def open_url(self) -> str:
        """The bus URL of the open listener."""
        return f"kafka://{self.broker.address}"

    def file(self, name: str) -> str:
        """Return the path of a file: ca.pem, other-ca.pem, client.pem, client.key, locked.key."""
        return str(self.folder / name)

    @asynccontextmanager
    async def operator(self) -> AsyncIterator[AIOKafkaAdminClient]:
        """Connect as somebody who may do anything."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.broker.address)
        await admin.start()
        try:
            yield admin
        finally:
            await admin.close()

    async def set_passwords(self, passwords: Mapping[str, str | None]) -> None:
        """Give users passwords of SCRAM; None removes one."""
        async with self.operator() as admin:
            for number, mechanism in enumerate(SCRAM, start=1):
                gone: list[Any] = [
                    (user, number, {}) for user, password in passwords.items() if password is None
                ]
                given: list[Any] = [
                    (user, number, ITERATIONS, SALT, _salted(mechanism, password), {})
                    for user, password in passwords.items()
                    if password is not None
                ]
                answer = await admin._send_to_controller(_AlterScram(gone, given))
                assert all(code == 0 for _, code, *_ in answer.results), answer

    async def allow(self, acls: Iterable[Acl]) -> None:
        """Add ACLs."""
        async with self.operator() as admin:
            answer = await admin._send_to_controller(_CreateAcls(acls))
        assert all(not code for code, *_ in answer.creation_responses), answer

    async def forbid(self, acls: Iterable[Acl]) -> None:
        """Remove ACLs."""
        async with self.operator() as admin:
            answer = await admin._send_to_controller(_DeleteAcls(acls))
        assert all(len(found) == 1 for _, _, found in answer.filter_responses), answer


class _CreateAcls(Request[CreateAclsRequest_v1]):  # type: ignore[misc]  # the client ships no types
    """CreateAcls for many at once; the client's own takes one."""

    API_KEY = 30

    def __init__(self, acls: Iterable[Acl]) -> None:
        self._rows = [_row(acl) for acl in acls]

    def build(self, request_struct_class: type[CreateAclsRequest_v1]) -> CreateAclsRequest_v1:
        return request_struct_class(self._rows)


class _DeleteAcls(Request[DeleteAclsRequest_v1]):  # type: ignore[misc]  # the client ships no types
    """DeleteAcls for many at once."""

    API_KEY = 31

    def __init__(self, acls: Iterable[Acl]) -> None:
        self._rows = [_row(acl) for acl in acls]

    def build(self, request_struct_class: type[DeleteAclsRequest_v1]) -> DeleteAclsRequest_v1:
        return request_struct_class(self._rows)


RESOURCES = {"topic": 2, "group": 3, "cluster": 4, "transactional-id": 5}
PATTERNS = {"literal": 3, "prefixed": 4}
OPERATIONS = {"Read": 3, "Write": 4, "Create": 5, "Delete": 6, "Describe": 8, "DescribeConfigs": 10}
ALLOW = 3


def _row(acl: Acl) -> tuple[int, str, int, str, str, int, int]:
    """Return an ACL in the numbers of the protocol."""
    kind = RESOURCES[acl.resource], acl.name, PATTERNS[acl.pattern]
    return *kind, acl.principal, "*", OPERATIONS[acl.operation], ALLOW


def _salted(mechanism: str, password: str) -> bytes:
    return hashlib.pbkdf2_hmac(HASHES[mechanism], password.encode(), SALT, ITERATIONS)


class _AlterScramResponse(Response):  # type: ignore[misc]  # the client ships no types
    API_KEY = 51
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "results",
            CompactArray(
                ("user", CompactString("utf-8")),
                ("error_code", Int16),
                ("error_message", CompactString("utf-8")),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _AlterScramRequest(RequestStruct):  # type: ignore[misc]  # the client ships no types
    FLEXIBLE_VERSION = True
    API_KEY = 51
    API_VERSION = 0
    RESPONSE_TYPE = _AlterScramResponse
    SCHEMA = Schema(
        (
            "deletions",
            CompactArray(("name", CompactString("utf-8")), ("mechanism", Int8), ("tags", TaggedFields)),
        ),
        (
            "upsertions",
            CompactArray(
                ("name", CompactString("utf-8")),
                ("mechanism", Int8),
                ("iterations", Int32),
                ("salt", CompactBytes),
                ("salted_password", CompactBytes),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _AlterScram(Request[_AlterScramRequest]):  # type: ignore[misc]  # the client ships no types
    """AlterUserScramCredentials, which the client does not have."""

    API_KEY = 51

    def __init__(self, deletions: list[Any], upsertions: list[Any]) -> None:
        self._parts = deletions, upsertions

    def build(self, request_struct_class: type[_AlterScramRequest]) -> _AlterScramRequest:
        return request_struct_class(*self._parts, {})


def _properties(ports: dict[str, int], folder: Path, open_port: int, controller: int) -> str:
    """Return the server properties; of two lines for one key, the later counts."""
    everywhere = {"PLAINTEXT": open_port, **ports}
    protocols = dict.fromkeys(SASL_LISTENERS, "SASL_SSL") | {
        TRUSTED: "SSL",
        MUTUAL: "SSL",
        OPEN_SASL: "SASL_PLAINTEXT",
        "PLAINTEXT": "PLAINTEXT",
        "CONTROLLER": "PLAINTEXT",
    }
    addresses = ",".join(f"{name}://127.0.0.1:{port}" for name, port in everywhere.items())
    lines = [
        f"listeners={addresses},CONTROLLER://127.0.0.1:{controller}",
        f"advertised.listeners={addresses}",
        "listener.security.protocol.map=" + ",".join(f"{name}:{how}" for name, how in protocols.items()),
        "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users=User:ANONYMOUS",
        "auto.create.topics.enable=true",
        f"controller.quorum.voters=1@127.0.0.1:{controller}",
        f"listener.name.{OPEN_SASL.lower()}.scram-sha-512.connections.max.reauth.ms={REAUTH_MS}",
    ]
    for name in (*SASL_LISTENERS, TRUSTED, MUTUAL):
        of = f"listener.name.{name.lower()}"
        lines += [f"{of}.ssl.keystore.type=PEM", f"{of}.ssl.keystore.location={folder / name}.pem"]
    of = f"listener.name.{MUTUAL.lower()}"
    lines += [
        f"{of}.ssl.client.auth=required",
        f"{of}.ssl.truststore.type=PEM",
        f"{of}.ssl.truststore.location={folder / 'ca.pem'}",
    ]
    for name in (*SASL_LISTENERS, OPEN_SASL):
        lines += _sasl(f"listener.name.{name.lower()}", PLAIN_TOO if name == OPEN_SASL else SCRAM)
    return "\n".join(lines)


PLAIN_TOO = (*SCRAM, "PLAIN", "OAUTHBEARER")
PLAIN_USER, PLAIN_PASSWORD = "plain-user", "plain-secret"
_SECURITY = "org.apache.kafka.common.security"
JAAS = {
    **dict.fromkeys(SCRAM, f"{_SECURITY}.scram.ScramLoginModule required;"),
    "PLAIN": f'{_SECURITY}.plain.PlainLoginModule required user_{PLAIN_USER}="{PLAIN_PASSWORD}";',
    "OAUTHBEARER": f'{_SECURITY}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";',
}


def _sasl(of: str, mechanisms: Iterable[str]) -> list[str]:
    enabled = tuple(mechanisms)
    jaas = [f"{of}.{one.lower()}.sasl.jaas.config={JAAS[one]}" for one in enabled]
    return [f"{of}.sasl.enabled.mechanisms={','.join(enabled)}", *jaas]


def _write_certificates(folder: Path) -> None:
    """Write what the broker shows and what clients trust."""
    authority, other = Authority("tumen test CA"), Authority("another CA")
    here = ("127.0.0.1", "localhost")
    shown = {name: authority.issue(*here) for name in ("GOOD", TRUSTED, MUTUAL)} | {
        "EXPIRED": authority.issue(*here, lasts=-DAY),
        "ELSEWHERE": authority.issue("kafka.elsewhere.example"),
    }
    for name, (certificate, key) in shown.items():
        (folder / f"{name}.pem").write_bytes(key + certificate)
    certificate, key = authority.issue("tumen-client")
    (folder / "client.pem").write_bytes(certificate)
    (folder / "client.key").write_bytes(key)
    certificate, key = authority.issue("tumen-client", password=b"lock")
    (folder / "locked.pem").write_bytes(certificate)
    (folder / "locked.key").write_bytes(key)
    stranger, key = other.issue("tumen-client")
    (folder / "stranger.pem").write_bytes(stranger)
    (folder / "stranger.key").write_bytes(key)
    (folder / "ca.pem").write_bytes(authority.pem)
    (folder / "other-ca.pem").write_bytes(other.pem)


@contextmanager
def secured(folder: Path) -> Iterator[Secured]:
    """Run a broker with all listeners for the block, one that makes topics for whoever does not ask it not to."""
    if kafka_means.means(kafka_means.look()) == "container":
        raise kafka_means.NoKafkaError(
            "Kafka with TLS and users is tested from jars only: install Java 17 and Maven"
        )
    _write_certificates(folder)
    open_port, controller, *free = free_ports(2 + len(NAMES))
    ports = dict(zip(NAMES, free, strict=True))
    extra = _properties(ports, folder, open_port, controller)
    with running(extra, port=open_port) as broker:
        yield Secured(broker, ports, folder)
