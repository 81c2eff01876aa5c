"""How good the flags and scores are, on rows that the weights were not learnt from."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sklearn.metrics import average_precision_score

from training.fit import fit

if TYPE_CHECKING:
    from training.data import Row

FOLDS = 5
SEED = 20260512
RESAMPLES = 1_000
BINS = 10
TRAINED_TO, TESTED_FROM = 2023, 2025


@dataclass(frozen=True, slots=True)
class Judged:
    """A row with what was said of it by weights that had not seen it."""

    row: Row
    flagged: bool
    score: float


@dataclass(frozen=True, slots=True)
class Quality:
    """Precision, recall, F1 with its 95 % interval over groups, average precision."""

    name: str
    rows: int
    positives: int
    precision: float
    recall: float
    f1: float
    low: float
    high: float
    ap: float

    def cells(self) -> tuple[str, ...]:
        """Return the row of a table."""
        return (
            self.name,
            f"{self.rows:,}",
            f"{self.positives:,}",
            f"{self.precision:.3f}",
            f"{self.recall:.3f}",
            f"{self.f1:.3f} ({self.low:.3f}-{self.high:.3f})",
            f"{self.ap:.3f}",
        )


HEAD = ("split", "items", "in scope", "P", "R", "F1 (95 %)", "AP")


def splits(rows: Sequence[Row]) -> dict[str, list[Judged]]:
    """Return the four ways of judging news: never at random (one month's near-copies would flatter)."""
    dev = [row for row in rows if row.source == "dev"]
    rest = [row for row in rows if row.source != "dev"]
    english = [row for row in rest if row.language == "en"]
    return {
        "dev, folds by ISO week": by_week(dev, rest),
        f"trained to {TRAINED_TO}, tested {TESTED_FROM}": _judged(
            [row for row in dev if row.year is not None and row.year <= TRAINED_TO] + rest,
            (row for row in dev if row.year is not None and row.year >= TESTED_FROM),
        ),
        "trained en, tested pl": _judged(
            [row for row in dev if row.language == "en"] + english,
            (row for row in dev if row.language == "pl"),
        ),
        "trained en, tested ko": _judged(
            [row for row in dev if row.language == "en"] + english,
            (row for row in dev if row.language == "ko"),
        ),
    }


def by_week(dev: Sequence[Row], rest: Sequence[Row]) -> list[Judged]:
    """Judge each fold by weights learnt from the others; the weeks are dealt out in order of their size."""
    weeks = sorted({row.group for row in dev}, key=lambda week: (-sum(r.group == week for r in dev), week))
    fold = {week: place % FOLDS for place, week in enumerate(weeks)}
    found: list[Judged] = []
    for number in range(FOLDS):
        seen = [row for row in dev if fold[row.group] != number]
        found += _judged([*seen, *rest], (row for row in dev if fold[row.group] == number))
    return found


def _judged(seen: Sequence[Row], unseen: Iterable[Row]) -> list[Judged]:
    weights = fit(seen)
    return [Judged(row, weights.flags(row), weights.score(row)) for row in unseen]


def quality(name: str, judged: Sequence[Judged]) -> Quality:
    """Return the figures of one split; the interval is a bootstrap over groups, since near-copies are not independent."""
    precision, recall, f1 = _prf(judged)
    groups: dict[str, list[Judged]] = {}
    for one in judged:
        groups.setdefault(one.row.group, []).append(one)
    dice = random.Random(SEED)  # noqa: S311 - a bootstrap
    names = sorted(groups)
    drawn = sorted(
        _prf([one for group in dice.choices(names, k=len(names)) for one in groups[group]])[2]
        for _ in range(RESAMPLES)
    )
    truth = [one.row.positive for one in judged]
    return Quality(
        name,
        len(judged),
        sum(truth),
        precision,
        recall,
        f1,
        drawn[RESAMPLES * 25 // 1000],
        drawn[RESAMPLES * 975 // 1000],
        float(average_precision_score(truth, [one.score for one in judged])) if any(truth) else 0.0,
    )


def _prf(judged: Sequence[Judged]) -> tuple[float, float, float]:
    hits = sum(one.flagged and one.row.positive for one in judged)
    flagged = sum(one.flagged for one in judged)
    positives = sum(one.row.positive for one in judged)
    precision, recall = hits / max(flagged, 1), hits / max(positives, 1)
    return precision, recall, 2 * hits / max(flagged + positives, 1)


def reliability(judged: Sequence[Judged]) -> list[tuple[float, float, int, float, float]]:
    """Return (from, to, items, mean score, share in scope) of each tenth of the scale that has items."""
    table: list[tuple[float, float, int, float, float]] = []
    for number in range(BINS):
        low, high = number / BINS, (number + 1) / BINS
        inside = [
            one for one in judged if low <= one.score < high or (number == BINS - 1 and one.score == 1.0)
        ]
        if inside:
            mean = sum(one.score for one in inside) / len(inside)
            share = sum(one.row.positive for one in inside) / len(inside)
            table.append((low, high, len(inside), mean, share))
    return table


def grouped(judged: Sequence[Judged], key: Callable[[Row], str]) -> dict[str, list[Judged]]:
    """Return the rows by a key, in its order."""
    found: dict[str, list[Judged]] = {}
    for one in sorted(judged, key=lambda one: key(one.row)):
        found.setdefault(key(one.row), []).append(one)
    return found
