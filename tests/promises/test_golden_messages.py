"""Messages written by version 1 of each model are read for ever, and written again to the byte.

A later version may add optional fields. It may not drop one, rename one, or refuse what stands in these files.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from schemas.export import GENERATED, wire_models

GOLDEN = sorted((Path(__file__).parents[1] / "golden").glob("*.json"))


def model_name(path: Path) -> str:
    """Return which model a file is a message of."""
    return path.stem.removesuffix("-with-claims")


def test_every_model_has_a_golden_message() -> None:
    """No message of the contract is left out."""
    assert {model_name(path) for path in GOLDEN} == set(wire_models())


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_an_old_message_is_read_and_written_again_to_the_byte(path: Path) -> None:
    """Nothing of it is lost, and the canonical form has not moved."""
    written = path.read_bytes().rstrip(b"\n")
    model = wire_models()[model_name(path)]

    assert model.model_validate_json(written).to_json() == written


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_an_old_message_obeys_the_committed_schema(path: Path) -> None:
    """Programs that check messages against schemas/generated accept it."""
    schema = json.loads((GENERATED / f"{model_name(path)}.schema.json").read_text(encoding="utf-8"))

    Draft202012Validator(schema).validate(json.loads(path.read_bytes()))


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_a_newer_writer_does_not_break_an_older_reader(path: Path) -> None:
    """Fields that this version does not know are ignored."""
    message = json.loads(path.read_bytes())
    newer = json.dumps({**message, "a_field_of_tomorrow": {"deep": [1, 2]}})

    read = wire_models()[model_name(path)].model_validate_json(newer)

    assert json.loads(read.to_json()) == message
