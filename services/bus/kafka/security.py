"""How clients prove who they are, and how they know that it is the cluster they talk to."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiokafka.abc import AbstractTokenProvider


class TlsFileError(Exception):
    """A file of certificates or keys cannot be used; ``field`` says which one, the message why."""

    def __init__(self, field: str, message: str) -> None:
        """Take the name of the field of ``Tls`` and one line."""
        super().__init__(message)
        self.field = field


class Tls:
    """Makes the TLS context: 1.2 or newer, the brokers' certificates and host names checked, always.

    Certificates are renewed while services run: a file that has changed is read anew for the next connection.
    """

    def __init__(
        self,
        ca: str | None = None,
        certificate: str | None = None,
        key: str | None = None,
        key_password: Callable[[], str] | None = None,
    ) -> None:
        """Take the files; none is read yet."""
        self._ca = ca
        self._certificate = certificate
        self._key = key
        self._key_password = key_password
        self._made: tuple[tuple[tuple[int, int], ...], ssl.SSLContext] | None = None

    def __call__(self) -> ssl.SSLContext:
        """Return the context for the next connection; TlsFileError names the file that is no good."""
        seen = self._look()
        if self._made is None or self._made[0] != seen:
            self._made = seen, self._make()
        return self._made[1]

    def _look(self) -> tuple[tuple[int, int], ...]:
        files = (("ca", self._ca), ("certificate", self._certificate), ("key", self._key))
        return tuple(_stamp(field, path) for field, path in files if path is not None)

    def _make(self) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(cafile=self._ca)
        except (OSError, ssl.SSLError) as error:
            raise TlsFileError("ca", f"{self._ca}: no certificates (PEM) in it") from error
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self._certificate is not None:
            self._present(context, self._certificate)
        return context

    def _present(self, context: ssl.SSLContext, certificate: str) -> None:
        """Load the client's certificate and key; without a password OpenSSL would ask the terminal for one."""
        try:
            ssl.create_default_context().load_verify_locations(certificate)
        except (OSError, ssl.SSLError) as error:
            raise TlsFileError("certificate", f"{certificate}: no certificate (PEM) in it") from error
        try:
            context.load_cert_chain(certificate, self._key, self._key_password or "")
        except (OSError, ssl.SSLError) as error:
            what = f"{self._key}: no private key (PEM) of that certificate, or its password is wrong"
            raise TlsFileError("key", what) from error


def _stamp(field: str, path: str) -> tuple[int, int]:
    try:
        found = Path(path).stat()
        with Path(path).open("rb"):
            return found.st_mtime_ns, found.st_size
    except OSError as error:
        raise TlsFileError(field, f"{path}: cannot be read: {error.strerror}") from error


class _Token(AbstractTokenProvider):  # type: ignore[misc]  # the client ships no types
    """Asks for the token whenever a connection needs one: whoever renews it writes it where it is read."""

    def __init__(self, read: Callable[[], str]) -> None:
        self._read = read

    async def token(self) -> str:
        """Return the token as it is now."""
        return self._read()


@dataclass(frozen=True, slots=True)
class Security:
    """What every client of a cluster is told. Secrets are asked for at each connection and never kept."""

    protocol: str = "PLAINTEXT"
    tls: Callable[[], ssl.SSLContext] | None = None
    mechanism: str | None = None
    username: str | None = None
    password: Callable[[], str] | None = None
    token: Callable[[], str] | None = None

    @property
    def client(self) -> dict[str, Any]:
        """The options for clients; ``connecting`` calls what is callable among them."""
        options: dict[str, Any] = {"security_protocol": self.protocol}
        if self.tls is not None:
            options["ssl_context"] = self.tls
        if self.mechanism is not None:
            options |= {
                "sasl_mechanism": self.mechanism,
                "sasl_plain_username": self.username,
                "sasl_plain_password": self.password,
            }
        if self.token is not None:
            options["sasl_oauth_token_provider"] = _Token(self.token)
        return options
