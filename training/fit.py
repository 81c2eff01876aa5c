"""A logistic regression whose weights count the way they must, the same bytes from the same rows."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sklearn.linear_model import LogisticRegression

from services.classifier.features import SIGNS

if TYPE_CHECKING:
    from training.data import Row

VERSION = "2"
THRESHOLD = 0.3
"""Statements decide; the weights hold back only what they find unlikely. At 0.5 they held back twelve stories in scope for none out of it."""
DIGITS = 3
RULE_STRENGTH = 1.0
"""scikit-learn's C: how freely weights may leave zero."""
CORPUS_WEIGHT = 0.3
"""Of a row written by us beside one of the news (1.0): half of them are lures, which no stream is."""


@dataclass(frozen=True, slots=True)
class Weights:
    """What is learnt: a bias, and a weight a feature."""

    bias: float
    features: dict[str, float]

    def score(self, row: Row) -> float:
        """Return the probability that the row is in scope, as the product would."""
        total = self.bias + sum(
            weight * value for weight, value in zip(self.features.values(), row.values, strict=True)
        )
        return 1 / (1 + math.exp(-total))

    def flags(self, row: Row) -> bool:
        """Return whether the row would be flagged: joined, and not held back."""
        return row.joined and self.score(row) >= THRESHOLD

    def to_json(self) -> str:
        """Return ``data/weights.json``."""
        table = {"version": VERSION, "threshold": THRESHOLD, "bias": self.bias, "features": self.features}
        return json.dumps(table, indent=1) + "\n"


def fit(rows: Sequence[Row]) -> Weights:
    """Return the weights learnt from rows; a feature that would count the wrong way is left out, and the rest learnt again."""
    names = list(SIGNS)
    kept = list(range(len(names)))
    while True:
        learner = LogisticRegression(C=RULE_STRENGTH, tol=1e-8, max_iter=10_000)
        learner.fit(
            [[row.values[place] for place in kept] for row in rows],
            [row.positive for row in rows],
            sample_weight=[CORPUS_WEIGHT if row.source == "corpus" else 1.0 for row in rows],
        )
        learnt = dict(zip(kept, learner.coef_[0], strict=True))
        wrong = [place for place in kept if learnt[place] * SIGNS[names[place]] < 0]
        if not wrong:
            break
        kept.remove(min(wrong, key=lambda place: learnt[place] * SIGNS[names[place]]))
    features = {name: round(float(learnt.get(place, 0.0)), DIGITS) for place, name in enumerate(names)}
    return Weights(round(float(learner.intercept_[0]), DIGITS), features)
