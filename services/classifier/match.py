"""Finding the lexicon's forms in a text: one pass of an automaton, then a check of each find.

The gate is a second, smaller automaton over what a story about the DPRK cannot do without; about one story in a
hundred passes it, and only those pay for anything else.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import ahocorasick_rs

from services.classifier.forms import ARABIC_AFTER_MAX, ARABIC_BEFORE, ARABIC_BEFORE_MAX, pattern_end
from services.classifier.text import without_surrogates

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from services.classifier.forms import Entry, Form
    from services.classifier.lexicon import Lexicon
    from services.classifier.text import View

# More finds than this in one field are a list or an attack; the first ones decide.
HITS_MAX = 4_000
# Names are written in Latin letters the world over; the English list lends them.
LENDER = "en"
# Korean lists write names in Han letters, too; those count only where something is in Hangul.
_HANGUL = re.compile("[\uac00-\ud7a3]")


@dataclass(frozen=True, slots=True)
class Hit:
    """A form found at a place of a view."""

    start: int
    end: int
    target: str
    term: str


class Finder:
    """Forms compiled; finds them in a view."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        """Compile the automaton; takes some milliseconds, once."""
        self._entries = _by_literal(entries)
        self._literals = list(self._entries)
        self._automaton = _automaton(self._literals)

    def hits(self, view: View) -> list[Hit]:
        """Return what is found, in order, nested finds of one target dropped."""
        return _kept(self.found(view))

    def found(self, view: View) -> Iterator[tuple[Entry, Hit]]:
        """Yield every find whose borders, case and pattern hold."""
        texts = (view.low, view.cased)
        for number, start, end in self._automaton.find_matches_as_indexes(view.low, overlapping=True):
            for entry in self._entries[self._literals[number]]:
                stop = _end_of(entry, texts, start, end, entry.script)
                if stop is not None:
                    yield entry, Hit(start, stop, entry.target, entry.form.term)


class Matcher:
    """The lexicon compiled: ``passes`` is the gate, ``hits`` the full search."""

    def __init__(self, lexicon: Lexicon, watched: Iterable[Entry] = ()) -> None:
        """Compile both automata; ``watched`` are names that pass the gate beside the lexicon's own."""
        self._lent = frozenset(concept.name for concept in lexicon.concepts.values() if concept.lent)
        self._finder = Finder(lexicon.entries)
        gate = [
            entry
            for entry in lexicon.entries
            if (concept := lexicon.concepts.get(entry.target)) is not None and concept.opened_by(entry.form)
        ]
        gate += watched
        by_literal = _by_literal(gate)
        self._gate = _automaton(list(by_literal))
        self._gate_entries = [
            (all(entry.form.left and entry.script != "arabic" for entry in entries), entries)
            for entries in by_literal.values()
        ]
        """By the number of a literal: whether it counts at the beginning of a word only, and its entries."""

    def passes(self, low: str) -> bool:
        """Return whether a skimmed story names anything of the DPRK side at all."""
        try:
            found = self._gate.find_matches_as_indexes(low, overlapping=True)
        except UnicodeEncodeError:
            low = without_surrogates(low)
            found = self._gate.find_matches_as_indexes(low, overlapping=True)
        if not found:
            return False
        script, texts = "hangul" if _HANGUL.search(low) else "", (low, low)
        for number, start, end in found:
            at_word, entries = self._gate_entries[number]
            if at_word and start and low[start - 1].isalnum():
                continue
            for entry in entries:
                if _end_of(entry, texts, start, end, script) is not None:
                    return True
        return False

    def hits(self, view: View, languages: frozenset[str]) -> list[Hit]:
        """Return what is found in a view for these languages, in order, nested finds of one target dropped."""
        return _kept(
            (entry, hit)
            for entry, hit in self._finder.found(view)
            if entry.language in languages or (entry.language == LENDER and entry.target in self._lent)
        )


def _kept(found: Iterable[tuple[Entry, Hit]]) -> list[Hit]:
    """Return the finds in order, without those inside an earlier one of their target, within the bound."""
    hits = sorted((hit for _, hit in found), key=lambda hit: (hit.start, -hit.end, hit.target))
    kept: list[Hit] = []
    reach: dict[str, int] = defaultdict(int)
    for hit in hits[:HITS_MAX]:
        if hit.end > reach[hit.target]:
            reach[hit.target] = hit.end
            kept.append(hit)
    return kept


def _automaton(literals: list[str]) -> ahocorasick_rs.AhoCorasick:
    return ahocorasick_rs.AhoCorasick(literals, store_patterns=False)


def _by_literal(entries: Iterable[Entry]) -> dict[str, list[Entry]]:
    grouped: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        grouped[entry.form.literal].append(entry)
    return dict(grouped)


def _end_of(entry: Entry, texts: tuple[str, str], start: int, end: int, script: str) -> int | None:
    """Return where the find ends if its borders, case and pattern hold, else None.

    ``texts`` are the folded text and the one as written; the same object twice means that case is not looked at.
    """
    low, cased = texts
    form = entry.form
    if entry.script == "hangul" and script != "hangul":
        return None
    if entry.script == "arabic":
        return _arabic_end(form, low, start, end)
    if form.left and start and low[start - 1].isalnum():  # first: it costs least, and says no most often
        return None
    if form.pattern is not None:
        end = pattern_end(form, form.pattern, low, start)
    if end < 0 or (form.right and end < len(low) and low[end].isalnum()):
        return None
    if form.cased is not None and cased is not low and cased[start:end] != form.cased:
        return None
    return end if form.right or form.pattern is not None else _word_end(low, end, glued=not form.left)


def _word_end(low: str, end: int, *, glued: bool) -> int:
    """Return the end of the word a prefix stands in; a form that matches inside words stays as it is."""
    if glued:
        return end
    while end < len(low) and low[end].isalnum():
        end += 1
    return end


def _arabic_end(form: Form, low: str, start: int, end: int) -> int | None:
    before = start
    while before and low[before - 1].isalpha():
        if start - before == ARABIC_BEFORE_MAX or low[before - 1] not in ARABIC_BEFORE:
            return None
        before -= 1
    if form.pattern is not None:
        stop = pattern_end(form, form.pattern, low, start)
        return stop if stop >= 0 else None
    after = end
    while after < len(low) and low[after].isalpha():
        if after - end == ARABIC_AFTER_MAX:
            return None
        after += 1
    return end
