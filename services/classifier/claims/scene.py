"""A sentence as the claims engine sees it: its cues, things, speakers and sides, in view places."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING

from services.classifier.claims.cues import CUES
from services.classifier.claims.pack import NO_THING, SIDES, WHO
from services.classifier.claims.quotes import quotations
from services.classifier.match import Hit

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from schemas.claim import Field_
    from services.classifier.claims.pack import Pack, Side
    from services.classifier.lexicon import Lexicon
    from services.classifier.reading import Sentence
    from services.classifier.statements import Statement
    from services.classifier.text import View


NOT_GAP_MAX = 12
"""Code points between "not" and what it denies: has not yet confirmed."""


@dataclass(frozen=True, slots=True)
class Mention:
    """A side, named at a place; ``None`` for both at once."""

    start: int
    end: int
    side: Side | None


@dataclass(frozen=True, slots=True)
class Scene:
    """A sentence, or a clause of one, with all that was found in it."""

    field: Field_
    number: int
    start: int
    end: int
    cues: tuple[Hit, ...] = ()
    things: tuple[Hit, ...] = ()
    speakers: tuple[Hit, ...] = ()
    measures: tuple[Hit, ...] = ()
    """Units, operators and number words."""
    mentions: tuple[Mention, ...] = ()
    others: tuple[Hit, ...] = ()
    """Third countries and the front: whoever else may give or get."""
    quotes: tuple[tuple[int, int], ...] = ()
    statement: Statement | None = None
    names: frozenset[str] = frozenset()
    """The names of the cues here."""

    def has(self, *names: str) -> bool:
        """Return whether one of these cues stands here."""
        return not self.names.isdisjoint(names)

    def of(self, *names: str) -> list[Hit]:
        """Return the finds of these cues, in order."""
        return [hit for hit in self.cues if hit.target in names]

    def quoted(self, place: int) -> bool:
        """Return whether a place is inside a quotation."""
        return any(start <= place < end for start, end in self.quotes)

    @property
    def joins(self) -> bool:
        """Whether the rule holds in this sentence."""
        return self.statement is not None and self.statement.joins

    def between(self, start: int, end: int) -> Scene:
        """Return the part of this scene between two places."""
        if (start, end) == (self.start, self.end):
            return self

        def inside(hits: tuple[Hit, ...]) -> tuple[Hit, ...]:
            return tuple(hit for hit in hits if start <= hit.start < end)

        cues = inside(self.cues)
        return Scene(
            self.field,
            self.number,
            start,
            end,
            cues,
            inside(self.things),
            inside(self.speakers),
            inside(self.measures),
            tuple(one for one in self.mentions if start <= one.start < end),
            inside(self.others),
            self.quotes,
            self.statement,
            frozenset(hit.target for hit in cues),
        )

    def without(self, start: int, end: int) -> Scene:
        """Return this scene without the countries named between two places: who speaks neither gives nor gets."""
        kept = tuple(one for one in self.mentions if not start <= one.start < end)
        others = tuple(hit for hit in self.others if not start <= hit.start < end)
        if len(kept) == len(self.mentions) and len(others) == len(self.others):
            return self
        return Scene(
            self.field,
            self.number,
            self.start,
            self.end,
            self.cues,
            self.things,
            self.speakers,
            self.measures,
            kept,
            others,
            self.quotes,
            self.statement,
            self.names,
        )


@dataclass(frozen=True, slots=True)
class Context:
    """A story's fields and what is needed to read them."""

    views: dict[Field_, View]
    languages: frozenset[str]
    joiners: frozenset[str]
    traits: frozenset[str]
    lexicon: Lexicon
    pack: Pack
    sides: dict[str, Side | None]
    """The side that each concept names; None: both."""

    @classmethod
    def of(
        cls,
        fields: Sequence[tuple[Field_, View]],
        languages: frozenset[str],
        joiners: frozenset[str],
        data: tuple[Lexicon, Pack],
    ) -> Context:
        """Return the context of a story."""
        views = dict(fields)
        lexicon, pack = data
        traits = frozenset(trait for name in languages for trait in pack.traits.get(name, ()))
        return cls(views, languages, joiners, traits, lexicon, pack, _sides(lexicon, pack))

    def has(self, trait: str) -> bool:
        """Return whether the language of the story is said to have a trait of grammar."""
        return trait in self.traits

    def joined(self, gap: str) -> bool:
        """Return whether nothing but commas and conjunctions stands in a gap of folded text."""
        return all(word in self.joiners for word in gap.translate(_MARKS).split())


_MARKS = str.maketrans(dict.fromkeys(",、，·・'’", " "))


def scenes(read: Sequence[Sentence], found: Sequence[Statement], context: Context) -> list[Scene]:
    """Return the sentences of a story, in order, with what is found in them; a title that the text repeats is read once."""
    repeated = _repeats_the_title(found, context)
    stated = {(one.sentence.field, one.sentence.start): one for one in found}
    made: list[Scene] = []
    for field, view in context.views.items():
        if field == "title" and repeated:
            continue
        kinds = _sorted(context.pack.cues.hits(view, context.languages))
        places = {name: [hit.start for hit in hits] for name, hits in kinds.items()}
        quotes = quotations(view.cased)
        for sentence in read:
            if sentence.field == field:
                inside = {
                    name: _inside(hits, places[name], sentence.start, sentence.end)
                    for name, hits in kinds.items()
                }
                made.append(_scene(sentence, inside, quotes, stated.get((field, sentence.start)), context))
    return made


def _repeats_the_title(found: Sequence[Statement], context: Context) -> bool:
    """Return whether a text opens with its title, unless the title alone joins the sides: no flag is without a claim."""
    text = context.views.get("text")
    return (
        text is not None
        and text.low.startswith(context.views["title"].low)
        and any(one.joins for one in found if one.sentence.field != "title")
    )


def _scene(
    sentence: Sentence,
    inside: dict[str, tuple[Hit, ...]],
    quotes: list[tuple[int, int]],
    statement: Statement | None,
    context: Context,
) -> Scene:
    start, end = sentence.start, sentence.end
    return Scene(
        sentence.field,
        sentence.number,
        start,
        end,
        **inside,
        mentions=_mentions(statement, context),
        others=_others(statement),
        quotes=_over(quotes, start, end),
        statement=statement,
        names=frozenset(hit.target for hit in inside["cues"]),
    )


def _sorted(hits: list[Hit]) -> dict[str, list[Hit]]:
    """Return the finds by what they are, without those that a void or a longer find hides."""
    kinds: dict[str, list[Hit]] = {"cues": [], "things": [], "speakers": [], "measures": []}
    for hit in hits:
        if hit.target in CUES:
            kind = "cues"
        elif hit.target.isupper():
            kind = "things"
        else:
            kind = "speakers" if hit.target.startswith(WHO) else "measures"
        kinds[kind].append(hit)
    void = _places(hit for hit in kinds["cues"] if hit.target == "void")
    cues = [hit for hit in kinds["cues"] if hit.target != "void" and _clear(hit, void)]
    kinds["cues"] = [hit for hit in cues if hit.target != "confirm" or not _negated(hit, cues)]
    kinds["things"] = [
        hit for hit in longest(kinds["things"]) if hit.target != NO_THING and _clear(hit, void)
    ]
    kinds["speakers"] = longest(kinds["speakers"])
    return kinds


def _places(hits: Iterable[Hit]) -> set[int]:
    return {place for hit in hits for place in range(hit.start, hit.end)}


def _clear(hit: Hit, places: set[int]) -> bool:
    return places.isdisjoint(range(hit.start, hit.end))


def _negated(hit: Hit, cues: Sequence[Hit]) -> bool:
    """Return whether "not" stands right before a cue: what was not confirmed is not confirmed."""
    return any(other.target == "not" and 0 <= hit.start - other.end <= NOT_GAP_MAX for other in cues)


def longest(hits: Sequence[Hit]) -> list[Hit]:
    """Return the finds that no longer one overlaps, in order."""
    kept: list[Hit] = []
    taken: set[int] = set()
    for hit in sorted(hits, key=lambda hit: (hit.start - hit.end, hit.start, hit.target)):
        if _clear(hit, taken):
            kept.append(hit)
            taken.update(range(hit.start, hit.end))
    return sorted(kept, key=lambda hit: hit.start)


def _inside(hits: list[Hit], places: list[int], start: int, end: int) -> tuple[Hit, ...]:
    return tuple(hits[bisect_left(places, start) : bisect_left(places, end)])


def _over(quotes: list[tuple[int, int]], start: int, end: int) -> tuple[tuple[int, int], ...]:
    """Return the quotations that reach into a stretch; they are in order, and none is inside another."""
    first = bisect_right(quotes, start, key=itemgetter(1))
    return tuple(quotes[first : bisect_left(quotes, end, key=itemgetter(0))])


def _mentions(statement: Statement | None, context: Context) -> tuple[Mention, ...]:
    """Return the sides named in a sentence; a pair of names is both where neither is found by itself."""
    if statement is None:
        return ()
    named = [
        Mention(hit.start, hit.end, context.sides[hit.target])
        for hit in statement.sentence.hits
        if hit.target in context.sides
    ]
    single = [one for one in named if one.side is not None]
    pairs = [
        pair
        for pair in named
        if pair.side is None and not any(pair.start <= one.start and one.end <= pair.end for one in single)
    ]
    return tuple(sorted([*_apart(single), *pairs], key=lambda one: one.start))


def _sides(lexicon: Lexicon, pack: Pack) -> dict[str, Side | None]:
    """Return the side that each concept of the word lists names, None for both; what is itself a nexus names none."""
    sides: dict[str, Side | None] = {}
    for name, concept in lexicon.concepts.items():
        found = [side for side in SIDES if pack.keys[side] in concept.keys]
        if len(found) > 1:
            sides[name] = None
        elif found and "nexus" not in concept.keys:
            sides[name] = found[0]
    return sides


def _apart(mentions: list[Mention]) -> list[Mention]:
    """Return the mentions without those inside another of the same side."""
    return [
        one
        for one in mentions
        if not any(
            other is not one and other.start <= one.start and one.end <= other.end and other != one
            for other in mentions
        )
    ]


def _others(statement: Statement | None) -> tuple[Hit, ...]:
    if statement is None:
        return ()
    return tuple(hit for hit in statement.sentence.hits if hit.target in {"third", "south", "theatre"})
