"""Labelled items to rows of features: what is read, with its hash, and how rows belong together.

Labelled news is read where it lies beside the checkout and never copied (its publishers own the text); our own
behavioural corpus is part of the project.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from services.classifier.classify import Item, classify, load_model
from services.classifier.features import SIGNS

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared"
DEV = SHARED / "data" / "labelled_dev.jsonl"
HARD = SHARED / "domain" / "hard_negatives.json"
CORPUS = ROOT / "tests" / "corpus" / "detection"
POSITIVE = "arms_ties"


@dataclass(frozen=True, slots=True)
class Row:
    """One labelled item as the classifier saw it."""

    id: str
    source: str
    language: str
    group: str
    """Rows of a group are never on both sides of a split: an ISO week, or a minimal pair."""
    year: int | None
    positive: bool
    borderline: bool
    joined: bool
    flagged: bool
    values: tuple[float, ...]


def rows() -> list[Row]:
    """Return every labelled item there is, in a fixed order. FileNotFoundError: the labelled news is not beside us."""
    return [*dev_rows(), *hard_rows(), *corpus_rows()]


def dev_rows() -> Iterator[Row]:
    """Yield the labelled news; a group is the ISO week of publication."""
    for item in _lines(DEV):
        at = datetime.fromisoformat(item["published"]) if item.get("published") else None
        year, week, _ = at.isocalendar() if at else (0, 0, 0)
        yield _row(item, "dev", f"{year}-W{week:02}", at.year if at else None)


def hard_rows() -> Iterator[Row]:
    """Yield the domain brief's hard negatives and look-alikes, each a group of its own."""
    table = json.loads(HARD.read_text("utf-8"))
    for key, label in (("negatives", "other"), ("look_negative_but_positive", POSITIVE)):
        for number, row in enumerate(table.get(key, ())):
            item = {
                "id": row.get("id", f"{key}-{number}"),
                "title": row["headline"],
                "label": label,
                "lang": "en",
            }
            yield _row(item, "hard", str(item["id"]), None)


def corpus_rows() -> Iterator[Row]:
    """Yield our behavioural corpus; the two sides of a minimal pair are one group."""
    for path in sorted(CORPUS.glob("*.jsonl")):
        for item in _lines(path):
            yield _row(item, "corpus", item.get("pair") or item["id"], None)


def hashes() -> dict[str, str]:
    """Return the SHA-256 of each file that was read, by a name without a folder of this machine."""
    files = {"labelled_dev.jsonl": DEV, "hard_negatives.json": HARD}
    files |= {f"tests/corpus/detection/{path.name}": path for path in sorted(CORPUS.glob("*.jsonl"))}
    return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()}


def _lines(path: Path) -> Iterable[Mapping[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]


def _row(item: Mapping[str, Any], source: str, group: str, year: int | None) -> Row:
    verdict = classify(
        Item(str(item["id"]), item["title"], item.get("summary") or "", item.get("text") or ""), load_model()
    )
    values = {row.feature: row.value for row in verdict.breakdown}
    return Row(
        id=str(item["id"]),
        source=source,
        language=str(item.get("lang", "")),
        group=group,
        year=year,
        positive=item["label"] == POSITIVE,
        borderline=bool(item.get("borderline")),
        joined=bool(values.get("joined")),
        flagged=verdict.flagged,
        values=tuple(values.get(name, 0.0) for name in SIGNS),
    )
