"""One story to one verdict: the gate, the words, the statements, the score, the evidence. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from schemas.claim import Claim, Field_
from schemas.verdict import Contribution, Entity, Evidence, ModelVersion, Verdict
from services.classifier.claims.extract import claims_of
from services.classifier.claims.pack import Pack, load_pack
from services.classifier.claims.scene import Context
from services.classifier.features import features_of, tier_of
from services.classifier.gazetteer import ENTITIES_MAX, Gazetteer, load_gazetteer
from services.classifier.language import identifiers, language_of, language_unread, told_surely
from services.classifier.lexicon import Lexicon, load_lexicon
from services.classifier.match import Matcher
from services.classifier.reading import Sentence, Words, read_sentences
from services.classifier.score import Weights, load_weights, score
from services.classifier.statements import Statement, statements
from services.classifier.text import make_view, skim

if TYPE_CHECKING:
    from services.classifier.text import View

ENGINE_VERSION = "rule-1"
STATEMENTS_MAX = 24
SPANS_MAX = 200
FIELD_LENGTH_MAX = 1_000_000
"""Code points of a field that are read; what is beyond is named in ``truncated``."""
LANGUAGE_SAMPLE_MAX = 600
_NEAR_MISS_KEYS = 2
"""Two keys of three in one statement."""
_UNSHOWN = frozenset({"context"})


@dataclass(frozen=True, slots=True)
class Item:
    """What is classified: strings exactly as given, and what the feed says of the language."""

    id: str
    title: str
    summary: str = ""
    text: str = ""
    language: str | None = None
    revision: int = 1
    truncated: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Model:
    """Word lists and weights, compiled; the same for every story."""

    lexicon: Lexicon
    weights: Weights
    gazetteer: Gazetteer
    matcher: Matcher
    version: ModelVersion
    claims: Pack


@dataclass(frozen=True, slots=True)
class Reading:
    """A story as the rule saw it: what ``explain`` shows and a verdict is made of."""

    language: str | None
    fields: tuple[tuple[Field_, View], ...]
    found: tuple[Statement, ...]
    entities: tuple[Entity, ...] = ()
    languages: frozenset[str] = frozenset()
    """The word lists that were read with."""
    sentences: tuple[Sentence, ...] = ()


@cache
def load_model() -> Model:
    """Return the model of the package's data; LexiconError says what is wrong with it."""
    identifiers()
    lexicon, weights, gazetteer = load_lexicon(), load_weights(), load_gazetteer()
    pack = load_pack()
    engine = f"{ENGINE_VERSION}+{pack.version}"
    version = ModelVersion(version=engine, lexicon=lexicon.version, weights=weights.version)
    return Model(lexicon, weights, gazetteer, Matcher(lexicon, gazetteer.watched_names), version, pack)


def cut(item: Item) -> Item:
    """Return the item with over-long fields cut and named in ``truncated``."""
    names = [name for name in ("title", "summary", "text") if len(getattr(item, name)) > FIELD_LENGTH_MAX]
    if not names:
        return item
    title, summary, text = (part[:FIELD_LENGTH_MAX] for part in (item.title, item.summary, item.text))
    return Item(item.id, title, summary, text, item.language, item.revision, (*item.truncated, *names))


def classify(item: Item, model: Model) -> Verdict:
    """Return what the rule says of a story, with the words that made it say so."""
    item = cut(item)
    held, language = held_back(item, model)
    return _verdict(item, model, Reading(language, (), ()) if held else read(item, model))


def held_back(item: Item, model: Model) -> tuple[bool, str | None]:
    """Return whether the gate holds a story back, and what script and feed say of its language."""
    low = _skimmed(item)
    if model.matcher.passes(low):
        return False, None
    return True, language_unread(low, item.language)


def says_nothing(item: Item, model: Model) -> bool:
    """Return whether the gate holds a story back: neither flagged nor near; all that is done for most stories."""
    return not model.matcher.passes(_skimmed(item))


def _skimmed(item: Item) -> str:
    return skim(item.title, item.summary, item.text) if item.text else skim(item.title, item.summary)


def read(item: Item, model: Model) -> Reading:
    """Return the statements of a story, whether or not the gate would let it pass."""
    given: tuple[tuple[Field_, str], ...] = (
        ("title", item.title),
        ("summary", item.summary),
        ("text", item.text),
    )
    fields = tuple((name, make_view(raw)) for name, raw in given if raw or name == "title")
    sample = " ".join(view.cased[:LANGUAGE_SAMPLE_MAX] for _, view in fields)[:LANGUAGE_SAMPLE_MAX]
    language, script = language_of(sample, item.language)
    languages = lists_for(language, script, model.lexicon)
    if len(fields) > 1:  # a headline in one language over a summary in another: the words of both
        told = {told_surely(view.cased[:LANGUAGE_SAMPLE_MAX]) for _, view in fields}
        languages |= {name for name in told if name in model.lexicon.languages}
    hits = [model.matcher.hits(view, languages) for _, view in fields]
    sentences = read_sentences(fields, hits, Words.of(model.lexicon, languages))
    company = any(_is_gate(hit.target, model.lexicon) for found in hits for hit in found)
    return Reading(
        language,
        fields,
        tuple(statements(sentences, model.lexicon, script)),
        _entities(fields, model.gazetteer, company=company),
        languages,
        tuple(sentences),
    )


def _is_gate(target: str, lexicon: Lexicon) -> bool:
    concept = lexicon.concepts.get(target)
    return concept is not None and concept.gate


def _entities(
    fields: tuple[tuple[Field_, View], ...], gazetteer: Gazetteer, *, company: bool
) -> tuple[Entity, ...]:
    named = [
        gazetteer.entity(hit, field, view)
        for field, view in fields
        for hit in gazetteer.find(view, company=company)[:ENTITIES_MAX]
    ]
    return tuple(named[:ENTITIES_MAX])


def lists_for(language: str | None, script: str, lexicon: Lexicon) -> frozenset[str]:
    """Return the languages whose word lists apply: the text's own, or all of its script."""
    if script == "han" and language != "ja":
        return frozenset({"zh-Hans", "zh-Hant"})
    if language in lexicon.languages:
        return frozenset({language})
    return frozenset(name for name, its_script in lexicon.languages.items() if its_script == script)


def _verdict(item: Item, model: Model, reading: Reading) -> Verdict:
    joined = [statement for statement in reading.found if statement.joins]
    claims = _claims(reading, model) if joined else ()
    features = features_of(reading.found, claims, model.lexicon)
    watched = sorted({one.id for one in reading.entities if model.gazetteer.things[one.id].watched})
    reached = score(features, model.weights)
    flagged = bool(joined) and reached >= model.weights.threshold
    # Constructed, not validated: an id may hold a lone surrogate, and every part was made here.
    return Verdict.model_construct(
        id=item.id,
        story_id=item.id,
        story_revision=item.revision,
        model=model.version,
        flagged=flagged,
        near_miss=not flagged
        and (bool(joined) or bool(watched) or any(_is_near_miss(statement) for statement in reading.found)),
        score=reached,
        threshold=model.weights.threshold,
        tier=tier_of(joined if flagged else [], model.lexicon),
        language=reading.language,
        evidence=_evidence(reading, joined, model.lexicon),
        claims=claims if flagged else (),
        entities=reading.entities,
        breakdown=_breakdown(features, reading, watched, model.weights),
        truncated=item.truncated,
    )


def _claims(reading: Reading, model: Model) -> tuple[Claim, ...]:
    joiners = Words.of(model.lexicon, reading.languages).joiners
    context = Context.of(reading.fields, reading.languages, joiners, (model.lexicon, model.claims))
    return claims_of(reading.sentences, reading.found, context, reading.language)


def _is_near_miss(statement: Statement) -> bool:
    return statement.excluded or statement.keys_met >= _NEAR_MISS_KEYS


def _breakdown(
    features: dict[str, float], reading: Reading, watched: list[str], weights: Weights
) -> tuple[Contribution, ...]:
    if not reading.found and not watched:
        return ()
    rows = [
        Contribution(feature=name, value=value, weight=weights.features[name])
        for name, value in features.items()
    ]
    stopped = sorted({name for statement in reading.found for name in statement.held_off})
    rows.extend(Contribution(feature=f"excluded:{name}", value=1.0, weight=0.0) for name in stopped)
    rows.extend(Contribution(feature=f"watched:{name}", value=1.0, weight=0.0) for name in watched)
    rows.append(Contribution(feature="bias", value=1.0, weight=weights.bias))
    return tuple(rows)


def _evidence(reading: Reading, joined: list[Statement], lexicon: Lexicon) -> tuple[Evidence, ...]:
    """Return the statements that join the keys, then the words in them, within the bounds."""
    views = dict(reading.fields)
    shown = joined[:STATEMENTS_MAX]
    spans = [
        _span(views, one.sentence.field, (one.sentence.start, one.sentence.end), "statement") for one in shown
    ]
    for statement in shown:
        for sentence in (statement.sentence, statement.antecedent):
            for hit in sentence.hits if sentence is not None else ():
                kind = lexicon.concepts[hit.target].kind
                if sentence is not None and kind not in _UNSHOWN:
                    spans.append(_span(views, sentence.field, (hit.start, hit.end), kind, hit.term))
    unique = {(span.field, span.start, span.end, span.kind): span for span in reversed(spans)}
    return tuple(reversed(unique.values()))[:SPANS_MAX]


def _span(
    views: dict[Field_, View], field: Field_, place: tuple[int, int], kind: str, term: str | None = None
) -> Evidence:
    view = views[field]
    start, end = view.span(*place)
    return Evidence.model_construct(
        field=field, start=start, end=end, text=view.raw[start:end], kind=kind, term=term, cut=None
    )
