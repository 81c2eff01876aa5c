"""A story's sentences to drafts: who speaks in each clause, who it is about, and whether it is in scope at all."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import TYPE_CHECKING

from services.classifier.claims.attribution import ARTICLE_GAP_MAX, OUTLET, Voice, voice_of
from services.classifier.claims.clauses import clauses
from services.classifier.claims.direction import About, direction_of, roles_of
from services.classifier.claims.draft import Draft
from services.classifier.claims.frames import draft_of, evidence_of, frames_of, surfaces_of
from services.classifier.claims.status import governing_of, standing_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from services.classifier.claims.pack import FrameRule, Side
    from services.classifier.claims.scene import Context, Scene
    from services.classifier.match import Hit

PEOPLE = "people"
RECENT_MAX = 3
"""Sentences for which a thing is still in a reader's mind: the troops, the shells."""
MOVED = frozenset({"give", "get", "want", "help", "tech", "deploy"})
"""What may join things to a side even where only one side is named."""
WANT_GAP_MAX = 20
"""Code points between a name and what it wants: Kyiv has repeatedly asked for."""
SPOKEN = frozenset({"say", "confirm", "deny", "decline"})
"""Where the verb comes last, one of these ends what its speaker says; clauses before it wait for it."""


@dataclass(slots=True)
class Heard:
    """What a reader still has in mind from the sentences before."""

    voice: Voice = OUTLET
    subject: Side | None = None
    quote_end: int = -1
    field: str = ""
    recent: list[frozenset[str]] = dataclass_field(default_factory=list)
    """The families of things that the last sentences claimed something of."""
    told: frozenset[str] = frozenset()
    """The same of all sentences so far."""


def drafts_of(read: Sequence[Scene], context: Context) -> list[Draft]:
    """Return what the sentences of a story claim, in order."""
    heard = Heard()
    found: list[Draft] = []
    for scene in read:
        undone = scene.statement is not None and scene.statement.excluded
        own = [draft for frame, draft in _sentence(scene, heard, context) if frame.despite or not undone]
        if not own and scene.joins:
            own = [_least(scene, heard, context)]
        families = (context.pack.families(draft.categories | draft.topic) for draft in own)
        heard.recent = [frozenset().union(*families), *heard.recent][:RECENT_MAX]
        heard.told |= heard.recent[0]
        found += own
    return found


def _sentence(scene: Scene, heard: Heard, context: Context) -> Iterator[tuple[FrameRule, Draft]]:
    parts = clauses(scene, context.views[scene.field].low)
    voices = _voices(parts, scene, heard, context)
    governing = ""
    made: list[tuple[FrameRule, Draft]] = []
    for part, voice in zip(parts, voices, strict=True):
        side = voice.side(context.pack)
        about = part.without(voice.start, voice.end)
        subject = side if part.has("we") or not about.mentions else None
        for frame in frames_of(part, context):
            if frame.both and not (scene.joins and {one.side for one in about.mentions} >= {"a", "b"}):
                continue
            if not (scene.joins or _in_scope(about, frame, voice, heard, context)):
                continue
            draft = draft_of(about, frame, voice, (subject, heard.subject, governing), context)
            if frame.only in {"", draft.direction}:
                made.append((frame, draft))
                break
        governing = governing_of(part, governing)
        heard.subject = _subject(about, subject, context) or heard.subject
    _remember(scene, voices, heard)
    strong = any(not frame.bare for frame, _ in made)
    for frame, draft in made:
        told = bool(draft.standing.cue)
        if not frame.bare or (told and (not strong or _names_both(draft, context))) or len(made) == 1:
            yield frame, draft


def _subject(clause: Scene, subject: Side | None, context: Context) -> Side | None:
    """Return who a clause is about."""
    return roles_of(clause, subject, clause.things, context).subject if clause.mentions else subject


def _voices(parts: list[Scene], scene: Scene, heard: Heard, context: Context) -> list[Voice]:
    """Return who speaks in each clause: named in it, in the one before or in the one after; or whoever was quoted.

    Where the verb comes last, a speaker opens the sentence and the word of speaking closes it.
    """
    inside = scene.field == heard.field and scene.start < heard.quote_end
    before = heard.voice
    voices: list[Voice | None] = []
    waiting = 0
    for place, part in enumerate(parts):
        if not context.has("verb_final"):
            waiting = place
        heard_so_far = part if waiting == place else scene.between(parts[waiting].start, part.end)
        own = voice_of(heard_so_far, before, context)
        if own is not None:
            before = own
            voices[waiting:] = [own] * (place - waiting)
        voices.append(own if own is not None else voices[-1] if voices else None)
        if part.has(*SPOKEN):
            waiting = place + 1
    first = next((voice for voice in voices if voice is not None), None)
    silent = heard.voice if inside else first or OUTLET
    return [voice or _carried(silent) for voice in voices]


def _carried(voice: Voice) -> Voice:
    return Voice(voice.speakers, voice.cue)


def _remember(scene: Scene, voices: list[Voice], heard: Heard) -> None:
    spoken = [voice for voice in voices if voice.speakers]
    spoken = [voice for voice in spoken if not voice.speakers[0].relay] or spoken
    if spoken:
        heard.voice = spoken[-1]
    heard.field = scene.field
    heard.quote_end = max((end for start, end in scene.quotes if start < scene.end), default=-1)


def _in_scope(clause: Scene, frame: FrameRule, voice: Voice, heard: Heard, context: Context) -> bool:
    """Return whether a clause of an unjoined sentence speaks of the two sides: it answers, or one is understood."""
    side = voice.side(context.pack)
    families = _families(clause, frame, context)
    known = heard.told if clause.has("give", "get", "deploy") else frozenset().union(*heard.recent)
    goes_on = bool(families & known) and not _elsewhere(clause)
    if frame.answers:
        named = bool(clause.things or clause.mentions or any(heard.recent))
        return side is not None or (bool(voice.speakers) and named) or frame.despite
    sides = {one.side for one in clause.mentions}
    if side is not None and (clause.has("we") or voice.start >= 0):
        sides.add(side)
    if len(sides - {None}) > 1 or None in sides or (clause.has("both") and not frame.things):
        return True
    return (goes_on and not frame.bare) or (
        bool(frame.things or frame.topic) and _understood(clause, sides, families)
    )


def _families(clause: Scene, frame: FrameRule, context: Context) -> frozenset[str]:
    """Return the families of things that a frame is about in a clause."""
    pack = context.pack
    found = pack.families(thing.target for thing in clause.things)
    return (found & frame.things if frame.things else frozenset()) | pack.families({frame.topic} - {""})


def _understood(clause: Scene, sides: set[Side | None], families: frozenset[str]) -> bool:
    """Return whether a side that is not named is understood from the one that is."""
    if sides == {"b"} and clause.has("use", "found"):
        return any(hit.target == "theatre" for hit in clause.others)
    if sides == {"b"} and PEOPLE in families and clause.has("deploy", "fight", "casualty"):
        return True
    return (
        bool(sides) and not clause.others and clause.has(*MOVED) and (PEOPLE not in families or "b" in sides)
    )


def _elsewhere(clause: Scene) -> bool:
    """Return whether a third country is named that may give or get, or the sentence is of a kind that joins nothing."""
    framed = clause.statement is not None and bool(clause.statement.sentence.frames)
    return framed or any(
        hit.target in {"third", "south"} or _is_goal(hit, clause) or _wants(hit, clause)
        for hit in clause.others
    )


def _is_goal(hit: Hit, clause: Scene) -> bool:
    """Return whether something is marked as where things go: arms for Kyiv are not the subject."""
    marked = any(cue.start <= hit.start < cue.end for cue in clause.of("to_form"))
    return marked or any(0 <= hit.start - cue.end <= ARTICLE_GAP_MAX for cue in clause.of("to"))


def _wants(hit: Hit, clause: Scene) -> bool:
    """Return whether somebody else wants something: Kyiv asks its allies for shells, no side is named."""
    return not clause.mentions and any(
        hit.end <= cue.start <= hit.end + WANT_GAP_MAX for cue in clause.of("want")
    )


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
        direction="mutual" if mutual else direction_of(scene, About(frame=frame), scene.things, context),
        standing=standing_of(scene, "", pack, of_a_side=voice.side(pack) is not None),
        voice=voice,
        things=surfaces_of(scene.things, scene, context),
        quantity=None,
        evidence=(evidence_of(scene, context),),
        clause=scene,
        categories=frozenset(thing.target for thing in scene.things),
    )
