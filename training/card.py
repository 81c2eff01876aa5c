"""``data/MODEL_CARD.md``: what the weights were learnt from, how good they are, how far a score can be trusted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import sklearn

from services.classifier.features import SIGNS
from training.data import Row, hashes
from training.fit import CORPUS_WEIGHT, RULE_STRENGTH, THRESHOLD, Weights
from training.judge import HEAD, Judged, grouped, quality, reliability, splits

BAR = 40
_SENSE = {1: "never against", -1: "never for", 0: "either way"}

INTRO = """# Model card: the weights of the classifier

Written by `make train`; do not edit. The same rows give the same bytes.

**Use.** To rank stories that a statement has flagged, to hold back what is too weak, and to say how sure a flag is. The
weights can flag nothing by themselves: a story without a joined statement cannot reach the threshold, which is checked
whenever they are loaded. Not to be used for any other subject than that of the data pack.

**What the figures cannot say.** The word lists and frames were written while reading the labelled news, so everything
below that is measured on it is kinder than a new month will be: only the weights are judged on weeks they have not seen.
The labels are one reader's, corrected by a second; two such readers agree at an F1 of about .93.
"""


def card(rows: Sequence[Row], weights: Weights) -> str:
    """Return the card."""
    judged = splits(rows)
    weekly = next(iter(judged.values()))
    parts = [
        INTRO,
        "## Data\n",
        _table(("source", "rows", "in scope"), _sources(rows)),
        _table(("file", "SHA-256"), ((f"`{name}`", f"`{digest}`") for name, digest in hashes().items())),
        _method(),
        "## Weights\n",
        _table(
            ("feature", "weight", "may count"),
            ((name, f"{weight:.3f}", _SENSE[SIGNS[name]]) for name, weight in weights.features.items()),
        ),
        f"Bias {weights.bias:.3f}.\n",
        "## Scores\n",
        "Intervals are a bootstrap over groups (ISO weeks, pairs), since near-copies are not independent.\n",
        _table(HEAD, _qualities(judged)),
        "## Reliability\n",
        "Labelled news, each week scored by weights that had not seen it: how often a score is right.\n",
        _plot(weekly),
        "## Own corpus\n",
        "Read while the lists were completed: a floor against loss, no forecast.\n",
        _table(HEAD, _corpus(rows, weights)),
    ]
    return "\n".join(parts)


def _method() -> str:
    return (
        f"scikit-learn {sklearn.__version__}, logistic regression, L2, C = {RULE_STRENGTH:g}; a row of our own corpus "
        f"counts {CORPUS_WEIGHT:g}; a feature that would count the wrong way is left out and the rest is learnt again. "
        f"Threshold {THRESHOLD:g}.\n"
    )


def _sources(rows: Sequence[Row]) -> Iterable[tuple[str, ...]]:
    for source in ("dev", "hard", "corpus"):
        of_source = [row for row in rows if row.source == source]
        yield source, f"{len(of_source):,}", f"{sum(row.positive for row in of_source):,}"


def _qualities(judged: Mapping[str, Sequence[Judged]]) -> Iterable[tuple[str, ...]]:
    for name, found in judged.items():
        yield quality(name, found).cells()
        yield quality(f"{name}, without borderline", [one for one in found if not one.row.borderline]).cells()


def _corpus(rows: Sequence[Row], weights: Weights) -> Iterable[tuple[str, ...]]:
    own = [Judged(row, weights.flags(row), weights.score(row)) for row in rows if row.source == "corpus"]
    for language, found in grouped(own, lambda row: row.language).items():
        yield quality(language, found).cells()


def _plot(judged: Sequence[Judged]) -> str:
    lines = ["```text", "score      items  mean  right"]
    for low, high, items, mean, share in reliability(judged):
        bar = "#" * round(share * BAR)
        lines.append(f"{low:.1f}-{high:.1f}  {items:>6,}  {mean:.2f}   {share:.2f} |{bar:<{BAR}}|")
    return "\n".join([*lines, "```", ""])


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([*lines, ""])
