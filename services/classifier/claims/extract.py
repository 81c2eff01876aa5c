"""A story's statements to its claims on the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.claim import Claim, Claimant, ClaimEvidence, Materiel, Place, Vessel
from schemas.verdict import CLAIMS_MAX
from services.classifier.claims.discourse import drafts_of
from services.classifier.claims.scene import scenes
from services.classifier.claims.settle import settle, targets_of
from services.classifier.claims.severity import confidence_of, parts_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.classifier.claims.attribution import Voice
    from services.classifier.claims.draft import Draft, Quoted
    from services.classifier.claims.pack import Pack
    from services.classifier.claims.scene import Context
    from services.classifier.reading import Sentence
    from services.classifier.statements import Statement


def claims_of(
    read: Sequence[Sentence], found: Sequence[Statement], context: Context, language: str | None
) -> tuple[Claim, ...]:
    """Return the claims of a story that joins the sides: at least one."""
    drafts = settle(drafts_of(scenes(read, found, context), context), context.pack)[:CLAIMS_MAX]
    return tuple(_claim(number, draft, drafts, context, language) for number, draft in enumerate(drafts))


def _claim(
    number: int, draft: Draft, drafts: Sequence[Draft], context: Context, language: str | None
) -> Claim:
    pack = context.pack
    place, vessel = _named(draft, context)
    # Constructed, not validated: every part was made here, and a quotation may hold a lone surrogate.
    return Claim.model_construct(
        id=_id(number),
        claim_type=draft.type,
        direction=pack.directions[draft.direction],
        status=draft.standing.status,
        claimant=_claimant(draft.voice, pack),
        evidence=tuple(_evidence(span, context, language) for span in draft.evidence),
        polarity=draft.standing.polarity,
        modality=draft.standing.modality,
        materiel=tuple(_materiel(*thing, pack) for thing in draft.things),
        quantity=draft.quantity,
        targets=tuple(_id(place) for place in targets_of(draft, drafts)),
        place=place,
        vessel=vessel,
        attribution_cue=draft.voice.cue or draft.standing.cue or None,
        confidence=confidence_of(draft),
        severity_parts=parts_of(draft, pack),
    )


def _id(number: int) -> str:
    return f"C{number + 1}"


def _claimant(voice: Voice, pack: Pack) -> Claimant:
    """Return who speaks; the institution of the first speaker is the root of its chain."""
    if not voice.speakers:
        return Claimant(name=pack.reporter.name, role=pack.reporter.role)
    first = voice.speakers[0]
    institution = pack.speakers.get(first.of, first)
    name = f"{institution.name} ({first.name})" if first.of else institution.name
    if len(voice.speakers) > 1:
        name = f"{', '.join(speaker.name for speaker in voice.speakers)} (joint)"
    chain = tuple(dict.fromkeys(pack.speakers.get(one.of, one).name for one in voice.speakers))
    return Claimant(name=name, role=first.role, named=not first.unnamed, source_chain=chain)


def _evidence(span: Quoted, context: Context, language: str | None) -> ClaimEvidence:
    view = context.views[span.field]
    start, end = view.span(span.start, span.end)
    return ClaimEvidence(field=span.field, start=start, end=end, quote=view.raw[start:end], lang=language)


def _materiel(category: str, surface: str, pack: Pack) -> Materiel:
    row = pack.categories[category]
    return Materiel(
        cat=category, surface=surface, unroca=row.unroca, wassenaar_ml=row.wassenaar_ml, sipri=row.sipri
    )


def _named(draft: Draft, context: Context) -> tuple[Place | None, Vessel | None]:
    """Return the first place and the ships that the word lists know in the clause, as written."""
    statement = draft.clause.statement
    places: list[str] = []
    ships: list[str] = []
    if statement is None:
        return None, None
    view = context.views[draft.clause.field]
    for hit in statement.sentence.hits:
        ship = hit.target == "vessel"
        if draft.clause.start <= hit.start < draft.clause.end and (
            ship or context.lexicon.concepts[hit.target].kind == "place"
        ):
            start, end = view.span(hit.start, hit.end)
            (ships if ship else places).append(view.raw[start:end])
    place = Place(surface=places[0]) if places else None
    return place, Vessel(names=tuple(dict.fromkeys(ships))) if ships else None
