"""The three-key rule: does one statement join the Russian side, the DPRK side and arms? (DOMAIN.md 1.1)

A statement is a sentence, or two adjoining ones of which the second speaks of the first; a headline and the first
sentence under it adjoin. Frames (a missile test, seized rockets, a film) take a statement's nexus away.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.classifier.sentences import sentences

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from services.classifier.lexicon import Lexicon
    from services.classifier.match import Hit
    from services.classifier.text import View

# Keys further apart than this, in code points, are in one sentence but not in one statement.
REACH_MAX = 340
REACH_MAX_DENSE = 170
# A noun and the verb that makes it a nexus.
RELATION_REACH_MAX = 220
# The front in Ukraine stands for the Russian side only where DPRK fighters or weapons are the matter.
AT_THE_FRONT = frozenset(
    {
        "deployment",
        "personnel",
        "arms_trade",
        "materiel.made",
        "materiel.object",
        "materiel.ammunition",
        "materiel.missile",
        "casualty",
    }
)
POINTS_BACK = ("coref", "pair", "leader_weak", "dprk_weak")
# Too general to be read across a full stop.
NOT_CARRIED = frozenset({"treaty"})
LISTED = frozenset({"rus", "dprk", "third", "leader_rus", "leader_dprk", "leader_weak", "rus_weak"})
DENSE = frozenset({"hangul", "kana", "han"})
_GAP_LENGTH_MAX = 12


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of a field, in view places, with what was found in it."""

    field: str
    number: int
    start: int
    end: int
    hits: tuple[Hit, ...]
    frames: frozenset[str]
    listed: bool = False

    def has(self, *targets: str) -> bool:
        """Return whether any of these was found."""
        return any(hit.target in targets for hit in self.hits)


@dataclass(frozen=True, slots=True)
class Statement:
    """A sentence (and the one it leans on) with the keys it joins; ``held_off`` names the frames that undid it."""

    sentence: Sentence
    antecedent: Sentence | None
    nexus: frozenset[str]
    keys: frozenset[str]
    held_off: frozenset[str] = frozenset()

    @property
    def joins(self) -> bool:
        """Whether the rule holds here."""
        return bool(self.nexus) and not self.held_off and _sides(self.keys, self.nexus)

    @property
    def excluded(self) -> bool:
        """Whether the rule would hold here but for a frame."""
        return bool(self.held_off)

    @property
    def keys_met(self) -> int:
        """How many of the three keys the statement has."""
        russian = "rus" in self.keys or "theatre" in self.keys
        return russian + ("dprk" in self.keys) + bool(self.nexus)


def read_sentences(
    fields: Sequence[tuple[str, View]], hits: Sequence[Sequence[Hit]], lexicon: Lexicon, languages: frozenset[str]
) -> list[Sentence]:
    """Return the sentences of all fields with the finds that count in them."""
    whole = {hit.target for found in hits for hit in found}
    title_frames = frozenset(
        name
        for name, frame in lexicon.frames.items()
        if frame.scope == "title" and f"frame.{name}" in {hit.target for hit in hits[0]}
    )
    read: list[Sentence] = []
    for (field, view), found in zip(fields, hits, strict=True):
        usable = _usable(found, whole, lexicon)
        for number, (start, end) in enumerate(sentences(view)):
            inside = [hit for hit in usable if start <= hit.start < end]
            read.append(_sentence(field, number, start, end, inside, view, lexicon, languages, title_frames))
    return read


def _sentence(  # noqa: PLR0913 - assembled from all that bears on it
    field: str,
    number: int,
    start: int,
    end: int,
    inside: list[Hit],
    view: View,
    lexicon: Lexicon,
    languages: frozenset[str],
    title_frames: frozenset[str],
) -> Sentence:
    frames = frozenset(
        hit.target.removeprefix("frame.")
        for hit in inside
        if hit.target.startswith("frame.") and lexicon.frames[hit.target.removeprefix("frame.")].scope != "title"
    )
    words = [hit for hit in inside if not hit.target.startswith("frame.")]
    kept = words if any(hit.target == "drills" for hit in words) else _without_lists(words, view, lexicon, languages)
    return Sentence(
        field, number, start, end, tuple(kept), frames | title_frames, listed=len(kept) < len(words)
    )


def _usable(found: Sequence[Hit], whole: set[str], lexicon: Lexicon) -> list[Hit]:
    """Return the finds that no mask hides and whose needs the story meets."""
    masks = [hit for hit in found if hit.target in lexicon.masks]
    return [
        hit
        for hit in found
        if hit.target not in lexicon.masks
        and not _masked(hit, masks, lexicon)
        and _needs_met(hit.target, whole, lexicon)
    ]


def _masked(hit: Hit, masks: list[Hit], lexicon: Lexicon) -> bool:
    for mask in masks:
        if mask.start < hit.end and hit.start < mask.end:
            hides = lexicon.masks[mask.target].hides
            if not hides or hit.target in hides:
                return True
    return False


def _needs_met(target: str, whole: set[str], lexicon: Lexicon) -> bool:
    concept = lexicon.concepts.get(target)
    return concept is None or not concept.needs or bool(concept.needs & whole)


def _without_lists(hits: list[Hit], view: View, lexicon: Lexicon, languages: frozenset[str]) -> list[Hit]:
    """Return the hits without those that stand in a row of three or more states, both sides among them."""
    joiners = frozenset().union(*(lexicon.joiners.get(name, frozenset()) for name in (*languages, "any")))
    states = [hit for hit in hits if hit.target in LISTED]
    rows: list[list[Hit]] = []
    for hit in states:
        if rows and (hit.start <= rows[-1][-1].end or _joined(view.low, rows[-1][-1].end, hit.start, joiners)):
            rows[-1].append(hit)
        else:
            rows.append([hit])
    spans = [(row[0].start, row[-1].end) for row in rows if _is_list(row, lexicon)]
    return [
        hit
        for hit in hits
        if not any(
            start <= hit.start and hit.end <= end and (hit.target in LISTED or hit.target == "pair")
            for start, end in spans
        )
    ]


def _joined(low: str, start: int, end: int, joiners: frozenset[str]) -> bool:
    if end - start > _GAP_LENGTH_MAX:
        return False
    gap = low[start:end]
    for mark in (",", "/", "&", "·", "、", "，", "ㆍ"):
        gap = gap.replace(mark, " ")
    return all(word in joiners for word in gap.replace("'s", " ").split())


def _is_list(row: list[Hit], lexicon: Lexicon) -> bool:
    targets = {hit.target for hit in row}
    keys = {key for target in targets for key in lexicon.concepts[target].keys}
    return "third" in targets and {"rus", "dprk"} <= keys


def statements(read: list[Sentence], lexicon: Lexicon, script: str) -> list[Statement]:
    """Return one statement a sentence: alone where that joins the keys, else with what it leans on."""
    reach = REACH_MAX_DENSE if script in DENSE else REACH_MAX
    found: list[Statement] = []
    for place, sentence in enumerate(read):
        alone = _statement(sentence, None, lexicon, reach)
        if alone.joins or alone.excluded:
            found.append(alone)
            continue
        options = [
            _statement(sentence, other, lexicon, reach) for other in _antecedents(read, place)
        ]
        found.append(next((each for each in options if each.joins or each.excluded), alone))
    return found


def _antecedents(read: list[Sentence], place: int) -> Iterable[Sentence]:
    """Return the sentences that this one may lean on."""
    sentence = read[place]
    if sentence.field == "title" and sentence.number == 0:
        yield from (other for other in read if other.field != "title" and other.number == 0)
        return
    if sentence.number == 0:
        yield from (other for other in read if other.field == "title")
        return
    before = read[place - 1] if place else None
    if before is None or before.field != sentence.field:
        return
    yield before


def _statement(sentence: Sentence, other: Sentence | None, lexicon: Lexicon, reach: int) -> Statement:
    own = _keys(sentence.hits, lexicon)
    keys = own | (_keys(other.hits, lexicon) if other is not None else frozenset())
    nexus = _nexus(sentence, lexicon)
    if other is not None:
        nexus = _carried(sentence, other, own, nexus, lexicon, dense=reach == REACH_MAX_DENSE)
    elif nexus:
        nexus = frozenset(name for name in nexus if _near(sentence, name, lexicon, reach))
    frames = sentence.frames | (other.frames if other is not None else frozenset())
    left = set(nexus)
    stopped: set[str] = set()
    for name in sorted(frames):
        stands = lexicon.frames[name].leaves(left)
        if len(stands) < len(left):
            stopped.add(name)
        left = stands
    held_off = frozenset(stopped if nexus and _sides(keys, nexus) and not (left and _sides(keys, left)) else ())
    return Statement(sentence, other, frozenset(nexus if held_off else left), keys, held_off)


def _carried(  # noqa: PLR0913 - what the second sentence says, and all that ties it to the first
    sentence: Sentence,
    other: Sentence,
    own: frozenset[str],
    nexus: frozenset[str],
    lexicon: Lexicon,
    *,
    dense: bool,
) -> frozenset[str]:
    """Return the nexus that may be read with the sides named in another sentence.

    A word that points back (they, the deal) ties any nexus; without one the sentence must name a side itself, and
    the nexus be one by itself. Languages that leave the subject out point back by that.
    """
    nexus -= NOT_CARRIED
    points_back = dense or sentence.has(*POINTS_BACK)
    if not own & {"rus", "dprk"} and "theatre" in own and not points_back:
        return frozenset()
    heads = {sentence.field, other.field} != {sentence.field} or sentence.field == "title"
    if points_back or (heads and own & {"rus", "dprk"}):
        return nexus
    if not heads and not own & {"rus", "dprk"}:
        return frozenset()
    return frozenset(name for name in nexus if "nexus" in lexicon.concepts[name].keys)


def _keys(hits: Iterable[Hit], lexicon: Lexicon) -> frozenset[str]:
    return frozenset(key for hit in hits for key in lexicon.concepts[hit.target].keys)


def _sides(keys: frozenset[str], nexus: Iterable[str]) -> bool:
    if "dprk" not in keys:
        return False
    return "rus" in keys or ("theatre" in keys and not AT_THE_FRONT.isdisjoint(nexus))


def _nexus(sentence: Sentence, lexicon: Lexicon) -> frozenset[str]:
    """Return the concepts that make a nexus here: by themselves, or as a thing with something done to it."""
    found: set[str] = set()
    for hit in sentence.hits:
        concept = lexicon.concepts[hit.target]
        if "nexus" in concept.keys:
            found.add(hit.target)
        elif "noun" in concept.keys and any(
            other.target in concept.relations
            and other.start != hit.start
            and _apart(hit, other) <= RELATION_REACH_MAX
            for other in sentence.hits
        ):
            found.add(hit.target)
    return frozenset(found)


def _apart(one: Hit, other: Hit) -> int:
    return max(one.end, other.end) - min(one.start, other.start)


def _near(sentence: Sentence, name: str, lexicon: Lexicon, reach: int) -> bool:
    """Return whether a nexus stands within reach of both sides."""
    sides: dict[str, list[Hit]] = {"rus": [], "dprk": []}
    for hit in sentence.hits:
        keys = lexicon.concepts[hit.target].keys
        if keys & {"rus", "theatre"}:
            sides["rus"].append(hit)
        if "dprk" in keys:
            sides["dprk"].append(hit)
    if not sides["rus"] or not sides["dprk"]:
        return True
    for hit in sentence.hits:
        if hit.target == name:
            nearest = [min(_apart(hit, other) for other in side) for side in sides.values()]
            if max(nearest) <= reach:
                return True
    return False
