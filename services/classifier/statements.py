"""The three-key rule: one statement joins the Russian side, the DPRK side and arms (DOMAIN.md 1.1).

A statement is a sentence, or two adjoining ones of which the second speaks of the first; a headline and the first
sentence under it adjoin. Frames (a missile test, seized rockets, a film) take a statement's nexus away.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from services.classifier.lexicon import Concept, Lexicon
    from services.classifier.match import Hit
    from services.classifier.reading import Sentence

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
        "materiel.artillery",
        "materiel.missile",
        "people_dprk",
    }
)
# Beside a word for the DPRK, these need no verb: North Korean shells, soldiers from Pyongyang. Missiles and weapons do,
# because the DPRK's own are in the news without Russia.
OWNED = frozenset({"personnel", "materiel.ammunition", "materiel.artillery"})
OWNED_GAP_MAX = 6
# Between the two of them these need no verb either, whatever the sentence says of them.
BETWEEN = frozenset(
    {"technology.weapons", "materiel.air_defence", "personnel", "materiel.ammunition", "materiel.artillery"}
)
BETWEEN_REACH_MAX = 120
POINTS_BACK = ("coref", "pair", "leader_weak", "dprk_weak")
# The headline still governs the third sentence under it, if that points back.
UNDER_HEADLINE_MAX = 2
# Too general to be read across a full stop.
NOT_CARRIED = frozenset({"treaty"})
DENSE = frozenset({"hangul", "kana", "han"})


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
        return not self.held_off and _sides(self.keys, self.nexus)

    @property
    def excluded(self) -> bool:
        """Whether the rule would hold here but for a frame."""
        return bool(self.held_off)

    @property
    def keys_met(self) -> int:
        """How many of the three keys the statement has."""
        russian = "rus" in self.keys or "theatre" in self.keys
        return russian + ("dprk" in self.keys) + bool(self.nexus)


def statements(read: list[Sentence], lexicon: Lexicon, script: str) -> list[Statement]:
    """Return one statement a sentence that has a word of ours: alone where that joins the keys, else with what it leans on."""
    reach = REACH_MAX_DENSE if script in DENSE else REACH_MAX
    found: list[Statement] = []
    for place, sentence in enumerate(read):
        if not sentence.hits:
            continue
        alone = _statement(sentence, None, lexicon, reach)
        if alone.joins or alone.excluded:
            found.append(alone)
            continue
        leaned_on = (other for other in _antecedents(read, place) if not held_off(other, lexicon, reach))
        options = [_statement(sentence, other, lexicon, reach) for other in leaned_on]
        found.append(next((each for each in options if each.joins or each.excluded), alone))
    return found


def held_off(sentence: Sentence, lexicon: Lexicon, reach: int) -> bool:
    """Return whether a frame undid a sentence: what was said of a test or a film lends its names to nothing."""
    return bool(sentence.frames) and _statement(sentence, None, lexicon, reach).excluded


def _antecedents(read: list[Sentence], place: int) -> Iterable[Sentence]:
    """Return the sentences that this one may lean on."""
    sentence = read[place]
    if sentence.field == "title" and sentence.number == 0:
        yield from (other for other in read if other.field == "title" and other.number == 1)
        yield from (other for other in read if other.field != "title" and other.number == 0)
        return
    if sentence.number == 0:
        yield from (other for other in read if other.field == "title")
        return
    yield read[place - 1]  # of the same field: every sentence is in the list, in order
    if sentence.number <= UNDER_HEADLINE_MAX and sentence.has(*POINTS_BACK):
        yield from (other for other in read if other.field == "title")


def _statement(sentence: Sentence, other: Sentence | None, lexicon: Lexicon, reach: int) -> Statement:
    own = _keys(sentence.hits, lexicon)
    nexus = _nexus(sentence, lexicon)
    if other is None:
        keys, frames = own, sentence.frames
        nexus = frozenset(name for name in nexus if _near(sentence, name, lexicon, reach))
    else:
        keys, frames = own | _keys(other.hits, lexicon), sentence.frames | other.frames
        nexus = _carried(sentence, other, nexus, lexicon, dense=reach == REACH_MAX_DENSE)
    left, stopped = _framed(nexus, frames, lexicon)
    if _sides(keys, nexus) and not _sides(keys, left):
        return Statement(sentence, other, nexus, keys, stopped)
    return Statement(sentence, other, left, keys)


def _framed(
    nexus: frozenset[str], frames: frozenset[str], lexicon: Lexicon
) -> tuple[frozenset[str], frozenset[str]]:
    """Return what of a nexus stands beside all frames, and the frames that took something away."""
    stopped: set[str] = set()
    for name in sorted(frames):
        stands = lexicon.frames[name].leaves(nexus)
        if len(stands) < len(nexus):
            stopped.add(name)
        nexus = stands
    return nexus, frozenset(stopped)


def _carried(
    sentence: Sentence, other: Sentence, nexus: frozenset[str], lexicon: Lexicon, *, dense: bool
) -> frozenset[str]:
    """Return the nexus that may be read with the sides named in another sentence.

    A word that points back (they, the deal) ties any nexus; without one the sentence must name a side itself, and
    the nexus be one by itself. Languages that leave the subject out point back by that.
    """
    nexus -= NOT_CARRIED
    own = _keys(sentence.hits, lexicon)
    points_back = dense or sentence.has(*POINTS_BACK)
    if not own & {"rus", "dprk"} and "theatre" in own and not points_back:
        return frozenset()
    headline = sentence.field != other.field
    sided = bool(own & {"rus", "dprk"})
    if other.field == sentence.field and other.number > sentence.number and not sided:
        return frozenset()
    if points_back or (headline and sided):
        return nexus
    if not sided and not headline and sentence.field != "title":
        return frozenset()
    return frozenset(name for name in nexus if "nexus" in lexicon.concepts[name].keys)


def _keys(hits: Iterable[Hit], lexicon: Lexicon) -> frozenset[str]:
    return frozenset(key for hit in hits for key in lexicon.concepts[hit.target].keys)


def _sides(keys: frozenset[str], nexus: frozenset[str]) -> bool:
    """Return whether there is a nexus and both sides to it."""
    if not nexus or "dprk" not in keys:
        return False
    return "rus" in keys or ("theatre" in keys and not AT_THE_FRONT.isdisjoint(nexus))


def _nexus(sentence: Sentence, lexicon: Lexicon) -> frozenset[str]:
    """Return the concepts that make a nexus here: by themselves, or as a thing with something done to it."""
    return frozenset(
        hit.target
        for hit in sentence.hits
        if (concept := lexicon.concepts[hit.target]).keys & {"nexus", "noun"}
        and (
            "nexus" in concept.keys
            or _stands_alone(hit, sentence, lexicon)
            or _is_related(hit, concept, sentence)
        )
    )


def _stands_alone(hit: Hit, sentence: Sentence, lexicon: Lexicon) -> bool:
    return _is_owned(hit, sentence) or (hit.target in BETWEEN and _is_between(hit, sentence, lexicon))


def _is_between(hit: Hit, sentence: Sentence, lexicon: Lexicon) -> bool:
    """Return whether both sides themselves, not only the front, are named close by."""
    near = {
        key
        for other in sentence.hits
        if _apart(hit, other) <= BETWEEN_REACH_MAX
        for key in lexicon.concepts[other.target].keys
    }
    return {"rus", "dprk"} <= near


def _is_owned(hit: Hit, sentence: Sentence) -> bool:
    """Return whether a thing stands right beside a word for the DPRK: its shells, its soldiers."""
    return hit.target in OWNED and any(
        max(hit.start, other.start) - min(hit.end, other.end) <= OWNED_GAP_MAX
        for other in sentence.hits
        if other.target == "dprk"
    )


def _is_related(hit: Hit, concept: Concept, sentence: Sentence) -> bool:
    return any(
        other.target in concept.relations
        and other.start != hit.start
        and _apart(hit, other) <= RELATION_REACH_MAX
        for other in sentence.hits
    )


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
