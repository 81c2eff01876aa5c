"""Every setting is documented with its default, and nothing else is."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

from services.settings import Section, Settings
from services.text.times import parse_duration

DOCS = Path(__file__).parents[2] / "docs" / "settings.md"
ROW = re.compile(r"^\| `([a-z_.]+)` \| `([^`]*)` \| (.+) \|$", re.MULTILINE)


def declared() -> dict[str, object]:
    """Return every setting of the code with its default."""
    found: dict[str, object] = {}
    for name, field in Settings.model_fields.items():
        if isinstance(field.default, Section):
            fields = type(field.default).model_fields
            found |= {f"{name}.{key}": below.default for key, below in fields.items()}
        else:
            found[name] = field.default
    return found


def test_the_table_of_settings_is_the_code() -> None:
    """docs/settings.md lists each setting once, with a sentence."""
    rows = {name: (default, text) for name, default, text in ROW.findall(DOCS.read_text(encoding="utf-8"))}

    assert set(rows) == set(declared())
    assert all(text.endswith((".", ")")) for _, text in rows.values())


def test_documented_durations_are_the_defaults() -> None:
    """A default in the table is the default in the code."""
    rows = {name: default for name, default, _ in ROW.findall(DOCS.read_text(encoding="utf-8"))}
    durations = {name: default for name, default in declared().items() if isinstance(default, timedelta)}

    assert {name: parse_duration(rows[name]) for name in durations} == durations
