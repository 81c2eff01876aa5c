"""A story's sentences to drafts: who speaks in each clause, who it is about, and whether it is in scope at all."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from services.classifier.claims.attribution import OUTLET, Voice, voice_of
from services.classifier.claims.clauses import clauses
from services.classifier.claims.direction import About, direction_of, roles_of
from services.classifier.claims.draft import Draft
from services.classifier.claims.frames import draft_of, evidence_of, frame_of
from services.classifier.claims.status import governing_of, standing_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from services.classifier.claims.pack import FrameRule, Side
    from services.classifier.claims.scene import Context, Scene

PEOPLE = "people"
MOVED = frozenset({"give", "get", "want"})
"""What may join things to a side even where only one side is named."""


@dataclass(slots=True)
class Heard:
    """What a reader still has in mind from the sentences before."""

    voice: Voice = OUTLET
    subject: Side | None = None
    quote_end: int = -1
    field: str = ""


def drafts_of(read: Sequence[Scene], context: Context) -> list[Draft]:
    """Return what the sentences of a story claim, in order."""
    heard = Heard()
    found: list[Draft] = []
    for scene in read:
        if scene.statement is not None and scene.statement.excluded:
            continue
        own = list(_sentence(scene, heard, context))
        if not own and scene.joins:
            own = [_least(scene, heard, context)]
        found += own
    return found


def _sentence(scene: Scene, heard: Heard, context: Context) -> Iterator[Draft]:
    parts = clauses(scene)
    voices = _voices(parts, scene, heard, context)
    governing = ""
    made: list[tuple[FrameRule, Draft]] = []
    for part, voice in zip(parts, voices, strict=True):
        side = voice.side(context.pack)
        about = replace(
            part,
            mentions=tuple(one for one in part.mentions if not voice.start <= one.start < voice.end),
        )
        subject = side if side and (part.has("we") or not about.mentions) else heard.subject
        frame = frame_of(part, context.pack)
        if frame is not None and _in_scope(about, scene, frame, voice, context):
            made.append((frame, draft_of(about, frame, voice, (subject, governing), context)))
        governing = governing_of(part, governing)
        heard.subject = roles_of(about, subject, part.things, context).subject
    _remember(scene, voices, heard)
    strong = any(not frame.bare for frame, _ in made)
    for frame, draft in made:
        if not (frame.bare and strong and not _names_both(draft, context)):
            yield draft


def _voices(parts: list[Scene], scene: Scene, heard: Heard, context: Context) -> list[Voice]:
    """Return who speaks in each clause: named in it, in the one before or in the one after; or whoever was quoted."""
    inside = scene.field == heard.field and scene.start < heard.quote_end
    before = heard.voice
    voices: list[Voice | None] = []
    for part in parts:
        own = voice_of(part, before, context)
        if own is not None:
            before = own
        voices.append(own if own is not None else voices[-1] if voices else None)
    first = next((voice for voice in voices if voice is not None), None)
    silent = heard.voice if inside else first or OUTLET
    return [voice or _carried(silent) for voice in voices]


def _carried(voice: Voice) -> Voice:
    return Voice(voice.speakers, voice.cue)


def _remember(scene: Scene, voices: list[Voice], heard: Heard) -> None:
    spoken = [voice for voice in voices if voice.speakers]
    if spoken:
        heard.voice = spoken[-1]
    heard.field = scene.field
    heard.quote_end = max((end for start, end in scene.quotes if start < scene.end), default=-1)


def _in_scope(clause: Scene, scene: Scene, frame: FrameRule, voice: Voice, context: Context) -> bool:
    """Return whether a clause speaks of the two sides: its sentence joins them, or it answers, or one is understood."""
    pack = context.pack
    if scene.joins:
        return True
    if frame.answers:
        return voice.side(pack) is not None or bool(voice.speakers and clause.things)
    sides = {one.side for one in clause.mentions}
    side = voice.side(pack)
    if side is not None and (clause.has("we") or voice.start >= 0):
        sides.add(side)
    if len(sides - {None}) > 1 or None in sides or (clause.has("both") and not frame.things):
        return True
    if not sides or clause.others:
        return False
    families = {pack.categories[thing.target].family for thing in clause.things}
    return clause.has(*MOVED) and bool(frame.things) and (PEOPLE not in families or "b" in sides)


def _names_both(draft: Draft, context: Context) -> bool:
    """Return whether a clause names both sides, the one that speaks included."""
    sides = {one.side for one in draft.clause.mentions}
    side = draft.voice.side(context.pack)
    return None in sides or len(sides | ({side} if side else set())) > 1


def _least(scene: Scene, heard: Heard, context: Context) -> Draft:
    """Return what a joined statement says at the least, where no frame fits."""
    pack = context.pack
    statement = scene.statement
    nexus = statement.nexus if statement is not None else frozenset()
    kind = next((name for concept, name in pack.fallback.items() if concept in nexus), "MATERIEL_TRANSFER")
    voice = voice_of(scene, heard.voice, context) or OUTLET
    frame = next((one for one in pack.frames if one.type == kind), None)
    mutual = frame is not None and frame.mutual
    return Draft(
        type=kind,
        direction="mutual" if mutual else direction_of(scene, About(), scene.things, context),
        standing=standing_of(scene, "", pack, of_a_side=voice.side(pack) is not None),
        voice=voice,
        things=(),
        quantity=None,
        evidence=(evidence_of(scene, context),),
        clause=scene,
    )
