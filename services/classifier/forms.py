"""A page of data and the forms on it: read, checked, every fault said with file, line and what is wrong.

Word lists and claim cues are written alike: a table of names, each with its forms (``data/MODEL.md``).
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, NoReturn

from services.classifier.text import fold

if TYPE_CHECKING:
    import hashlib
    from importlib.resources.abc import Traversable

SCRIPTS = frozenset({"latin", "cyrillic", "arabic", "hangul", "kana", "han"})
# The tables of a page, and what a name in each is.
KINDS = {
    "terms": "concept",
    "masks": "mask",
    "frames": "frame",
    "cues": "cue",
    "materiel": "category",
    "claimants": "claimant",
    "units": "unit",
    "operators": "operator",
    "numbers": "number",
}
# A repeated group that repeats inside may take time without end on a text made for it.
BOMB = re.compile(r"\((?:[^()\\]|\\.)*(?:[*+]|\{\d+,\d*\})(?:[^()\\]|\\.)*\)[*+{]")
GAP = "…"
"""In a form: up to ``GAP_WORDS_MAX`` other words of the same clause."""
GAP_WORDS_MAX = 4
BARRIER = "barrier"
"""The set of words that no gap steps over: whose arms, whose soldiers they are."""
OPTIONAL = "optional"
"""In the head of a list, ``accents = "optional"``: each form is looked for without its accents as well."""
_SET = re.compile(r"\{(\w+)\}")
# Between two words of a form with gaps: a space, with the marks of a quotation on either side.
_BETWEEN = '[»”“"]?[,،]? [«“„"(]?'
# An Arabic word may carry and, so, in, for, like, will and the article before it, and a pronoun or plural after it.
ARABIC_BEFORE = "وفبلكاس"
ARABIC_BEFORE_MAX = 4
ARABIC_AFTER_MAX = 2
# Words whose full stop ends no clause, inside a gap.
_SHORTENED = r"(?:tys|mln|mld|gen|płk|płn|płd|тыс|тис|млн|млрд|ген)\."
# Scripts written without spaces, or with particles glued on: a form matches inside a longer run.
GLUED = frozenset({"hangul", "kana", "han"})


class LexiconError(Exception):
    """A word list is wrong; the message names file, line and fault."""


@dataclass(frozen=True, slots=True)
class Form:
    """One way a term is written, ready to be compared with a folded text."""

    term: str
    literal: str
    left: bool
    right: bool
    cased: str | None = None
    pattern: str | None = None
    """A regular expression on the folded text, from where ``literal`` stands; ``compiled`` when it is first needed."""
    needs: tuple[str, ...] = ()
    """Of a pattern: it can hold only where one of these stands, too."""
    gap: bool = False
    """Other words may stand between its own."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A form in a language, and what it stands for: a concept, a mask or a frame."""

    language: str
    script: str
    target: str
    form: Form


@dataclass(frozen=True, slots=True)
class Page:
    """A TOML file as text and as a table, so that a fault can name its line."""

    name: str
    text: str
    table: dict[str, Any]

    def fail(self, what: str, needle: str = "", occurrence: int = 1) -> NoReturn:
        """Raise an error that points at the given occurrence of a string."""
        found = [match.start() for match in re.finditer(re.escape(needle), self.text)] if needle else []
        place = found[min(occurrence, len(found)) - 1] if found else 0
        line = self.text.count("\n", 0, place) + 1
        message = f"{self.name}:{line}: {what}"
        raise LexiconError(message)


ASKED_LENGTH_MAX = 2_000
"""A longer text is not asked for what a pattern needs: to ask at each place would cost the square of its length."""
_READY: dict[str, re.Pattern[str]] = {}
"""Patterns that were needed so far. To compile all takes seconds a process, and most are never asked for."""


def compiled(pattern: str) -> re.Pattern[str]:
    """Return a pattern, compiled once."""
    ready = _READY.get(pattern)
    if ready is None:
        ready = _READY[pattern] = re.compile(pattern)
    return ready


def pattern_end(form: Form, pattern: str, low: str, start: int) -> int:
    """Return where a form's pattern ends that begins at ``start``; -1: it does not hold."""
    asked = form.needs and pattern not in _READY and len(low) <= ASKED_LENGTH_MAX
    if asked and not any(word in low for word in form.needs):
        return -1
    found = compiled(pattern).match(low, start)
    return found.end() if found else -1


def read_page(path: Traversable, digest: hashlib._Hash) -> Page:
    """Return a file as a page; its bytes go into the digest."""
    raw = path.read_bytes()
    digest.update(raw)
    try:
        text = raw.decode()
        return Page(path.name, text, tomllib.loads(text))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        message = f"{path.name}: {error}"
        raise LexiconError(message) from error


def header(page: Page) -> tuple[str, str]:
    """Return (language, script) as the head of a page says, checked against the file's name."""
    language, script = page.table.get("language"), page.table.get("script")
    if not isinstance(language, str) or page.name != f"{language}.toml":
        page.fail(f"language {language!r} does not fit the file's name", "language")
    if script not in SCRIPTS:
        page.fail(f"unknown script {script!r}; known: {', '.join(sorted(SCRIPTS))}", "script")
    if not page.table.get("source"):
        page.fail("no source: say where the words come from", "language")
    return language, str(script)


def entries_of(page: Page, kind: str, known: dict[str, str], language: str, script: str) -> list[Entry]:
    """Return the entries of one table of a list: terms, masks or frames."""
    entries: list[Entry] = []
    for name, written in page.table.get(kind, {}).items():
        if name not in known:
            page.fail(f"unknown {KINDS[kind]} {name!r}", name)
        entries.extend(
            Entry(language, script, known[name], form) for form in forms_of(page, name, written, script)
        )
    return entries


def forms_of(page: Page, where: str, written: list[Any], script: str) -> list[Form]:
    """Return the forms of one row of a list, each once; ``where`` is for messages."""
    forms: dict[tuple[str, str | None, bool, bool, str | None], Form] = {}
    for item in written:
        for form in _read(page, where, item, script):
            if _identity(form) in forms:
                page.fail(f"{where}: {form.term!r} stands twice", f'"{form.term}"', 2)
            forms[_identity(form)] = form
    if page.table.get("accents") == OPTIONAL:
        for item in written:
            if isinstance(item, str) and GAP not in item and "{" not in item:
                form = _form(page, where, without_accents(item), script)
                forms.setdefault(_identity(form), form)
    return list(forms.values())


def _identity(form: Form) -> tuple[str, str | None, bool, bool, str | None]:
    return form.literal, form.cased, form.left, form.right, form.pattern


def without_accents(text: str) -> str:
    """Return a text as capitals are often set: Corée is COREE."""
    return "".join(
        letter for letter in unicodedata.normalize("NFD", text) if not unicodedata.combining(letter)
    )


def _read(page: Page, where: str, item: Any, script: str) -> list[Form]:
    """Return the forms that an entry stands for: one, or one for each word of the set that it begins with."""
    if not isinstance(item, str) or not (GAP in item or "{" in item):
        return [_form(page, where, item, script)]
    head, *rest = item.split()
    heads = _words_of(page, where, head)
    if rest[-1:] == [GAP] or not rest or heads[0] == GAP:
        page.fail(f"{where}: {item!r} needs a word on both sides of a gap", item)
    return [_gap_form(page, where, first, rest, script) for first in heads]


def _gap_form(page: Page, where: str, first: str, rest: list[str], script: str) -> Form:
    """Return a form of several words with gaps or sets in it, as a pattern that looks at a bounded stretch."""
    pattern_of = _arabic_pattern_of if script == "arabic" else _pattern_of
    barrier = "|".join(map(pattern_of, page.table.get("sets", {}).get(BARRIER, ())))
    ahead = f"(?!(?:{barrier}))" if barrier else ""
    step = f'(?:{ahead}(?:(?:[^\\s.;:!?]|\\.(?=\\d))+|{_SHORTENED}) [«“„"(]?){{0,{GAP_WORDS_MAX}}}?'
    pattern, gap = pattern_of(first), False
    for token in rest:
        if token == GAP:
            gap = True
            continue
        words = "|".join(map(pattern_of, _words_of(page, where, token)))
        pattern += f"{_BETWEEN}{step if gap else ''}(?:{words})"
        gap = False
    needs = tuple(_stem(word) for word in _words_of(page, where, rest[-1]))
    term = " ".join((first, *rest))
    return Form(term, _stem(first), left=True, right=False, pattern=pattern, needs=needs, gap=True)


def _stem(word: str) -> str:
    """Return what a word or phrase with ``*`` in it begins with, wherever it stands."""
    return fold(word).strip("*").split("*")[0]


def _words_of(page: Page, where: str, token: str) -> list[str]:
    """Return the words that a token of a form stands for: itself, or those of a set."""
    named = _SET.fullmatch(token)
    words = [token] if named is None else list(page.table.get("sets", {}).get(named[1], []))
    if not words:
        page.fail(f"{where}: no set {token[1:-1]!r}", token)
    if page.table.get("accents") == OPTIONAL:
        words = list(dict.fromkeys([*words, *map(without_accents, words)]))
    return words


@cache
def _pattern_of(word: str) -> str:
    """Return the pattern of a word or phrase with ``*`` in it, borders included."""
    parts = fold(word).split("*")
    return r"\w*".join(map(re.escape, parts)) + ("" if word.endswith("*") else r"(?!\w)")


@cache
def _arabic_pattern_of(word: str) -> str:
    """Return the pattern of an Arabic word or phrase, with what may be written on to it at either end."""
    return (
        rf"[{ARABIC_BEFORE}]{{0,{ARABIC_BEFORE_MAX}}}{re.escape(fold(word))}\w{{0,{ARABIC_AFTER_MAX}}}(?!\w)"
    )


def _form(page: Page, where: str, item: Any, script: str) -> Form:
    if isinstance(item, dict):
        return _pattern_form(page, where, item)
    if not isinstance(item, str) or not item.strip("=* "):
        page.fail(f"{where}: empty form {item!r}", f'"{item}"')
    if item.startswith("="):
        return Form(item, fold(item[1:]), left=True, right=True, cased=item[1:])
    glued = script in GLUED
    left = not (glued or item.startswith("*"))
    right = not (glued or item.endswith("*"))
    body = fold(item).strip("*")
    if "*" not in body:
        return Form(item, body, left=left and body[0].isalnum(), right=right and body[-1].isalnum())
    pattern = r"\w*".join(map(re.escape, body.split("*"))) + ("" if right else r"\w*")
    first, *rest = body.split("*")
    return Form(item, first, left=left, right=right, pattern=pattern, needs=(max(rest, key=len),))


def _pattern_form(page: Page, where: str, item: dict[str, str]) -> Form:
    literal, pattern = item.get("at", ""), item.get("re", "")
    if not literal or not pattern:
        page.fail(f"{where}: a pattern needs `at` and `re`", where)
    try:
        compiled(pattern)
    except re.error as error:
        page.fail(f"{where}: pattern {pattern!r}: {error}", pattern)
    if BOMB.search(pattern):
        page.fail(f"{where}: pattern {pattern!r} repeats a repeat, which may never end", pattern)
    return Form(literal, literal, left=False, right=False, pattern=pattern)
