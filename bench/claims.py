"""What claims cost: an article of 5,000 characters through the classifier with them, beside the same without."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from time import process_time

from bench.figures import Figure
from services.bootstrap import garbage
from services.classifier.claims.extract import claims_of
from services.classifier.claims.scene import Context
from services.classifier.classify import Item, Model, Reading, load_model, read
from services.classifier.reading import Words

LENGTH = 5_000
ROUNDS = 100
MILLISECONDS_MAX = 5.0
ARTICLES = Path(__file__).parents[1] / "tests" / "corpus" / "claims" / "en.jsonl"
"""Invented articles; as many of them, one after the other, as make one of that length."""


def main() -> Iterable[Figure]:
    """Return milliseconds of CPU time for one article, and for the claims in it alone."""
    lines = ARTICLES.read_text("utf-8").splitlines()
    text = "".join(json.loads(line)["text"] for line in lines)[:LENGTH]
    item, model = Item("bench", text[:80], text=text), load_model()
    reading = read(item, model)
    garbage.settle()  # as a live process does
    yield Figure(
        "claims of a 5,000-character article",
        _milliseconds(lambda: _claims(reading, model)),
        "ms",
        target=MILLISECONDS_MAX,
        target_is="at most",
    )
    yield Figure("reading the same article", _milliseconds(lambda: read(item, model)), "ms")


def _claims(reading: Reading, model: Model) -> None:
    joiners = Words.of(model.lexicon, reading.languages).joiners
    context = Context.of(reading.fields, reading.languages, joiners, (model.lexicon, model.claims))
    claims_of(reading.sentences, reading.found, context, reading.language)


def _milliseconds(work: Callable[[], object]) -> float:
    work()
    begun = process_time()
    for _ in range(ROUNDS):
        work()
    return (process_time() - begun) / ROUNDS * 1_000
