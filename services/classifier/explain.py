"""Why a story was flagged or not, for a person: the statements, the keys in them, the working of the score."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.classifier.classify import classify, cut, held_back, read
from services.classifier.flips import flips
from services.text.clean import visible

if TYPE_CHECKING:
    from schemas import Verdict
    from services.classifier.classify import Item, Model, Reading
    from services.classifier.reading import Sentence
    from services.classifier.statements import Statement

STATEMENTS_SHOWN_MAX = 24
QUOTE_LENGTH_MAX = 400


def explain_item(item: Item, model: Model) -> str:
    """Return the working of a verdict as plain text, safe on a terminal."""
    item = cut(item)
    verdict = classify(item, model)
    lines = [_headline(verdict)]
    if held_back(item, model)[0]:
        lines.append(
            "gate: nothing of the DPRK side is named, and no watched name; nothing else was looked at"
        )
    else:
        reading = read(item, model)
        told = [statement for statement in reading.found if statement.keys_met or statement.excluded]
        for statement in told[:STATEMENTS_SHOWN_MAX]:
            lines += ["", *_statement(statement, reading, model)]
        lines += _flips(item, verdict, model, reading)
    lines += [*_claims(verdict), "", *_working(verdict)]
    return visible("\n".join(lines))


def _headline(verdict: Verdict) -> str:
    said = "flagged" if verdict.flagged else "near miss" if verdict.near_miss else "not flagged"
    version = verdict.model
    return (
        f"{said}  score {verdict.score:.4f} (threshold {verdict.threshold})  tier {verdict.tier}"
        f"  language {verdict.language or 'unknown'}\n"
        f"engine {version.version}  lexicon {version.lexicon}  weights {version.weights}"
    )


def _statement(statement: Statement, reading: Reading, model: Model) -> list[str]:
    lines = [_standing(statement, model), f"  {_quote(statement.sentence, reading)}"]
    if statement.antecedent is not None:
        lines.append(f"  after: {_quote(statement.antecedent, reading)}")
    for sentence in (statement.sentence, statement.antecedent):
        if sentence is not None:
            lines += _words(sentence, model)
    return lines


def _flips(item: Item, verdict: Verdict, model: Model, reading: Reading) -> list[str]:
    """Return what single change would turn the flag round."""
    other = "not flagged" if verdict.flagged else "flagged"
    words = flips(item, model, reading)
    if words:
        return ["", *(f"without “{word}”: {other}" for word in words)]
    return ["", "no single word decides"] if verdict.flagged else []


def _standing(statement: Statement, model: Model) -> str:
    if statement.joins:
        return f"{statement.sentence.field}: joins the three keys; nexus {', '.join(sorted(statement.nexus))}"
    if statement.excluded:
        frames = model.lexicon.frames
        why = "; ".join(f"{name}: {frames[name].why}" for name in sorted(statement.held_off))
        return f"{statement.sentence.field}: excluded by {why}"
    missing = [
        word
        for word, there in (
            ("Russian side", not statement.keys.isdisjoint({"rus", "theatre"})),
            ("DPRK side", "dprk" in statement.keys),
            ("arms nexus", bool(statement.nexus)),
        )
        if not there
    ]
    return f"{statement.sentence.field}: no {', no '.join(missing) or 'joint reading'}"


def _quote(sentence: Sentence, reading: Reading) -> str:
    text = dict(reading.fields)[sentence.field].cased[sentence.start : sentence.end]
    return f"“{text[:QUOTE_LENGTH_MAX]}…”" if len(text) > QUOTE_LENGTH_MAX else f"“{text}”"


def _words(sentence: Sentence, model: Model) -> list[str]:
    found: dict[str, list[str]] = {}
    for hit in sentence.hits:
        found.setdefault(hit.target, []).append(hit.term)
    concepts = model.lexicon.concepts
    return [
        f"    {name} ({', '.join(sorted(concepts[name].keys)) or 'context'}): {', '.join(dict.fromkeys(terms))}"
        for name, terms in found.items()
    ]


def _claims(verdict: Verdict) -> list[str]:
    """Return what the story claims: who, what, which way, with what standing, and the words."""
    lines = ["", "claims"] if verdict.claims else []
    for claim in verdict.claims:
        things = ", ".join(f"{thing.cat} ({thing.surface})" for thing in claim.materiel)
        number = f"  {claim.quantity.surface}" if claim.quantity else ""
        answers = f"  answers {', '.join(claim.targets)}" if claim.targets else ""
        lines.append(
            f"  {claim.id} {claim.claim_type}  {claim.direction}  {claim.status}  {claim.claimant.name}{answers}"
        )
        if things or number:
            lines.append(f"    {things}{number}")
        quote = claim.evidence[0].quote
        lines.append(f"    “{quote[:QUOTE_LENGTH_MAX]}{'…' if len(quote) > QUOTE_LENGTH_MAX else ''}”")
    return lines


def _working(verdict: Verdict) -> list[str]:
    rows = [f"  {row.value:>5.2f} x {row.weight:>5.2f}  {row.feature}" for row in verdict.breakdown]
    return ["score = logistic of the sum of", *rows] if rows else []
