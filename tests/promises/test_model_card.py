"""The model card speaks of the weights that are shipped and of the corpus that is there."""

from __future__ import annotations

import hashlib
import json
import re
from importlib.resources import files
from pathlib import Path

import pytest

from services.classifier.features import SIGNS

ROOT = Path(__file__).parents[2]
DATA = files("services.classifier") / "data"
CARD = (DATA / "MODEL_CARD.md").read_text("utf-8")


def test_the_weights_of_the_card_are_those_that_are_shipped() -> None:
    """Nobody edits one without the other."""
    shipped = json.loads((DATA / "weights.json").read_text("utf-8"))
    told = dict(re.findall(r"^\| (\w+) \| (-?\d+\.\d{3}) \| (?:never|either)", CARD, re.MULTILINE))
    assert {name: float(weight) for name, weight in told.items()} == shipped["features"]
    assert told.keys() == SIGNS.keys()
    assert f"Bias {shipped['bias']:.3f}." in CARD


@pytest.mark.skipif(
    not (ROOT.parent / "shared" / "data").exists(),
    reason="`make train` needs the labelled news beside the project",
)
def test_the_corpus_of_the_card_is_the_one_that_is_there() -> None:
    """A changed corpus asks for `make train`."""
    told = dict(re.findall(r"`(tests/corpus/detection/[\w-]+\.jsonl)` \| `(\w{64})`", CARD))
    there = {
        str(path.relative_to(ROOT)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (ROOT / "tests" / "corpus" / "detection").glob("*.jsonl")
    }
    assert told == there
