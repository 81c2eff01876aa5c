"""A sentence to clauses: each says one thing, with the words that attribute it where they stand in it."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

from services.classifier.claims.cues import EVENTS

if TYPE_CHECKING:
    from services.classifier.claims.scene import Scene

CONTENT = EVENTS | {"deny", "decline", "retract", "debunk", "echo", "sanction", "monitor", "want", "forecast"}
"""A clause without one of these says nothing by itself."""
VERB_GAP_MAX = 14
"""Code points between "and" and the verb that makes it begin a clause."""
CLAUSES_MAX = 12
VERBS = frozenset({"give", "get", "want", "agree", "plan", "deny", "decline"})


def clauses(scene: Scene, low: str) -> list[Scene]:
    """Return the clauses of a sentence, in order; a sentence that cannot be split is one. ``low`` is its field."""
    cuts = [scene.start, *_cuts(scene, low), scene.end]
    parts = [scene.between(start, end) for start, end in pairwise(cuts) if start < end]
    merged: list[Scene] = []
    for part in parts:
        if merged and (not _says(part) or not _says(merged[-1]) or len(merged) == CLAUSES_MAX):
            merged[-1] = scene.between(merged[-1].start, part.end)
        else:
            merged.append(part)
    return merged


def _says(part: Scene) -> bool:
    return part.has(*CONTENT)


def _cuts(scene: Scene, low: str) -> list[int]:
    """Return the places where a clause may begin."""
    found: list[tuple[int, int, int]] = []
    for hit in scene.cues:
        match hit.target:
            case "break" | "keep":
                found.append((hit.start, hit.end, hit.start))
            case "exchange" if any(thing.start >= hit.end for thing in scene.things):
                found.append((hit.start, hit.end, hit.start))
                if hit.start - scene.start <= 1:
                    found += [(comma, comma + 1, comma + 1) for comma in _commas(scene, low, hit.end)]
            case "end":
                found.append((hit.start, hit.end, hit.end))
            case "and" if _verb_follows(scene, hit.end):
                found.append((hit.start, hit.end, hit.start))
            case _:
                pass
    places: list[int] = []
    reach = scene.start
    for start, end, place in sorted(found):
        if start >= reach:
            places.append(place)
        reach = max(reach, end)
    return [place for place in places if scene.start < place < scene.end]


def _commas(scene: Scene, low: str, start: int) -> list[int]:
    """Return the place of the first comma after a thing that a sentence opens with: in exchange for shells."""
    found = re.search(r"[,，、]", low[start : scene.end])
    end = start + found.start() if found else start
    return [end] if any(start <= thing.start < end for thing in scene.things) else []


def _verb_follows(scene: Scene, place: int) -> bool:
    return any(place <= hit.start <= place + VERB_GAP_MAX and hit.target in VERBS for hit in scene.cues)
