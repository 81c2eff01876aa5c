"""Settings from TOML and environment, frozen: the one reader of both.

A later source wins: defaults, the file (``--config``, else ``./tumen.toml``), ``TUMEN_SECTION__KEY``, command line.
Secrets are references (``env:NAME``, ``file:PATH``), read at the moment of use and never kept.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from services.text.times import DURATION_MAX, parse_duration

PREFIX = "TUMEN_"
SQLITE = "sqlite:"
KAFKA = "kafka://"
PORT_MAX = 65_535
CONFIG_DEFAULT = "tumen.toml"
SECRET_BYTES_MAX = 64 * 1024
_SIZE = re.compile(r"(\d+)\s*(B|KiB|MiB|GiB)?")
_SIZE_UNITS = {None: 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_REFERENCE = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*|file:.+")
_TOPIC_PREFIX = re.compile(r"(?=.{1,64}$)[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9_-])?", re.ASCII)
_ENVIRONMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
_HOST_AND_PORT = re.compile(r"(?:\[[0-9A-Fa-f:.%]+\]|[^\s:/\[\]]+):([0-9]{1,5})")
_SECRET_NAME = re.compile(r"password|secret|token|credential", re.IGNORECASE)


class SettingsError(Exception):
    """A setting is wrong; the message is one line that names file or variable, key and reason."""


def parse_size(text: str) -> int:
    """Read ``8MiB``, ``512KiB``, ``100``; ValueError says what is wrong."""
    found = _SIZE.fullmatch(text.strip())
    if not found:
        message = f"not a size: {text!r} (write 8MiB, 512KiB)"
        raise ValueError(message)
    return int(found[1]) * _SIZE_UNITS[found[2]]


def _duration(value: object) -> object:
    return parse_duration(value) if isinstance(value, str) else value


def _size(value: object) -> object:
    return parse_size(value) if isinstance(value, str) else value


def _reference(value: str) -> str:
    """Refuse a secret where its reference is asked for; what stood there is not repeated."""
    if _REFERENCE.fullmatch(value):
        return value
    raise ValueError("write env:NAME or file:PATH; the secret itself never stands in settings")


def _topic_prefix(value: str) -> str:
    """Refuse what cannot begin a topic's name; with a dot at its end there would be two."""
    if _TOPIC_PREFIX.fullmatch(value):
        return value
    message = f"not the beginning of a topic's name: {value[:80]!r} (letters, digits, . _ -; 64 at most, no dot at its end)"
    raise ValueError(message)


def _environment(value: str) -> str:
    if _ENVIRONMENT.fullmatch(value):
        return value
    message = f"not the beginning of an id: {value[:80]!r} (letters, digits, _ -; 32 at most)"
    raise ValueError(message)


def _blank(value: object) -> object:
    """Take an empty text as not set: that is what container definitions pass on."""
    return None if value == "" else value


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


Duration = Annotated[timedelta, BeforeValidator(_duration), Field(ge=timedelta(0), le=DURATION_MAX)]
Size = Annotated[int, BeforeValidator(_size), Field(ge=0)]
Text = Annotated[str | None, BeforeValidator(_blank)]
SecretReference = Annotated[Annotated[str, AfterValidator(_reference)] | None, BeforeValidator(_blank)]
Protocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
Mechanism = Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN", "OAUTHBEARER"]


class Section(BaseModel):
    """A table of settings: immutable; an unknown key is an error."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, hide_input_in_errors=True
    )
    _sources: Sources | None = PrivateAttr(default=None)

    def model_post_init(self, context: Any, /) -> None:
        """Remember where the settings came from."""
        self._sources = context

    def origin(self, *keys: str) -> str:
        """Return where a setting was made (option, variable, or file, line and key); its name where nobody made it.

        ``keys`` is the whole path of the setting, in a section, too.
        """
        return (self._sources and self._sources.of(keys)) or ".".join(keys)


class PollerSection(Section):
    """``[poller]``."""

    interval: Duration = timedelta(minutes=60)
    """Between two polls of a feed that answers conditional requests."""
    interval_min: Duration = timedelta(minutes=15)
    """Never ask one feed more often."""
    interval_max: Duration = timedelta(hours=24)
    """Never wait longer, whatever a server asks."""
    interval_unconditional: Duration = timedelta(hours=6)
    """Between two polls of a feed without validators."""
    breaking_interval: Duration = timedelta(minutes=5)
    """For feeds marked ``priority="breaking"`` while their validators work."""
    host_concurrency: Annotated[int, Field(ge=1, le=16)] = 1
    """Requests in flight to one host."""
    host_spacing: Duration = timedelta(seconds=1)
    """Between the starts of two requests to one host."""
    timeout_total: Duration = timedelta(seconds=30)
    """For a whole fetch, redirects included."""
    body_max: Size = 8 * 1024 * 1024
    """Decompressed bytes of a document; more is an error."""
    allow_private: bool = False
    """Allow feeds on private and loopback addresses."""
    full_text: Literal["never", "candidates"] = "candidates"
    """Whether articles of candidates are fetched (a later version; feeds are all that is fetched now)."""
    parse_workers: Annotated[int, Field(ge=1, le=16)] = 1
    """Parsing processes."""
    user_agent: Annotated[str, Field(min_length=8, max_length=200)] = "tumen/0.1 (+https://tumen.example/bot)"
    """Name yourself and a way to reach you."""


class HealthSection(Section):
    """``[health]``."""

    bind: str = "127.0.0.1"
    """Address of /live, /ready and /metrics."""
    port: Annotated[int, Field(ge=0, le=65531)] = 9642
    """First port; services on one machine take this + n (poller 0 … desk 4); 0: any."""
    stall_timeout: Duration = timedelta(minutes=2)
    """Records wait and none is committed, or the event loop hangs, for this long: the process says where and ends; 0s: never."""


class DeskSection(Section):
    """``[desk]``."""

    bind: str = "127.0.0.1"
    """Address of the desk; others than loopback need a proxy in front that knows who may read."""
    port: Annotated[int, Field(ge=0, le=65535)] = 8642
    """Port of the desk; busy: the next free one."""
    hosts: tuple[str, ...] = ()
    """Host names, besides localhost and IP literals, under which the desk answers."""


class AlerterSection(Section):
    """``[alerter]``."""

    allow_private: bool = False
    """Allow webhooks on private and loopback addresses."""


class KafkaSection(Section):
    """``[kafka]``: how a ``kafka://`` log is used."""

    topic_prefix: Annotated[str, AfterValidator(_topic_prefix)] = "tumen"
    """The first part of the names of topics and groups, without the dot; several installations may share a cluster."""
    environment: Annotated[str, AfterValidator(_environment)] = "prod"
    """The first part of transactional ids: the same for all processes of an installation, or late ones are not fenced."""
    session_timeout: Annotated[Duration, Field(ge=timedelta(seconds=1), le=timedelta(minutes=5))] = timedelta(
        seconds=10
    )
    """A process that died or froze loses its partitions after this; the brokers bound it, too."""
    partitions: Annotated[int, Field(ge=1, le=1_000)] = 16
    """Partitions of the sharded topics, for `tumen topics`; never changed once the topics are there."""
    security_protocol: Annotated[Protocol, BeforeValidator(_upper)] = "PLAINTEXT"
    """Kafka's own words: `PLAINTEXT`, `SSL`, `SASL_PLAINTEXT`, `SASL_SSL`."""
    tls_ca: Annotated[Text, Field(validate_default=True)] = None
    """File (PEM) of the authorities that may sign the brokers' certificates; else the system's."""
    tls_certificate: Annotated[Text, Field(validate_default=True)] = None
    """File (PEM) of the client's certificate and what signed it."""
    tls_key: Annotated[Text, Field(validate_default=True)] = None
    """File (PEM) of the client's private key."""
    tls_key_password_ref: Annotated[SecretReference, Field(validate_default=True)] = None
    """`env:NAME` or `file:PATH` of the key's password."""
    sasl_mechanism: Annotated[
        Mechanism | None, BeforeValidator(_blank), BeforeValidator(_upper), Field(validate_default=True)
    ] = None
    """`SCRAM-SHA-512`, `SCRAM-SHA-256`, `PLAIN` or `OAUTHBEARER`."""
    sasl_username: Annotated[Text, Field(validate_default=True)] = None
    """User of SCRAM and PLAIN."""
    sasl_password_ref: Annotated[SecretReference, Field(validate_default=True)] = None
    """`env:NAME` or `file:PATH` of the user's password."""
    sasl_token_ref: Annotated[SecretReference, Field(validate_default=True)] = None
    """`env:NAME` or `file:PATH` of the token of OAUTHBEARER, read anew for each connection."""
    sasl_over_plaintext: bool = False
    """Allow `SASL_PLAINTEXT` beyond loopback: whoever is on the way may read along."""

    @field_validator(
        "tls_ca",
        "tls_certificate",
        "tls_key",
        "tls_key_password_ref",
        "sasl_mechanism",
        "sasl_username",
        "sasl_password_ref",
        "sasl_token_ref",
    )
    @classmethod
    def _fits(cls, value: str | None, info: ValidationInfo) -> str | None:
        """Hold each setting against those before it, so that the message names the one that is wrong or missing."""
        if problem := _misfit(info.field_name or "", value, info.data):
            raise ValueError(problem)
        return value


def _misfit(name: str, value: str | None, before: Mapping[str, Any]) -> str | None:
    """Return why a setting of ``[kafka]`` does not go with those before it; None: it does."""
    protocol = before.get("security_protocol")
    if protocol is None:
        return None  # it is wrong itself, and that is what is said
    if name.startswith("tls_"):
        return _tls_misfit(name, value, protocol, before.get("tls_certificate"), before.get("tls_key"))
    if not protocol.startswith("SASL"):
        return value and f"only with security_protocol SASL_SSL or SASL_PLAINTEXT, and that is {protocol}"
    if name == "sasl_mechanism":
        return None if value else f"must be set with security_protocol {protocol} (SCRAM-SHA-512, …)"
    return _sasl_misfit(name, value, before.get("sasl_mechanism"))


def _tls_misfit(
    name: str, value: str | None, protocol: str, certificate: str | None, key: str | None
) -> str | None:
    if value and not protocol.endswith("SSL"):
        return f"only with security_protocol SSL or SASL_SSL, and that is {protocol}"
    if name == "tls_key" and bool(value) != bool(certificate):
        return "only with tls_certificate" if value else "must be set with tls_certificate"
    if name == "tls_key_password_ref" and value and not key:
        return "only with tls_key"
    return None


def _sasl_misfit(name: str, value: str | None, mechanism: str | None) -> str | None:
    if mechanism is None:
        return None  # it is wrong itself
    wanted = (name == "sasl_token_ref") == (mechanism == "OAUTHBEARER")
    if wanted and not value:
        return f"must be set with sasl_mechanism {mechanism}"
    return f"not with sasl_mechanism {mechanism}" if value and not wanted else None


class LogSection(Section):
    """``[log]``."""

    format: Literal["json", "console"] = "console"
    """One JSON object a line, or columns for people."""


class Settings(Section):
    """All settings."""

    bus: str = "sqlite:tumen.db"
    """``sqlite:PATH``, ``sqlite::memory:`` or ``kafka://HOST:PORT[,HOST:PORT]``."""
    feeds: str | None = None
    """Feed list (OPML or TOML) imported at start-up; on Kafka only `tumen feeds import` does."""
    subscribers: str | None = None
    """Subscriber list (TOML) imported at start-up; on Kafka only `tumen subscribers import` does."""
    poller: PollerSection = PollerSection()
    alerter: AlerterSection = AlerterSection()
    desk: DeskSection = DeskSection()
    health: HealthSection = HealthSection()
    kafka: KafkaSection = KafkaSection()
    log: LogSection = LogSection()

    @field_validator("bus")
    @classmethod
    def _bus(cls, value: str) -> str:
        """Refuse what names no log, and user and password in a URL: it is logged and seen in lists of processes."""
        if fault := bus_fault(value):
            raise ValueError(fault)
        return value


NO_CREDENTIALS = "a URL holds no credentials: set kafka.sasl_username and kafka.sasl_password_ref"


def bus_fault(url: str) -> str | None:
    """Return why a URL names no log; one that holds more than hosts and ports is not repeated."""
    if url.startswith(SQLITE) and url != SQLITE:
        return None
    if ":" in url and re.search(r"[@?]", url):  # a mistyped scheme counts
        return NO_CREDENTIALS
    if url.startswith(KAFKA) and all(map(_host_and_port, url.removeprefix(KAFKA).split(","))):
        return None
    written = (
        "kafka://HOST:PORT[,HOST:PORT]" if url.startswith("kafka:") else "sqlite:PATH or kafka://HOST:PORT"
    )
    return f"not a log this version can open: {url!r}; write {written}"


def _host_and_port(text: str) -> bool:
    found = _HOST_AND_PORT.fullmatch(text)
    return found is not None and 0 < int(found[1]) <= PORT_MAX


@dataclass(frozen=True, slots=True)
class Sources:
    """What settings were made from."""

    path: str
    text: str = field(repr=False)
    environment: Mapping[str, str] = field(repr=False)
    """Never shown: it may hold secrets that are not tumen's."""
    overrides: Mapping[str, Any] = field(repr=False)

    def of(self, keys: Sequence[str], *, known: bool = True) -> str | None:
        """Return what made a setting, the last one first, and the setting's name; None: nothing did.

        An option and a top-level variable are named like the setting, and one that there is not has no name.
        """
        if _holds(self.overrides, keys):
            return f"--{'-'.join(keys)}"
        variable = PREFIX + "__".join(keys).upper()
        named = [
            one for one in sorted(self.environment) if one == variable or one.startswith(f"{variable}__")
        ]
        line = _line_of(keys, self.text)
        if named and (named[0] == variable or line is None):
            return f"{named[0]}: {'.'.join(keys)}" if known and len(keys) > 1 else named[0]
        return f"{self.path}:{line}: {'.'.join(keys)}" if line else None


def _holds(table: Mapping[str, Any], keys: Sequence[str]) -> bool:
    """Whether a table has the key at the end of a path."""
    below = table.get(keys[0])
    if len(keys) == 1:
        return keys[0] in table
    return isinstance(below, dict) and _holds(below, keys[1:])


def load(
    config: str | None, environment: Mapping[str, str], overrides: Mapping[str, Any] | None = None
) -> Settings:
    """Return the settings; SettingsError names file and line, or variable, and what is wrong."""
    path, table, text = _read_file(config)
    merged = _merge(_merge(table, _from_environment(environment)), overrides or {})
    sources = Sources(path, text, environment, overrides or {})
    try:
        return Settings.model_validate(merged, context=sources)
    except ValidationError as error:
        raise SettingsError(_explain(error, sources)) from error


def process_environment() -> Mapping[str, str]:
    """Return the environment of this process."""
    return os.environ  # noqa: TID251 - this is the one file


def _read_file(config: str | None) -> tuple[str, dict[str, Any], str]:
    path = Path(config or CONFIG_DEFAULT)
    if config is None and not path.is_file():
        return str(path), {}, ""
    try:
        text = path.read_text(encoding="utf-8")
        return str(path), tomllib.loads(text), text
    except OSError as error:
        message = f"{path}: cannot be read: {error.strerror or error}"
        raise SettingsError(message) from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        message = f"{path}: not TOML: {error}"
        raise SettingsError(message) from error


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    table: dict[str, Any] = {}
    for name, value in sorted(environment.items()):
        if not name.startswith(PREFIX) or name.startswith((PREFIX + "SECRET_", PREFIX + "DEMO_")):
            continue  # names for secrets that references point at
        *sections, key = name.removeprefix(PREFIX).lower().split("__")
        target = table
        for section in sections:
            if not isinstance(target.setdefault(section, {}), dict):
                message = (
                    f"{name}: {PREFIX}{'__'.join(sections).upper()} is set, too; a setting is no section"
                )
                raise SettingsError(message)
            target = target[section]
        target[key] = value.split(",") if (sections, key) == (["desk"], "hosts") else value
    return table


def _merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = _merge(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged


def _explain(error: ValidationError, sources: Sources) -> str:
    errors = error.errors(include_url=False)
    first = next(
        (one for one in errors if one["type"] == "extra_forbidden"), errors[0]
    )  # often why another is missing
    keys = [str(part) for part in first["loc"]]
    what = _what(first["type"], first["msg"], keys[-1])
    if (origin := sources.of(keys, known=first["type"] != "extra_forbidden")) is not None:
        return f"{origin}: {what}"
    where = f"{sources.path}: " if sources.text else ""
    return f"{where}{'.'.join(keys)}: {what}"


def _what(kind: str, message: str, key: str) -> str:
    if kind != "extra_forbidden":
        return message.removeprefix("Value error, ")
    if _SECRET_NAME.search(key) and not key.endswith("_ref"):
        return (
            "unknown setting; secrets are named by a reference (…_ref = env:NAME or file:PATH), never written"
        )
    return "unknown setting"


def _line_of(keys: Sequence[str], text: str) -> int | None:
    """Return the line on which a key of a table stands; None where it cannot be told."""
    table = ""
    wanted = ".".join(keys[:-1])
    for number, line in enumerate(text.splitlines(), start=1):
        header = re.match(r"\s*\[([^\[\]]+)\]", line)
        if header:
            table = header[1].strip()
            if table == ".".join(keys):
                return number
        elif table == wanted and re.match(rf"\s*[\"']?{re.escape(keys[-1])}[\"']?\s*=", line):
            return number
    return None


def resolve_secret(reference: str, environment: Mapping[str, str] | None = None) -> str:
    """Return the secret behind ``env:NAME`` or ``file:PATH``; SettingsError names the reference, never the value."""
    scheme, _, name = reference.partition(":")
    if scheme == "env" and name:
        value = (process_environment() if environment is None else environment).get(name)
        if value:
            return value
        message = f"secret {reference}: the environment variable is not set"
        raise SettingsError(message)
    if scheme == "file" and name:
        try:
            with Path(name).open(encoding="utf-8") as file:
                return file.read(SECRET_BYTES_MAX).strip()
        except (OSError, UnicodeDecodeError) as error:
            message = f"secret {reference}: cannot be read"
            raise SettingsError(message) from error
    message = f"secret {reference!r}: write env:NAME or file:PATH"
    raise SettingsError(message)
