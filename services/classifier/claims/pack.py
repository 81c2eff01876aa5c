"""What the claims engine knows of the subject and of each language, as read; every fault said with file, line and what.

A linguist edits ``data/claims/<language>.toml``; names are explained in ``data/claims/README.md``. The engine names no
country: it knows side a and side b, and ``rules.toml`` says which those are.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Literal

from services.classifier.claims.cues import CUES
from services.classifier.forms import Entry, Page, entries_of, header, read_page
from services.classifier.match import LENDER, Finder

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from importlib.resources.abc import Traversable

    from services.classifier.match import Hit
    from services.classifier.text import View

Side = Literal["a", "b"]
SIDES: tuple[Side, Side] = ("a", "b")
FAMILIES = frozenset({"arms", "people", "technology", "fuel", "money", "cargo"})
TRAITS = frozenset({"adjectives_follow", "counts_follow", "verb_final", "verb_first", "verb_second"})
"""Traits of grammar that a page may claim: adjectives after their noun, numbers after what they count, where the verb is."""
OPERATORS = frozenset({">", ">=", "~", "<", "<=", "range"})
TABLES = ("cues", "materiel", "claimants", "units", "operators", "numbers")
"""The tables of a language's page; it may name sets of words for its forms, too."""
WHO = "who."
"""Before the names of speakers, once matched: Latin letters the world over, so the English list lends them."""


@dataclass(frozen=True, slots=True)
class Speaker:
    """Someone who speaks: a person for an institution, an institution as part of a state."""

    id: str
    name: str
    role: str
    of: str = ""
    part: str = ""
    relay: bool = False
    unnamed: bool = False


@dataclass(frozen=True, slots=True)
class Category:
    """A kind of thing; ``owner`` is the side that a bare mention of it comes from."""

    name: str
    family: str
    owner: str = ""
    unit: str = "unspecified"
    substance: int = 0
    vague: bool = False
    unroca: str | None = None
    wassenaar_ml: str | None = None
    sipri: str | None = None


@dataclass(frozen=True, slots=True)
class StatusRule:
    """A status by its cue; ``of_a_side`` if the speaker is one of the two sides."""

    cue: str
    status: str
    of_a_side: str
    polarity: str


@dataclass(frozen=True, slots=True)
class FrameRule:
    """A type of claim by the cues and things in a clause."""

    type: str
    cues: frozenset[str]
    things: frozenset[str]
    opens: bool = False
    mutual: bool = False
    goods: bool = False
    answers: bool = False
    bare: bool = False
    despite: bool = False
    both: bool = False
    near: bool = False
    giver: str = ""
    topic: str = ""
    only: str = ""
    without: frozenset[str] = frozenset()


class Cues:
    """The forms of all pages compiled, one finder a language: other languages' words cost a text nothing."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        """Compile; names of speakers on the English page are in every finder."""
        lent = [entry for entry in entries if entry.language == LENDER and entry.target.startswith(WHO)]
        self._lent = Finder(lent)
        self._finders = {
            language: Finder([entry for entry in entries if entry.language == language] + others)
            for language in sorted({entry.language for entry in entries})
            for others in ([] if language == LENDER else lent,)
        }

    def hits(self, view: View, languages: frozenset[str]) -> list[Hit]:
        """Return what is found in a view for these languages, in order, each once."""
        finders = [self._finders[name] for name in sorted(languages) if name in self._finders] or [self._lent]
        if len(finders) == 1:
            return finders[0].hits(view)
        found = {hit for finder in finders for hit in finder.hits(view)}
        return sorted(found, key=lambda hit: (hit.start, -hit.end, hit.target, hit.term))


@dataclass(frozen=True, slots=True)
class Pack:
    """The rules of the subject, who speaks, and the cues of all languages, compiled."""

    version: str
    keys: dict[Side, str]
    roles: dict[Side, str]
    directions: dict[str, str]
    statuses: tuple[StatusRule, ...]
    bare: StatusRule
    undone: str
    """The status of what a side says it did not do."""
    frames: tuple[FrameRule, ...]
    fallback: dict[str, str]
    categories: dict[str, Category]
    speakers: dict[str, Speaker]
    reporter: Speaker
    authority: dict[str, int]
    proof: dict[str, int]
    substance: dict[str, int]
    cues: Cues
    traits: dict[str, frozenset[str]]
    """The traits of grammar of each language that has a page."""
    framing: frozenset[str] = frozenset()
    """The cues of all frames: a clause without any of them makes no claim."""

    def families(self, categories: Iterable[str]) -> frozenset[str]:
        """Return the families of some categories."""
        return frozenset(self.categories[name].family for name in categories)

    def side_of(self, speaker: Speaker) -> Side | None:
        """Return the side a speaker speaks for, if any."""
        if speaker.role == self.roles["a"]:
            return "a"
        return "b" if speaker.role == self.roles["b"] else None


def load_pack(root: Traversable | None = None) -> Pack:
    """Read and check the rules and cues of the package, or of another folder of the same shape."""
    data = root or files("services.classifier") / "data" / "claims"
    digest = hashlib.sha256()
    rules = read_page(data / "rules.toml", digest)
    page = read_page(data / "claimants.toml", digest)
    rows: dict[str, Any] = page.table["claimant"]
    speakers = _speakers(page, rows)
    categories = _categories(rules)
    units = frozenset(category.unit for category in categories.values()) | UNITS
    known: dict[str, dict[str, str]] = {
        "cues": {name: name for name in CUES},
        "materiel": {**{name: name for name in categories}, "none": NO_THING},
        "claimants": {name: f"{WHO}{name}" for name in rows},
        "units": {name: f"unit.{name}" for name in units},
        "operators": {name: f"op.{name}" for name in OPERATORS},
    }
    frames = tuple(_frame(rules, row) for row in rules.table["frame"])
    entries: list[Entry] = []
    traits: dict[str, frozenset[str]] = {}
    for path in sorted(data.iterdir(), key=lambda path: path.name):
        if path.name.endswith(".toml") and path.name not in {"rules.toml", "claimants.toml"}:
            page = read_page(path, digest)
            language, traits[language] = _page_entries(page, known, entries)
    return Pack(
        version=f"{rules.table.get('version', '0')}+{digest.hexdigest()[:8]}",
        keys={side: str(rules.table["sides"][side]["key"]) for side in SIDES},
        roles={side: str(rules.table["sides"][side]["role"]) for side in SIDES},
        directions=dict(rules.table["directions"]),
        statuses=tuple(_status(rules, row) for row in rules.table["status"]),
        bare=_status(rules, {"cue": "", **rules.table["bare"]}),
        undone=rules.table["bare"]["undone"],
        frames=frames,
        fallback=dict(rules.table["fallback"]),
        categories=categories,
        speakers=speakers,
        reporter=Speaker("", rules.table["reporter"]["name"], rules.table["reporter"]["role"], unnamed=True),
        authority=dict(rules.table["authority"]),
        proof=dict(rules.table["proof"]),
        substance=dict(rules.table["substance"]),
        cues=Cues(entries),
        traits=traits,
        framing=frozenset().union(*(frame.cues for frame in frames)),
    )


NO_THING = "NONE"
"""Under ``none`` stand words that look like things and are none: they hide shorter finds."""
UNITS = frozenset(
    {"railcar", "voyage", "percent_of_use", "vehicle", "tonne", "barrel", "USD", "container", "none"}
)
"""Units that may follow a number and are no category's own."""


def _page_entries(
    page: Page, known: dict[str, dict[str, str]], entries: list[Entry]
) -> tuple[str, frozenset[str]]:
    language, script = header(page)
    for table in page.table:
        if isinstance(page.table[table], dict) and table not in {*TABLES, "sets"}:
            page.fail(f"unknown table {table!r}; known: {', '.join(TABLES)}", f"[{table}]")
    traits = frozenset(page.table.get("grammar", ()))
    for name in sorted(traits - TRAITS):
        page.fail(f"unknown trait of grammar {name!r}; known: {', '.join(sorted(TRAITS))}", f'"{name}"')
    numbers = {name: f"num.{name}" for name in page.table.get("numbers", {})}
    for name in numbers:
        if not name.replace(".", "", 1).isdigit():
            page.fail(f"numbers: {name!r} is not a number", name)
    for table, names in {**known, "numbers": numbers}.items():
        entries.extend(entries_of(page, table, names, language, script))
    return language, traits


def _speakers(page: Page, rows: dict[str, Any]) -> dict[str, Speaker]:
    speakers: dict[str, Speaker] = {}
    for name, row in rows.items():
        of = row.get("of", "")
        for other in filter(None, (of, row.get("part", ""))):
            if other not in rows:
                page.fail(f"claimant {name}: unknown claimant {other!r}", name)
        role = rows[of]["role"] if of else row.get("role", "")
        if not role:
            page.fail(f"claimant {name}: neither a role nor an institution", name)
        part = row.get("part", "")
        speakers[f"{WHO}{name}"] = Speaker(
            f"{WHO}{name}",
            row["name"],
            role,
            f"{WHO}{of}" if of else "",
            f"{WHO}{part}" if part else "",
            relay=bool(row.get("relay", False)),
            unnamed=bool(row.get("unnamed", False)),
        )
    return speakers


def _categories(page: Page) -> dict[str, Category]:
    categories: dict[str, Category] = {}
    for name, row in page.table["category"].items():
        if not name.isupper():
            page.fail(f"category {name}: a category is written in capitals", f"category.{name}")
        if row["family"] not in FAMILIES:
            page.fail(f"category {name}: unknown family {row['family']!r}", f"category.{name}")
        if row["owner"] not in {"", *SIDES}:
            page.fail(f"category {name}: owner is a, b or nothing, not {row['owner']!r}", f"category.{name}")
        categories[name] = Category(name, **row)
    return categories


def _status(page: Page, row: dict[str, str]) -> StatusRule:
    cue = row["cue"]
    if cue and cue not in CUES:
        page.fail(f"status {row['is']}: unknown cue {cue!r}", f'"{cue}"')
    return StatusRule(cue, row["is"], row.get("of_a_side", row["is"]), row.get("polarity", "ASSERTED"))


def _frame(page: Page, row: dict[str, Any]) -> FrameRule:
    cues, things = frozenset(row["cues"]), frozenset(row.get("things", ()))
    without = frozenset(row.get("without", ()))
    for name in sorted(((cues | without) - CUES) | (things - FAMILIES)):
        page.fail(f"frame {row['type']}: unknown cue or family {name!r}", f'"{name}"')
    flags = {
        name: bool(row.get(name, False))
        for name in ("opens", "mutual", "goods", "answers", "bare", "despite", "both", "near")
    }
    return FrameRule(
        row["type"],
        cues,
        things,
        giver=row.get("giver", ""),
        topic=row.get("topic", ""),
        only=row.get("only", ""),
        without=without,
        **flags,
    )
