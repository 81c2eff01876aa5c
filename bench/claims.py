"""What claims cost: an article of 5,000 characters through the classifier with them, beside the same without."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from time import process_time

from bench.figures import Figure
from services.classifier.claims.extract import claims_of
from services.classifier.claims.scene import Context
from services.classifier.classify import Item, Model, Reading, load_model, read
from services.classifier.reading import Words

LENGTH = 5_000
ROUNDS = 100
MILLISECONDS_MAX = 5.0
SENTENCES = (
    "Seoul's spy agency said on Tuesday that North Korea had sent about 10,900 soldiers to Russia, among them generals. ",
    "John Kirby said the US believes Pyongyang wants Russian military help, including fighter jets, in exchange for shells. ",
    "The weather on the coast was fine, and the ferry to the islands left on time with four hundred people on board. ",
    "Peskov called the reports groundless. Asked about the containers, he declined to comment. ",
    "Satellite images show Russian ships loading more than 1,000 containers of munitions at Rajin, researchers say. ",
    "The mayor opened a library on Wednesday; children sang, and a brass band played until the evening. ",
)


def main() -> Iterable[Figure]:
    """Return milliseconds of CPU time for one article, and for the claims in it alone."""
    text = "".join(SENTENCES[number % len(SENTENCES)] for number in range(LENGTH))[:LENGTH]
    item, model = Item("bench", text[:80], text=text), load_model()
    reading = read(item, model)
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
    claims_of(reading.found, context, reading.language)


def _milliseconds(work: Callable[[], object]) -> float:
    work()
    begun = process_time()
    for _ in range(ROUNDS):
        work()
    return (process_time() - begun) / ROUNDS * 1_000
