"""The seed article is flagged, with evidence in each of its weapons sentences; its text is read where it lies."""

from __future__ import annotations

import json
from pathlib import Path

from services.classifier.classify import Item, classify, load_model

WEAPONS_SENTENCES = {"S1", "S2", "S3", "S6", "S8", "S9", "S11", "S12", "S13"}
OTHER_SENTENCES = {"S7", "S10", "S14"}


def test_every_weapons_sentence_of_the_seed_is_evidence(shared: Path) -> None:
    """By offsets into the file as given; sentences about something else are no statements."""
    text = (shared / "domain" / "000_3511b716358273cc.txt").read_text("utf-8")
    gold = json.loads((shared / "domain" / "seed_gold.json").read_text("utf-8"))
    verdict = classify(Item("seed", text.partition("\n")[0], text=text), load_model())
    statements = [(span.start, span.end) for span in verdict.evidence if span.kind == "statement"]
    shown = {
        row["id"]
        for row in gold["sentences"]
        if any(start < row["end"] and row["start"] < end for start, end in statements)
    }
    assert (verdict.flagged, verdict.tier, verdict.language) == (True, "T1", "en")
    assert shown >= WEAPONS_SENTENCES
    assert shown.isdisjoint(OTHER_SENTENCES)
    assert all(text[span.start : span.end] == span.text for span in verdict.evidence if span.field == "text")
