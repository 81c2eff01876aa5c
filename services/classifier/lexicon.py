"""The word lists as read: concepts, terms, masks, frames; every fault said with file, line and what is wrong.

A linguist edits ``data/lexicon/<language>.toml``; forms are explained in ``data/MODEL.md``.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from dataclasses import dataclass, field
from importlib.resources import files
from typing import TYPE_CHECKING, Any, NoReturn

from services.classifier.text import fold

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

    from schemas.verdict import Tier

KEYS = frozenset({"rus", "dprk", "theatre", "nexus", "noun", "relation"})
SCRIPTS = frozenset({"latin", "cyrillic", "arabic", "hangul", "kana", "han"})
SCOPES = frozenset({"statement", "title"})
# The tables of a list, and what a name in each is.
KINDS = {"terms": "concept", "masks": "mask", "frames": "frame"}
# A repeated group that repeats inside may take time without end on a text made for it.
BOMB = re.compile(r"\((?:[^()\\]|\\.)*(?:[*+]|\{\d+,\d*\})(?:[^()\\]|\\.)*\)[*+{]")
# Scripts written without spaces, or with particles glued on: a form matches inside a longer run.
GLUED = frozenset({"hangul", "kana", "han"})


class LexiconError(Exception):
    """A word list is wrong; the message names file, line and fault."""


@dataclass(frozen=True, slots=True)
class Concept:
    """What an entry can mean, and what it does for the rule."""

    name: str
    kind: str
    keys: frozenset[str] = frozenset()
    gate: bool = False
    lent: bool = False
    needs: frozenset[str] = frozenset()
    relations: frozenset[str] = frozenset()
    tier: Tier = "T0"


@dataclass(frozen=True, slots=True)
class Form:
    """One way a term is written, ready to be compared with a folded text."""

    term: str
    literal: str
    left: bool
    right: bool
    cased: str | None = None
    pattern: re.Pattern[str] | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A form in a language, and what it stands for: a concept, a mask or a frame."""

    language: str
    script: str
    target: str
    form: Form


@dataclass(frozen=True, slots=True)
class Mask:
    """A false friend: hides the matches it overlaps (of ``hides`` only, if that is not empty)."""

    why: str
    hides: frozenset[str]


@dataclass(frozen=True, slots=True)
class Frame:
    """A way of speaking in which the nexus of a statement does not count."""

    name: str
    why: str
    scope: str
    cancels: frozenset[str]
    spares: frozenset[str]

    def leaves(self, nexus: frozenset[str]) -> frozenset[str]:
        """Return what of a statement's nexus stands beside this frame."""
        return nexus - self.cancels if self.cancels else nexus & self.spares


@dataclass(frozen=True, slots=True)
class Lexicon:
    """All that the matcher and the rule need to know about words."""

    version: str
    concepts: dict[str, Concept]
    entries: tuple[Entry, ...]
    masks: dict[str, Mask]
    frames: dict[str, Frame]
    languages: dict[str, str] = field(default_factory=dict)
    """The script of each language that has a list."""
    joiners: dict[str, frozenset[str]] = field(default_factory=dict)


def load_lexicon(root: Traversable | None = None) -> Lexicon:
    """Read and check the word lists of the package, or of another folder of the same shape."""
    data = root or files("services.classifier") / "data"
    digest = hashlib.sha256()
    concepts = _concepts(_read(data / "concepts.toml", digest))
    page = _read(data / "exclusions.toml", digest)
    version = str(page.table.get("version", "0"))
    masks, frames = _exclusions(page, concepts)
    targets = {"terms": {name: name for name in concepts}, "masks": {name: f"mask.{name}" for name in masks}}
    targets["frames"] = {name: f"frame.{name}" for name in frames}
    entries: list[Entry] = []
    scripts: dict[str, str] = {}
    joiners: dict[str, frozenset[str]] = {}
    for path in sorted((data / "lexicon").iterdir(), key=lambda path: path.name):
        if path.name.endswith(".toml"):
            page = _read(path, digest)
            language, script = _header(page)
            scripts[language] = script
            joiners[language] = frozenset(page.table.get("joiners", ()))
            for kind, known in targets.items():
                entries.extend(_entries(page, kind, known, language, script))
    named = {f"mask.{name}": mask for name, mask in masks.items()}
    return Lexicon(
        f"{version}+{digest.hexdigest()[:8]}", concepts, tuple(entries), named, frames, scripts, joiners
    )


@dataclass(frozen=True, slots=True)
class _Page:
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


def _read(path: Traversable, digest: hashlib._Hash) -> _Page:
    raw = path.read_bytes()
    digest.update(raw)
    try:
        text = raw.decode()
        return _Page(path.name, text, tomllib.loads(text))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        message = f"{path.name}: {error}"
        raise LexiconError(message) from error


def _concepts(page: _Page) -> dict[str, Concept]:
    concepts: dict[str, Concept] = {}
    for name, row in page.table.get("concept", {}).items():
        keys = frozenset(row.get("keys", ()))
        if not keys <= KEYS:
            page.fail(f"concept {name}: unknown key {min(keys - KEYS)!r}", name)
        concepts[name] = Concept(
            name=name,
            kind=row["kind"],
            keys=keys,
            gate=bool(row.get("gate", False)),
            lent=bool(row.get("lent", False)),
            needs=frozenset(row.get("needs", ())),
            relations=frozenset(row.get("with", ())),
            tier=row.get("tier", "T0"),
        )
    for concept in concepts.values():
        for other in sorted(concept.needs | concept.relations):
            if other not in concepts:
                page.fail(f"concept {concept.name}: unknown concept {other!r}", concept.name)
    return concepts


def _header(page: _Page) -> tuple[str, str]:
    language, script = page.table.get("language"), page.table.get("script")
    if not isinstance(language, str) or page.name != f"{language}.toml":
        page.fail(f"language {language!r} does not fit the file's name", "language")
    if script not in SCRIPTS:
        page.fail(f"unknown script {script!r}; known: {', '.join(sorted(SCRIPTS))}", "script")
    if not page.table.get("source"):
        page.fail("no source: say where the words come from", "language")
    return language, str(script)


def _entries(page: _Page, kind: str, known: dict[str, str], language: str, script: str) -> list[Entry]:
    """Return the entries of one table of a list: terms, masks or frames."""
    entries: list[Entry] = []
    for name, written in page.table.get(kind, {}).items():
        if name not in known:
            page.fail(f"unknown {KINDS[kind]} {name!r}", name)
        entries.extend(
            Entry(language, script, known[name], form) for form in _forms(page, name, written, script)
        )
    return entries


def _forms(page: _Page, where: str, written: list[Any], script: str) -> list[Form]:
    seen: set[tuple[str, str | None, bool, bool, str]] = set()
    forms: list[Form] = []
    for item in written:
        form = _form(page, where, item, script)
        pattern = form.pattern.pattern if form.pattern else ""
        identity = (form.literal, form.cased, form.left, form.right, pattern)
        if identity in seen:
            page.fail(f"{where}: {form.term!r} stands twice", f'"{form.term}"', 2)
        seen.add(identity)
        forms.append(form)
    return forms


def _form(page: _Page, where: str, item: Any, script: str) -> Form:
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
    pattern = re.compile(r"\w*".join(map(re.escape, body.split("*"))) + ("" if right else r"\w*"))
    return Form(item, body.split("*")[0], left=left, right=right, pattern=pattern)


def _pattern_form(page: _Page, where: str, item: dict[str, str]) -> Form:
    literal, pattern = item.get("at", ""), item.get("re", "")
    if not literal or not pattern:
        page.fail(f"{where}: a pattern needs `at` and `re`", where)
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        page.fail(f"{where}: pattern {pattern!r}: {error}", pattern)
    if BOMB.search(pattern):
        page.fail(f"{where}: pattern {pattern!r} repeats a repeat, which may never end", pattern)
    return Form(literal, literal, left=False, right=False, pattern=compiled)


def _exclusions(page: _Page, concepts: dict[str, Concept]) -> tuple[dict[str, Mask], dict[str, Frame]]:
    masks = {
        name: Mask(row["why"], _known(page, name, row.get("hides", ()), concepts))
        for name, row in page.table.get("mask", {}).items()
    }
    frames: dict[str, Frame] = {}
    for name, row in page.table.get("frame", {}).items():
        if row["scope"] not in SCOPES:
            page.fail(f"frame {name!r}: unknown scope {row['scope']!r}", name)
        cancels = _known(page, name, row.get("cancels", ()), concepts)
        spares = _known(page, name, row.get("spares", ()), concepts)
        frames[name] = Frame(name, row["why"], row["scope"], cancels, spares)
    return masks, frames


def _known(page: _Page, where: str, names: Any, concepts: dict[str, Concept]) -> frozenset[str]:
    for name in names:
        if name not in concepts:
            page.fail(f"{where}: unknown concept {name!r}", name)
    return frozenset(names)
