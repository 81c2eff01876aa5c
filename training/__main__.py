"""``python -m training``: learn ``weights.json`` and write its card (`make train`); ``--eval``: print the tables (`make eval`)."""

from __future__ import annotations

import sys
from pathlib import Path

import services.classifier
from training.card import card
from training.data import DEV, ROOT, rows
from training.evaluate import evaluate
from training.fit import fit

DATA = Path(services.classifier.__file__).parent / "data"


def main(arguments: list[str]) -> int:
    """Train, or evaluate what is there; 2 where the labelled news is not beside the project."""
    if not DEV.exists():
        print(
            f"{DEV.relative_to(ROOT.parent)} is not beside the project: the labelled news is not ours to ship",
            file=sys.stderr,
        )
        return 2
    if arguments == ["--eval"]:
        return evaluate()
    if arguments:
        print(f"unknown argument {arguments[0]!r}; known: --eval", file=sys.stderr)
        return 2
    found = rows()
    weights = fit(found)
    (DATA / "weights.json").write_text(weights.to_json(), "utf-8")
    (DATA / "MODEL_CARD.md").write_text(card(found, weights), "utf-8")
    print(f"{len(found):,} rows: wrote weights.json and MODEL_CARD.md")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
