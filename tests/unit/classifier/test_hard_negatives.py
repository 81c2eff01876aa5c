"""The hard negatives of the domain brief are never flagged; of the look-alikes most are."""

from __future__ import annotations

import json
import re
from pathlib import Path

from services.classifier.classify import Item, classify, load_model

LOOK_ALIKES_FLAGGED_MIN = 12
"""Three name neither side's arms in the headline alone (H12, H14, H15)."""


def headlines(shared: Path, part: str) -> list[tuple[str, str]]:
    """Return (id, headline) of one part of the file."""
    table = json.loads((shared / "domain" / "hard_negatives.json").read_text("utf-8"))
    return [(row["id"], row["headline"]) for row in table[part]]


def flagged(text: str) -> bool:
    """Return whether a headline is flagged."""
    return classify(Item("x", text), load_model()).flagged


def test_no_hard_negative_is_flagged_whole_or_in_parts(shared: Path) -> None:
    """Patterns are joined by " / " or ";" in the file; each part is a headline, too."""
    wrong = [
        (name, part)
        for name, headline in headlines(shared, "negatives")
        for part in {headline, *map(str.strip, re.split(r" / |;", headline))}
        if flagged(part)
    ]
    assert wrong == []


def test_most_look_alikes_are_flagged(shared: Path) -> None:
    """What looks negative and is positive must not be lost to the exclusions."""
    found = [name for name, headline in headlines(shared, "look_negative_but_positive") if flagged(headline)]
    assert len(found) >= LOOK_ALIKES_FLAGGED_MIN, found
