"""The committed JSON Schemas say what the models say."""

from __future__ import annotations

import json

import pytest
from jsonschema import Draft202012Validator

from schemas.export import GENERATED, export, stale, wire_models


def test_the_committed_schemas_are_fresh() -> None:
    """Whoever reads schemas/generated reads what the code does."""
    assert stale() == []


@pytest.mark.parametrize("name", sorted(wire_models()))
def test_each_schema_is_valid_json_schema(name: str) -> None:
    """Of draft 2020-12, and it says so."""
    schema = json.loads((GENERATED / f"{name}.schema.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == Draft202012Validator.META_SCHEMA["$id"]


def test_export_writes_one_file_a_message(tmp_path: object) -> None:
    """``tumen schemas export DIR`` gives every message of the contract."""
    written = {path.name for path in export(GENERATED.__class__(str(tmp_path)))}

    assert written == {f"{name}.schema.json" for name in wire_models()}
    assert {
        "story.schema.json",
        "verdict.schema.json",
        "alert.schema.json",
        "delivery.schema.json",
    } <= written
