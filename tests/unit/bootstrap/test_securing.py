"""What is wrong with files and secrets for Kafka is said of the setting, and of where it was made."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.bootstrap.securing import security_of
from services.settings import SettingsError, load

SASL = {"TUMEN_KAFKA__SASL_MECHANISM": "PLAIN", "TUMEN_KAFKA__SASL_USERNAME": "anna"}


@pytest.mark.parametrize(
    ("text", "environment", "said"),
    [
        (
            'security_protocol = "SSL"\ntls_ca = "absent.pem"',
            {},
            "FILE:3: kafka.tls_ca: absent.pem: cannot be read",
        ),
        (
            'security_protocol = "SSL"',
            {"TUMEN_KAFKA__TLS_CA": "absent.pem"},
            "TUMEN_KAFKA__TLS_CA: kafka.tls_ca: absent.pem: cannot be read",
        ),
        (
            'security_protocol = "SASL_SSL"\nsasl_password_ref = "env:ABSENT_HERE"',
            SASL,
            "FILE:3: kafka.sasl_password_ref: secret env:ABSENT_HERE: the environment variable is not set",
        ),
        (
            'security_protocol = "SASL_PLAINTEXT"\nsasl_password_ref = "env:ABSENT_HERE"',
            SASL,
            "FILE:2: kafka.security_protocol: SASL_PLAINTEXT would show credentials",
        ),
    ],
)
def test_the_line_names_the_setting_and_where_it_was_made(
    tmp_path: Path, text: str, environment: dict[str, str], said: str
) -> None:
    """An operator with a file, a container definition and a shell knows which of them to mend."""
    path = tmp_path / "tumen.toml"
    path.write_text(f"[kafka]\n{text}\n", encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        security_of(load(str(path), environment).kafka, ["broker.example"])
    assert str(caught.value).startswith(said.replace("FILE", str(path)))
