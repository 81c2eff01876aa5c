"""A clause to a claim: its type by the cues and things in it, then direction, standing, things and number."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.classifier.claims.direction import About, direction_of, roles_of
from services.classifier.claims.draft import Draft, Quoted
from services.classifier.claims.quantity import quantity_of
from services.classifier.claims.status import standing_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from services.classifier.claims.attribution import Voice
    from services.classifier.claims.pack import FrameRule, Pack, Side
    from services.classifier.claims.scene import Context, Scene
    from services.classifier.match import Hit

EVIDENCE_LENGTH_MAX = 600
"""Code points of a quotation in a verdict."""
_TRIMMED = " ,;:–—-、，"


def frames_of(clause: Scene, context: Context) -> Iterator[FrameRule]:
    """Return the frames that fit a clause, the best first."""
    names, pack = clause.names, context.pack
    if names.isdisjoint(pack.framing):
        return
    families = pack.families(thing.target for thing in clause.things)
    for frame in pack.frames:
        if names.isdisjoint(frame.cues) or (frame.things and frame.things.isdisjoint(families)):
            continue
        if names.isdisjoint(frame.without) and _placed(clause, frame, context):
            yield frame


def _placed(clause: Scene, frame: FrameRule, context: Context) -> bool:
    """Return whether cue and thing stand where a frame wants them."""
    if frame.opens:
        low = context.views[clause.field].low
        return any(
            hit.target in frame.cues
            and hit.start - clause.start <= 1
            and low[hit.end : hit.end + 2].strip() not in {",", "，", "、"}
            for hit in clause.cues
        )
    if frame.near:
        cue = next(hit for hit in clause.cues if hit.target in frame.cues)
        nearest = min(
            clause.things, key=lambda thing: (max(thing.start - cue.end, cue.start - thing.end), thing.start)
        )
        return context.pack.categories[nearest.target].family in frame.things
    return True


def draft_of(
    clause: Scene,
    frame: FrameRule,
    voice: Voice,
    heard: tuple[Side | None, Side | None, str],
    context: Context,
) -> Draft:
    """Return what a clause claims; ``heard`` is who it is about, who the one before was about, and what governs it."""
    pack = context.pack
    subject, carried, governing = heard
    things = _things(clause, frame, pack)
    side = voice.side(pack)
    standing = standing_of(clause, governing, pack, of_a_side=side is not None)
    return Draft(
        type=frame.type,
        direction=_direction(clause, About(subject, carried, side, frame), frame, things, context),
        standing=standing,
        voice=voice,
        things=surfaces_of(things, clause, context),
        quantity=None if frame.answers or frame.mutual else quantity_of(clause, things, context),
        evidence=(evidence_of(clause, context),),
        clause=clause,
        answers=frame.answers,
        dated=clause.has("old"),
        opinion=clause.has("opinion"),
        topic=frozenset({frame.topic} - {""}),
        categories=frozenset(thing.target for thing in things),
    )


def _direction(
    clause: Scene,
    about: About,
    frame: FrameRule,
    things: Sequence[Hit],
    context: Context,
) -> str:
    if frame.mutual and (clause.has("both") or not (frame.goods and things)):
        return "mutual"
    if frame.goods and not _marked(clause, about, things, context):
        return "mutual"
    found = direction_of(clause, about, things, context)
    return "mutual" if found == "unknown" and clause.has("both") else found


def _marked(clause: Scene, about: About, things: Sequence[Hit], context: Context) -> bool:
    """Return whether a clause says in so many words from whom or to whom."""
    roles = roles_of(clause, about.subject, things, context)
    return bool(roles.source or roles.goal)


def _things(clause: Scene, frame: FrameRule, pack: Pack) -> list[Hit]:
    """Return the things that a claim of this type is about."""
    kept = [
        thing
        for thing in clause.things
        if not frame.things or pack.categories[thing.target].family in frame.things
    ]
    if frame.bare:
        return []
    plain = [thing for thing in kept if not pack.categories[thing.target].vague]
    return plain or kept


def surfaces_of(things: Sequence[Hit], clause: Scene, context: Context) -> tuple[tuple[str, str], ...]:
    """Return things as (category, words), a category once."""
    view = context.views[clause.field]
    found: dict[str, str] = {}
    for thing in things:
        begin, end = view.span(thing.start, thing.end)
        found.setdefault(thing.target, view.raw[begin:end])
    return tuple(found.items())


def evidence_of(clause: Scene, context: Context) -> Quoted:
    """Return the span of a clause, without the commas around it."""
    text = context.views[clause.field].cased
    start, end = clause.start, min(clause.end, clause.start + EVIDENCE_LENGTH_MAX)
    while start < end - 1 and text[start] in _TRIMMED:
        start += 1
    while end > start + 1 and text[end - 1] in _TRIMMED:
        end -= 1
    return Quoted(clause.field, start, end)
