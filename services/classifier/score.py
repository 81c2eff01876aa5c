"""Features and hand-set weights to a score, and the working that explains it.

The rule decides; the score ranks. Loading checks that no sum of the other weights can carry a story across the
threshold against the rule, so ``flagged`` is the rule and ``score >= threshold`` says the same.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

from services.classifier.forms import LexiconError

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

RULE = "joined"
SCORE_DIGITS = 4


@dataclass(frozen=True, slots=True)
class Weights:
    """A weight for each feature in [0, 1]; ``threshold`` on the logistic scale."""

    version: str
    bias: float
    threshold: float
    features: dict[str, float]


def load_weights(root: Traversable | None = None) -> Weights:
    """Read and check ``data/weights.json``."""
    path = (root or files("services.classifier") / "data") / "weights.json"
    raw = path.read_bytes()
    try:
        table = json.loads(raw)
        features = {name: float(weight) for name, weight in table["features"].items()}
        version = f"{table['version']}+{hashlib.sha256(raw).hexdigest()[:8]}"
        weights = Weights(version, float(table["bias"]), float(table["threshold"]), features)
    except (ValueError, KeyError, TypeError) as error:
        message = f"weights.json: {error}"
        raise LexiconError(message) from error
    _check(weights)
    return weights


def _check(weights: Weights) -> None:
    others = [weight for name, weight in weights.features.items() if name != RULE]
    highest_unflagged = weights.bias + sum(weight for weight in others if weight > 0)
    lowest_flagged = (
        weights.bias + weights.features.get(RULE, 0.0) + sum(weight for weight in others if weight < 0)
    )
    cut = math.log(weights.threshold / (1 - weights.threshold))
    if not highest_unflagged < cut <= lowest_flagged:
        message = (
            f"weights.json: the rule does not decide: without it up to {highest_unflagged:.2f}, "
            f"with it from {lowest_flagged:.2f}, threshold {cut:.2f}"
        )
        raise LexiconError(message)


def score(features: dict[str, float], weights: Weights) -> float:
    """Return the logistic of the weighted sum, in [0, 1]."""
    total = weights.bias + sum(weights.features[name] * value for name, value in features.items())
    return round(1 / (1 + math.exp(-total)), SCORE_DIGITS)
