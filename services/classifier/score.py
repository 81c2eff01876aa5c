"""Features and weights to a score, and the working that explains it.

The claims decide what can be flagged; the weights, learnt by ``make train``, can only hold back what is too weak. Loading
checks that no sum of weights carries a story without a joined statement across the threshold, and that none counts the
wrong way.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

from services.classifier.features import SIGNS
from services.classifier.forms import LexiconError

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

UNJOINED = ("keys", "listed", "excluded")
"""Features that a story can have without a joined statement."""
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
    """Refuse features that nobody computes, and weights against their sense."""
    if weights.features.keys() != SIGNS.keys():
        odd = min(weights.features.keys() ^ SIGNS.keys())
        message = f"weights.json: feature {odd!r} is missing or unknown"
        raise LexiconError(message)
    for name, weight in weights.features.items():
        if weight * SIGNS[name] < 0:
            message = f"weights.json: {name} {weight} counts the wrong way"
            raise LexiconError(message)
    unjoined = sum(max(weights.features[name], 0.0) for name in UNJOINED)
    if weights.bias + unjoined >= cut_of(weights):
        message = "weights.json: a story that joins nothing could reach the threshold"
        raise LexiconError(message)


def cut_of(weights: Weights) -> float:
    """Return the threshold as a sum of weights."""
    return math.log(weights.threshold / (1 - weights.threshold))


def score(features: dict[str, float], weights: Weights) -> float:
    """Return the logistic of the weighted sum, in [0, 1]."""
    total = weights.bias + sum(weights.features[name] * value for name, value in features.items())
    return round(1 / (1 + math.exp(-total)), SCORE_DIGITS)
