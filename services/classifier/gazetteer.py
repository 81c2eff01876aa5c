"""Things known by name: ships, units, firms, persons, places, systems; found in a text with their published numbers.

``data/gazetteer.toml`` is read and checked once; a fault names file, line and what is wrong.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any, get_args

from stdnum import imo

from schemas.verdict import Entity, EntityType
from services.classifier.forms import Entry, forms_of, read_page
from services.classifier.language import script_of
from services.classifier.match import Finder
from services.classifier.text import fold

if TYPE_CHECKING:
    from collections.abc import Iterable
    from importlib.resources.abc import Traversable

    from schemas.claim import Field_
    from services.classifier.forms import Page
    from services.classifier.match import Hit
    from services.classifier.text import View

FILE = "gazetteer.toml"
ENTITIES_MAX = 64
"""Named in one verdict; the first ones of each field."""


@dataclass(frozen=True, slots=True)
class Thing:
    """An entity of the gazetteer. ``watched``: worth a near miss by its name; ``ambiguous``: needs company."""

    id: str
    type: EntityType
    name: str
    ids: dict[str, str]
    watched: bool
    ambiguous: bool


class Gazetteer:
    """All things, and a finder of their names."""

    def __init__(self, things: Iterable[Thing], entries: Iterable[Entry], version: str) -> None:
        """Compile the finder."""
        self.things = {thing.id: thing for thing in things}
        self.version = version
        entries = tuple(entries)
        self.watched_names = tuple(entry for entry in entries if self._is_gate(self.things[entry.target]))
        """Names that make a story worth reading although it names no side."""
        self._finder = Finder(entries)

    @staticmethod
    def _is_gate(thing: Thing) -> bool:
        return thing.watched and not thing.ambiguous

    def find(self, view: View, *, company: bool) -> list[Hit]:
        """Return the names in a view, in order, nested ones dropped; ``company``: the story names a side."""
        return [hit for hit in self._finder.hits(view) if company or not self.things[hit.target].ambiguous]

    def entity(self, hit: Hit, field: Field_, view: View) -> Entity:
        """Return a find as it goes on the wire; its span indexes the text as given."""
        thing = self.things[hit.target]
        start, end = view.span(hit.start, hit.end)
        return Entity.model_construct(
            id=thing.id, type=thing.type, name=thing.name, field=field, start=start, end=end, ids=thing.ids
        )


def load_gazetteer(root: Traversable | None = None) -> Gazetteer:
    """Read and check the gazetteer of the package, or of another data folder; LexiconError says what is wrong."""
    digest = hashlib.sha256()
    page = read_page((root or files("services.classifier") / "data") / FILE, digest)
    things: dict[str, Thing] = {}
    entries: list[Entry] = []
    for row in page.table.get("entity", ()):
        thing = _thing(page, row)
        if thing.id in things:
            page.fail(f"entity {thing.id!r} stands twice", f'"{thing.id}"', 2)
        things[thing.id] = thing
        entries.extend(_names(page, thing, row.get("names", ())))
    return Gazetteer(things.values(), entries, f"{page.table.get('version', '0')}+{digest.hexdigest()[:8]}")


def _thing(page: Page, row: dict[str, Any]) -> Thing:
    name = str(row.get("id", ""))
    if row.get("type") not in get_args(EntityType):
        page.fail(f"entity {name!r}: unknown type {row.get('type')!r}", name)
    if not name or not row.get("name") or not row.get("names"):
        page.fail(f"entity {name!r}: needs id, name and names", name)
    ids = {str(key): str(value) for key, value in row.get("ids", {}).items()}
    if "imo" in ids and not imo.is_valid(ids["imo"]):
        page.fail(f"entity {name!r}: {ids['imo']!r} is no IMO number", ids["imo"])
    return Thing(
        name, row["type"], str(row["name"]), ids, bool(row.get("watched")), bool(row.get("ambiguous"))
    )


def _names(page: Page, thing: Thing, written: list[str]) -> Iterable[Entry]:
    """Yield an entry a name; the script decides how a form meets its neighbours."""
    by_script: dict[str, list[str]] = {}
    for name in written:
        by_script.setdefault(script_of(fold(name.strip("=*"))), []).append(name)
    for script, names in by_script.items():
        for form in forms_of(page, thing.id, names, script):
            yield Entry("any", script, thing.id, form)
