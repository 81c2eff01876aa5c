"""Our behavioural corpus (CheckList, Ribeiro et al. 2020): floors a language and a capability, and minimal pairs."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from services.classifier.classify import Item, classify, held_back, load_model

FOLDER = Path(__file__).parent / "detection"
LANGUAGES = sorted(path.stem for path in FOLDER.glob("*.jsonl"))
POSITIVE = "arms_ties"
ITEMS_MIN, PAIRS_MIN, CAPABILITIES_MIN = 40, 18, 8
GATE_FLOOR = 0.995
F1_FLOOR, PAIRS_FLOOR, CAPABILITY_FLOOR = 0.95, 0.95, 0.90
CAPABILITIES = frozenset(
    {
        "vocabulary",
        "inflection",
        "names",
        "robustness",
        "denial",
        "coreference",
        "personnel",
        "technology",
        "logistics",
        "direction",
        "false_friends",
        "other_suppliers",
        "wrong_korea",
        "captured_arms",
        "test_and_comment",
        "history",
        "commentary",
        "civil",
        "sport",
        "cyber",
        "fiction",
        "protocol",
    }
)


@dataclass(frozen=True, slots=True)
class Judged:
    """An item and whether the classifier flags it."""

    item: dict[str, Any]
    flagged: bool

    @property
    def positive(self) -> bool:
        """Whether it is labelled as in scope."""
        return bool(self.item["label"] == POSITIVE)

    @property
    def right(self) -> bool:
        """Whether the flag is as the label says."""
        return self.flagged == self.positive


@cache
def judged(language: str) -> list[Judged]:
    """Return a language's items, judged without being told the language."""
    lines = (FOLDER / f"{language}.jsonl").read_text("utf-8").splitlines()
    items = [json.loads(line) for line in lines]
    return [
        Judged(item, classify(Item(item["id"], item["title"], item["summary"]), load_model()).flagged)
        for item in items
    ]


def f1_of(found: Iterable[Judged]) -> float:
    """Return 2 TP / (flagged + positives)."""
    found = list(found)
    hits = sum(one.flagged and one.right for one in found)
    wanted = sum(one.positive for one in found)
    return 2 * hits / (sum(one.flagged for one in found) + wanted)


def wrong(found: Iterable[Judged]) -> list[str]:
    """Return what a person needs to see of the wrong ones."""
    return [f"{one.item['id']} {one.item['test']}: {one.item['title']}" for one in found if not one.right]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_language_is_covered_and_its_floor_holds(language: str) -> None:
    """Enough items of enough kinds, and the flags right in 95 of 100."""
    found = judged(language)
    assert len(found) >= ITEMS_MIN
    assert len({one.item["id"] for one in found}) == len(found)
    assert {one.item["test"] for one in found} <= CAPABILITIES
    assert len({one.item["test"] for one in found}) >= CAPABILITIES_MIN
    assert f1_of(found) >= F1_FLOOR, wrong(found)


@pytest.mark.parametrize("language", LANGUAGES)
def test_of_a_minimal_pair_both_sides_are_right(language: str) -> None:
    """One word decides; a classifier that looks elsewhere gets one side wrong."""
    pairs: dict[str, list[Judged]] = defaultdict(list)
    for one in judged(language):
        if "pair" in one.item:
            pairs[one.item["pair"]].append(one)
    assert len(pairs) >= PAIRS_MIN
    assert [name for name, sides in pairs.items() if len({side.item["label"] for side in sides}) != 2] == []
    right = sum(all(side.right for side in sides) for sides in pairs.values())
    assert right / len(pairs) >= PAIRS_FLOOR, wrong(side for sides in pairs.values() for side in sides)


def test_the_gate_lets_what_is_in_scope_pass() -> None:
    """What it holds back nothing else can find: its own recall over all languages."""
    wanted = [one.item for language in LANGUAGES for one in judged(language) if one.positive]
    held = [
        item["id"]
        for item in wanted
        if held_back(Item(item["id"], item["title"], item["summary"]), load_model())[0]
    ]
    assert len(held) / len(wanted) <= 1 - GATE_FLOOR, held


def test_every_capability_holds_over_all_languages() -> None:
    """A frame that one language lacks is seen where languages are read together."""
    total, right = Counter[str](), Counter[str]()
    for found in map(judged, LANGUAGES):
        for one in found:
            total[one.item["test"]] += 1
            right[one.item["test"]] += one.right
    assert set(total) == CAPABILITIES
    low = {name: right[name] / total[name] for name in total if right[name] / total[name] < CAPABILITY_FLOOR}
    assert low == {}
