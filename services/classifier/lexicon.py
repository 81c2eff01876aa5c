"""The word lists as read: concepts, terms, masks, frames; every fault said with file, line and what is wrong.

A linguist edits ``data/lexicon/<language>.toml``; forms are explained in ``data/MODEL.md``.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from services.classifier.forms import Entry, Page, entries_of, header, read_page

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

    from schemas.verdict import Tier
    from services.classifier.forms import Form

KEYS = frozenset({"rus", "dprk", "theatre", "nexus", "noun", "relation"})
SCOPES = frozenset({"statement", "title"})


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

    def opened_by(self, form: Form) -> bool:
        """Return whether a form of it opens the gate.

        A thing whose form has a gap names its maker in it, and that name opens the gate by itself, for less.
        """
        return self.gate and not (form.gap and not self.keys.isdisjoint({"noun", "nexus"}))


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
    concepts = _concepts(read_page(data / "concepts.toml", digest))
    page = read_page(data / "exclusions.toml", digest)
    version = str(page.table.get("version", "0"))
    masks, frames = _exclusions(page, concepts)
    targets = {"terms": {name: name for name in concepts}, "masks": {name: f"mask.{name}" for name in masks}}
    targets["frames"] = {name: f"frame.{name}" for name in frames}
    entries: list[Entry] = []
    scripts: dict[str, str] = {}
    joiners: dict[str, frozenset[str]] = {}
    for path in sorted((data / "lexicon").iterdir(), key=lambda path: path.name):
        if path.name.endswith(".toml"):
            page = read_page(path, digest)
            language, script = header(page)
            scripts[language] = script
            joiners[language] = frozenset(page.table.get("joiners", ()))
            for kind, known in targets.items():
                entries.extend(entries_of(page, kind, known, language, script))
    named = {f"mask.{name}": mask for name, mask in masks.items()}
    return Lexicon(
        f"{version}+{digest.hexdigest()[:8]}", concepts, tuple(entries), named, frames, scripts, joiners
    )


def _concepts(page: Page) -> dict[str, Concept]:
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


def _exclusions(page: Page, concepts: dict[str, Concept]) -> tuple[dict[str, Mask], dict[str, Frame]]:
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


def _known(page: Page, where: str, names: Any, concepts: dict[str, Concept]) -> frozenset[str]:
    for name in names:
        if name not in concepts:
            page.fail(f"{where}: unknown concept {name!r}", name)
    return frozenset(names)
