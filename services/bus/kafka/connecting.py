"""What the client does not do when it connects, done in its place.

The client keeps a password for ever: here secrets and certificates are asked for at each connection. It tells nobody
why a connection failed: here the reason is noted, for whoever waits for it in vain. And when it asks for a topic, a
broker that is set up to do so makes it: here it is asked not to. ``install`` puts this in place, once.
"""

from __future__ import annotations

import asyncio
import functools
import socket
import ssl
from dataclasses import dataclass
from typing import Any

import aiokafka.admin.client
import aiokafka.client
from aiokafka import errors
from aiokafka.conn import AIOKafkaConnection
from aiokafka.protocol.admin import ApiVersionRequest
from aiokafka.protocol.metadata import MetadataRequest

# Why a connection failed is told for so long; a client that is refused tries again within the second.
RECENT_S = 15.0
# The client tries again thirty times a second, each of a process's many connections: an address that has just failed
# is left alone for a moment, and an outage does not heat the machine.
PACE_S = 0.3
# More brokers than anybody has: a bound, because a name that resolves to ever new addresses is somebody else's.
NOTED_MAX = 64
# TLS says goodbye before it closes.
CLOSE_S = 1.0
# What OpenSSL calls it when the certificate is not for the host, or for the address.
HOST_MISMATCH = frozenset({62, 64})
EXPIRED = 10
NOT_YET = 9
SELF_SIGNED_OR_UNKNOWN = frozenset({2, 18, 19, 20, 21})
CLIENT_CERTIFICATE = ("CERTIFICATE_REQUIRED", "ALERT_UNKNOWN_CA", "BAD_CERTIFICATE", "CERTIFICATE_UNKNOWN")


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a broker cannot be used. ``settled``: waiting will not help, something must be changed."""

    host: str
    port: int
    why: str
    settled: bool = False

    @property
    def where(self) -> str:
        """The address."""
        return f"{self.host}:{self.port}"

    def is_of(self, said: str) -> bool:
        """Whether the client names this address among those it could not begin with."""
        return f"{self.host!r}, {self.port}," in said


_noted: dict[str, tuple[float, Refusal]] = {}
"""The last failure of each address of this process's clients; a connection that succeeds removes it."""


def refusals() -> list[Refusal]:
    """Return what went wrong with connections lately, the newest first."""
    now = asyncio.get_running_loop().time()
    recent = [(at, refusal) for at, refusal in _noted.values() if 0 <= now - at <= RECENT_S]
    return [refusal for _, refusal in sorted(recent, key=lambda noted: -noted[0])]


def note(refusal: Refusal) -> None:
    """Remember a failure."""
    _noted.pop(refusal.where, None)
    _noted[refusal.where] = asyncio.get_running_loop().time(), refusal
    while len(_noted) > NOTED_MAX:
        _noted.pop(next(iter(_noted)))


async def connect(host: str, port: int, **options: Any) -> AIOKafkaConnection:
    """Connect as the client does, with the secrets of this moment; a failure is noted."""
    made: AIOKafkaConnection | None = None
    await _paced(f"{host}:{port}")
    try:
        for name in ("ssl_context", "sasl_plain_password"):
            if callable(options.get(name)):
                options[name] = options[name]()
        made = AIOKafkaConnection(host, port, **options)
        await made.connect()
        if options.get("sasl_mechanism") == "OAUTHBEARER":
            await _demand_accepted(made)
    except Exception as error:
        await _ended_well(made)
        refusal = explain(error, host, port, options)
        note(refusal)
        if isinstance(error, (OSError, TimeoutError, errors.KafkaError)):
            raise
        raise errors.KafkaConnectionError(refusal.why) from error  # the client waits for no others
    _noted.pop(f"{host}:{port}", None)
    return made


async def _paced(where: str) -> None:
    """Let a moment pass since the last failure of an address."""
    loop = asyncio.get_running_loop()
    if where in _noted and (left := _noted[where][0] + PACE_S - loop.time()) > 0:
        await asyncio.wait({loop.create_future()}, timeout=min(left, PACE_S))


async def _ended_well(made: AIOKafkaConnection | None) -> None:
    """Wait until the socket of a connection that was closed is closed, too: the loop may end right afterwards."""
    if made is not None and made._protocol is not None:  # noqa: SLF001
        await asyncio.wait({made._closed_fut}, timeout=CLOSE_S)  # noqa: SLF001


async def _demand_accepted(made: AIOKafkaConnection) -> None:
    """Ask something: a token that is not accepted is answered politely, and the client takes that for a yes."""
    answer = await made.send(ApiVersionRequest())
    if answer.error_code:
        made.close()
        raise errors.SaslAuthenticationFailed("the token is not accepted")


def explain(error: BaseException, host: str, port: int, options: dict[str, Any]) -> Refusal:
    """Return why there is no connection, and which setting has to do with it."""
    why = _tls(error, host) or _sasl(error, options)
    if why is not None:
        return Refusal(host, port, why, settled=True)
    return Refusal(host, port, _network(error) or _cut(error, options))


def _tls(error: BaseException, host: str) -> str | None:
    if isinstance(error, ssl.SSLCertVerificationError):
        return _certificate(error, host)
    for link in _chain(error):
        if isinstance(link, ssl.SSLError) and any(sign in str(link) for sign in CLIENT_CERTIFICATE):
            return "refuses the client's certificate (kafka.tls_certificate)"
    return None


def _network(error: BaseException) -> str | None:
    if isinstance(error, socket.gaierror):
        return "the host name cannot be resolved"
    if isinstance(error, ConnectionRefusedError):
        return "nobody listens there"
    return "does not answer" if isinstance(error, TimeoutError) else None


def _certificate(error: ssl.SSLCertVerificationError, host: str) -> str:
    if error.verify_code == EXPIRED:
        return "the broker's certificate has expired"
    if error.verify_code == NOT_YET:
        return "the broker's certificate is not valid yet"
    if error.verify_code in HOST_MISMATCH:
        return f"the broker's certificate is not for {host}"
    if error.verify_code in SELF_SIGNED_OR_UNKNOWN:
        return "the broker's certificate is signed by nobody who is trusted here (kafka.tls_ca)"
    return f"the broker's certificate is not accepted: {error.verify_message}"


def _sasl(error: BaseException, options: dict[str, Any]) -> str | None:
    mechanism = options.get("sasl_mechanism")
    if isinstance(error, errors.UnsupportedSaslMechanismError):
        return f"does not offer {mechanism} (kafka.sasl_mechanism)"
    if isinstance(error, errors.IllegalSaslStateError):
        return "wants no user and password there (kafka.security_protocol)"
    if isinstance(error, (errors.SaslAuthenticationFailed, errors.AuthenticationFailedError)):
        if mechanism == "OAUTHBEARER":
            return "does not accept the token (kafka.sasl_token_ref)"
        who = options.get("sasl_plain_username")
        return f"does not let user {who} in: unknown, or the password is wrong (kafka.sasl_username, kafka.sasl_password_ref)"
    return None


def _cut(error: BaseException, options: dict[str, Any]) -> str:
    """Say what a connection that ends at once may mean."""
    secured = str(options.get("security_protocol", "")).endswith("SSL")
    if secured and isinstance(error, ssl.SSLError):
        reason = getattr(error, "reason", None) or "no handshake"
        return f"no TLS there (kafka.security_protocol)? OpenSSL says: {reason.replace('_', ' ').lower()}"
    if secured and isinstance(error, ConnectionError):
        return "no TLS there (kafka.security_protocol)? It ends the connection at the first word of TLS"
    if not secured and isinstance(error, (errors.KafkaConnectionError, ConnectionError)):
        return "ends the connection at once: does it want TLS (kafka.security_protocol)?"
    strerror = error.strerror if isinstance(error, OSError) else None
    return strerror or " ".join(str(error).split()) or type(error).__name__


def _chain(error: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found


def install() -> None:
    """Give the client these ways; AttributeError when a newer client has no such places."""
    asks = functools.partial(MetadataRequest, allow_auto_topic_creation=False)
    for module, name, mine in (
        (aiokafka.client, "create_conn", connect),
        (aiokafka.client, "MetadataRequest", asks),
        (aiokafka.admin.client, "MetadataRequest", asks),
    ):
        getattr(module, name)
        setattr(module, name, mine)
