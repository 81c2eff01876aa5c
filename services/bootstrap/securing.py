"""From ``[kafka]`` to what clients need: files and secrets are tried once at the start, then read at each connection."""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from services.bus.kafka.security import Security, Tls, TlsFileError
from services.settings import SettingsError, resolve_secret

if TYPE_CHECKING:
    from services.settings import KafkaSection


def security_of(kafka: KafkaSection, hosts: Sequence[str]) -> Security:
    """Return how clients connect; SettingsError names the setting that is no good, and where it was made."""
    if kafka.security_protocol == "SASL_PLAINTEXT" and not kafka.sasl_over_plaintext:
        _demand_loopback(kafka, hosts)
    return Security(
        protocol=kafka.security_protocol,
        tls=_tls(kafka) if kafka.security_protocol.endswith("SSL") else None,
        mechanism=kafka.sasl_mechanism,
        username=kafka.sasl_username,
        password=_secret(kafka, "sasl_password_ref"),
        token=_secret(kafka, "sasl_token_ref"),
    )


def _demand_loopback(kafka: KafkaSection, hosts: Sequence[str]) -> None:
    for host in hosts:
        if not _is_loopback(host):
            message = (
                f"{kafka.origin('kafka', 'security_protocol')}: SASL_PLAINTEXT would show credentials to whoever is between here and {host}; "
                "use SASL_SSL, or set kafka.sasl_over_plaintext"
            )
            raise SettingsError(message)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _secret(kafka: KafkaSection, setting: str) -> Callable[[], str] | None:
    reference: str | None = getattr(kafka, setting)
    if reference is None:
        return None
    try:
        resolve_secret(reference)
    except SettingsError as error:
        message = f"{kafka.origin('kafka', setting)}: {error}"
        raise SettingsError(message) from error
    return functools.partial(resolve_secret, reference)


def _tls(kafka: KafkaSection) -> Tls:
    password = _secret(kafka, "tls_key_password_ref")
    tls = Tls(kafka.tls_ca, kafka.tls_certificate, kafka.tls_key, password)
    try:
        tls()
    except TlsFileError as error:
        message = f"{kafka.origin('kafka', f'tls_{error.field}')}: {error}"
        raise SettingsError(message) from error
    return tls
