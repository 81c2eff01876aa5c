"""Settings: defaults, file, environment, command line; and one clear line for what is wrong."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from services.settings import SettingsError, load, parse_size, resolve_secret


def write(tmp_path: Path, text: str) -> str:
    """Write a settings file and return its path."""
    path = tmp_path / "tumen.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_a_later_source_wins(tmp_path: Path) -> None:
    """Defaults, then the file, then the environment, then the command line."""
    path = write(tmp_path, 'bus = "sqlite:file.db"\n[poller]\ninterval = "30m"\nhost_spacing = "2s"\n')
    environment = {"TUMEN_POLLER__INTERVAL": "20m", "TUMEN_BUS": "sqlite:env.db", "HOME": "/"}

    settings = load(path, environment, {"bus": "sqlite:cli.db"})

    assert settings.bus == "sqlite:cli.db"
    assert settings.poller.interval == timedelta(minutes=20)
    assert settings.poller.host_spacing == timedelta(seconds=2)
    assert settings.poller.interval_max == timedelta(hours=24)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("bus = oops\n", r"tumen\.toml: not TOML: .*line 1"),
        ('\n[poller]\nintervall = "30m"\n', r"tumen\.toml:3: poller\.intervall: unknown setting"),
        ('[poller]\ninterval = "soon"\n', r"tumen\.toml:2: poller\.interval: not a duration: 'soon'"),
        ('[poller]\ninterval = "99999999999d"\n', r"tumen\.toml:2: poller\.interval: longer than 3660 days"),
        (
            "[poller]\ninterval_max = 999999999999\n",
            r"tumen\.toml:2: poller\.interval_max: Input should be less",
        ),
        ("[polling]\n", r"tumen\.toml:1: polling: unknown setting"),
        ('[poller]\nbody_max = "8MB"\n', r"tumen\.toml:2: poller\.body_max: not a size"),
    ],
)
def test_a_wrong_file_names_line_key_and_reason(tmp_path: Path, text: str, said: str) -> None:
    """Unreadable TOML, unknown keys and wrong values are one line each."""
    with pytest.raises(SettingsError, match=said) as caught:
        load(write(tmp_path, text), {})

    assert "\n" not in str(caught.value)


def test_a_wrong_variable_is_named() -> None:
    """An unknown variable with our prefix is an error: it would have been ignored silently."""
    with pytest.raises(SettingsError, match=r"^TUMEN_POLLER__INTERVALL: unknown setting$"):
        load(None, {"TUMEN_POLLER__INTERVALL": "30m"})


def test_a_variable_of_an_unknown_section_is_named_beside_a_file(tmp_path: Path) -> None:
    """The file that does not hold the mistake is not blamed; one that holds it is."""
    path = write(tmp_path, "[poller]\nparse_workers = 1\n")
    with pytest.raises(SettingsError, match=r"^TUMEN_POLLING__INTERVAL: unknown setting$"):
        load(path, {"TUMEN_POLLING__INTERVAL": "30m"})
    path = write(tmp_path, "[polling]\n")
    with pytest.raises(SettingsError, match=r"tumen\.toml:1: polling: unknown setting$"):
        load(path, {"TUMEN_POLLING__INTERVAL": "30m"})


@pytest.mark.parametrize(
    "environment",
    [
        {"TUMEN_POLLER": "x", "TUMEN_POLLER__INTERVAL": "30m"},
        {"TUMEN_BUS": "sqlite:a.db", "TUMEN_BUS__PATH": "b.db"},
    ],
)
def test_a_variable_that_is_setting_and_section_at_once_is_named(environment: dict[str, str]) -> None:
    """One line, no traceback."""
    with pytest.raises(SettingsError, match=r"^TUMEN_\w+__\w+: TUMEN_\w+ is set, too"):
        load(None, environment)


BROKEN = "kafka://broker"


@pytest.mark.parametrize(
    ("text", "environment", "overrides", "said"),
    [
        (f'# mine\nbus = "{BROKEN}"\n', {}, {}, "FILE:2: bus: not a log"),
        (f'bus = "{BROKEN}"\n', {"TUMEN_BUS": BROKEN}, {}, "TUMEN_BUS: not a log"),
        (f'bus = "{BROKEN}"\n', {"TUMEN_BUS": "sqlite:good.db"}, {"bus": BROKEN}, "--bus: not a log"),
        ("", {}, {"log": {"format": "xml"}}, "--log-format: Input should be"),
    ],
)
def test_a_mistake_is_said_of_where_it_was_made(
    tmp_path: Path, text: str, environment: dict[str, str], overrides: dict[str, str], said: str
) -> None:
    """The option that was given is named, not the variable that it stands in front of."""
    path = write(tmp_path, text)
    with pytest.raises(SettingsError) as caught:
        load(path, environment, overrides)
    assert str(caught.value).startswith(said.replace("FILE", path))


def test_settings_know_where_each_was_made(tmp_path: Path) -> None:
    """For what is wrong only where it is used; a default is called by its name."""
    path = write(tmp_path, '[kafka]\nenvironment = "stage"\n')
    settings = load(path, {"TUMEN_KAFKA__PARTITIONS": "8"}, {"bus": "sqlite:a.db"})
    assert settings.origin("kafka", "environment") == f"{path}:2: kafka.environment"
    assert settings.origin("kafka", "partitions") == "TUMEN_KAFKA__PARTITIONS: kafka.partitions"
    assert settings.kafka.origin("kafka", "environment") == f"{path}:2: kafka.environment"
    assert settings.origin("bus") == "--bus"
    assert settings.origin("desk", "port") == "desk.port"


@pytest.mark.parametrize(
    "url",
    [
        *("", "sqlite:", "tumen.db", "redis://127.0.0.1:6379", "kafka://", "kafka:127.0.0.1:9092"),
        *("kafka://broker", "kafka://:9092", "kafka://broker:", "kafka://broker:high", "kafka://broker:0"),
        *("kafka://broker:65536", "kafka://broker:9092/", "kafka://a:9092,", "kafka://a:9092, b:9092"),
        *("kafka://::1:9092", "kafka://broker:٩٠٩٢"),
    ],
)
def test_what_names_no_log_is_refused_before_anything_is_opened(url: str) -> None:
    """The line says how a log is written."""
    with pytest.raises(SettingsError, match=r"^TUMEN_BUS: not a log .*write .*HOST:PORT"):
        load(None, {"TUMEN_BUS": url})


@pytest.mark.parametrize(
    "url", ["sqlite::memory:", "sqlite:who@me?.db", "kafka://a:9092", "kafka://a.example:1,[::1]:65535"]
)
def test_what_names_a_log_is_taken(url: str) -> None:
    """A path may hold anything; a cluster has hosts, addresses, ports."""
    assert load(None, {"TUMEN_BUS": url}).bus == url


@pytest.mark.parametrize("prefix", ["", ".news", "news.", "-news", "n" * 65, "näws", "a b"])
def test_a_prefix_that_begins_no_topic_is_refused_by_name(prefix: str, tmp_path: Path) -> None:
    """With a dot at its end, topics would have two."""
    path = write(tmp_path, f'[kafka]\ntopic_prefix = "{prefix}"\n')
    with pytest.raises(SettingsError, match=r"tumen\.toml:2: kafka\.topic_prefix: not the beginning"):
        load(path, {})
    with pytest.raises(
        SettingsError, match=r"^TUMEN_KAFKA__ENVIRONMENT: kafka\.environment: not the beginning of an id"
    ):
        load(None, {"TUMEN_KAFKA__ENVIRONMENT": f"{prefix}."})


def test_prefixes_are_letters_digits_and_a_few_signs() -> None:
    """As long as Kafka's names allow."""
    for prefix in ("n", "n" * 64, "a.b-c_d", "9"):
        assert load(None, {"TUMEN_KAFKA__TOPIC_PREFIX": prefix}).kafka.topic_prefix == prefix


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    """``--config`` with a wrong path is not ignored."""
    with pytest.raises(SettingsError, match="cannot be read"):
        load(str(tmp_path / "absent.toml"), {})


def test_sizes_read_as_people_write_them() -> None:
    """8MiB is 8 MiB."""
    assert [parse_size(text) for text in ("8MiB", "512 KiB", "100", "1GiB")] == [
        8 << 20,
        512 << 10,
        100,
        1 << 30,
    ]


def test_secrets_come_from_environment_or_file_and_are_never_told(tmp_path: Path) -> None:
    """A reference resolves at the moment of use; failures name the reference only."""
    (tmp_path / "token").write_text("s3cret\n", encoding="utf-8")

    assert resolve_secret("env:TOKEN", {"TOKEN": "abc"}) == "abc"
    assert resolve_secret(f"file:{tmp_path}/token") == "s3cret"
    for reference in ("env:ABSENT", f"file:{tmp_path}/absent", "abc"):
        with pytest.raises(SettingsError, match="secret"):
            resolve_secret(reference, {})


SASL = {"TUMEN_KAFKA__SECURITY_PROTOCOL": "sasl_ssl", "TUMEN_KAFKA__SASL_MECHANISM": "scram-sha-512"}
SCRAM = SASL | {
    "TUMEN_KAFKA__SASL_USERNAME": "tumen",
    "TUMEN_KAFKA__SASL_PASSWORD_REF": "env:KAFKA_PASSWORD",
}
TLS = {"TUMEN_KAFKA__SECURITY_PROTOCOL": "SSL"}


def test_credentials_of_kafka_go_together() -> None:
    """A user with a password, a token, or a certificate with its key; an empty variable is not set."""
    kafka = load(None, SCRAM | {"TUMEN_KAFKA__TLS_CA": ""}).kafka
    assert (kafka.security_protocol, kafka.sasl_mechanism, kafka.tls_ca) == (
        "SASL_SSL",
        "SCRAM-SHA-512",
        None,
    )
    token = {
        "TUMEN_KAFKA__SECURITY_PROTOCOL": "SASL_SSL",
        "TUMEN_KAFKA__SASL_MECHANISM": "OAUTHBEARER",
        "TUMEN_KAFKA__SASL_TOKEN_REF": "file:/run/token",
    }
    assert load(None, token).kafka.sasl_token_ref == "file:/run/token"
    pair = {"TUMEN_KAFKA__TLS_CERTIFICATE": "a.pem", "TUMEN_KAFKA__TLS_KEY": "a.key"}
    assert load(None, TLS | pair).kafka.tls_key == "a.key"


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        (
            {"TUMEN_KAFKA__SECURITY_PROTOCOL": "TLS"},
            "TUMEN_KAFKA__SECURITY_PROTOCOL: kafka.security_protocol: Input should be 'PLAINTEXT'",
        ),
        ({"TUMEN_KAFKA__SECURITY_PROTOCOL": "SASL_SSL"}, "kafka.sasl_mechanism: must be set"),
        (SASL, "kafka.sasl_username: must be set with sasl_mechanism SCRAM-SHA-512"),
        (SASL | {"TUMEN_KAFKA__SASL_USERNAME": "tumen"}, "kafka.sasl_password_ref: must be set"),
        (
            SCRAM | {"TUMEN_KAFKA__SASL_TOKEN_REF": "env:T"},
            "TUMEN_KAFKA__SASL_TOKEN_REF: kafka.sasl_token_ref: not with",
        ),
        (
            SCRAM | {"TUMEN_KAFKA__SASL_MECHANISM": "OAUTHBEARER"},
            "TUMEN_KAFKA__SASL_USERNAME: kafka.sasl_username: not with",
        ),
        (
            {"TUMEN_KAFKA__SASL_MECHANISM": "PLAIN"},
            "TUMEN_KAFKA__SASL_MECHANISM: kafka.sasl_mechanism: only with security_protocol",
        ),
        ({"TUMEN_KAFKA__TLS_CA": "ca.pem"}, "TUMEN_KAFKA__TLS_CA: kafka.tls_ca: only with security_protocol"),
        (TLS | {"TUMEN_KAFKA__TLS_CERTIFICATE": "a.pem"}, "kafka.tls_key: must be set with tls_certificate"),
        (
            TLS | {"TUMEN_KAFKA__TLS_KEY": "a.key"},
            "TUMEN_KAFKA__TLS_KEY: kafka.tls_key: only with tls_certificate",
        ),
        (
            TLS | {"TUMEN_KAFKA__TLS_KEY_PASSWORD_REF": "env:P"},
            "TUMEN_KAFKA__TLS_KEY_PASSWORD_REF: kafka.tls_key_password_ref: only with tls_key",
        ),
    ],
)
def test_credentials_of_kafka_that_do_not_go_together_are_named(
    environment: dict[str, str], said: str
) -> None:
    """One line that names the setting which is wrong or missing."""
    with pytest.raises(SettingsError) as caught:
        load(None, environment)
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("environment", "overrides", "named"),
    [
        (SCRAM | {"TUMEN_KAFKA__SASL_PASSWORD_REF": "hunter2"}, {}, "TUMEN_KAFKA__SASL_PASSWORD_REF"),
        (SASL | {"TUMEN_KAFKA__SASL_PASSWORD": "hunter2"}, {}, "TUMEN_KAFKA__SASL_PASSWORD"),
        ({"TUMEN_BUS": "kafka://tumen:hunter2@kafka:9092"}, {}, "TUMEN_BUS"),
        ({}, {"bus": "kafka://kafka:9092?password=hunter2"}, "--bus"),
    ],
)
def test_a_secret_that_is_written_out_is_refused_and_not_repeated(
    environment: dict[str, str], overrides: dict[str, str], named: str
) -> None:
    """The setting is named, the secret is not."""
    with pytest.raises(SettingsError) as caught:
        load(None, environment, overrides)
    assert str(caught.value).startswith(f"{named}: ")
    assert "hunter2" not in str(caught.value)
    assert "_ref" in str(caught.value) or "env:NAME" in str(caught.value)
