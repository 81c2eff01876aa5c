"""Things known by name are found with their numbers, watched ones even where nothing else is said."""

from __future__ import annotations

import shutil
from importlib.resources import files
from pathlib import Path

import pytest

from services.classifier.classify import Item, classify, load_model
from services.classifier.explain import explain_item
from services.classifier.forms import LexiconError
from services.classifier.gazetteer import ENTITIES_MAX, FILE, load_gazetteer


def test_a_name_carries_its_type_span_and_published_number() -> None:
    """The span indexes the title as given, markup and all; the IMO number is the ship's."""
    title = "North Korea: the <b>Angara</b> docks at Rajin"
    named = {entity.id: entity for entity in classify(Item("x", title), load_model()).entities}
    ship = named["vessel.angara"]
    assert (ship.type, ship.ids, title[ship.start : ship.end]) == ("vessel", {"imo": "9179842"}, "Angara")
    assert named["place.rason"].name == "Rason (Rajin)"


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("The Lady R is back in port", "vessel.lady-r"),
        ("폭풍군단 파병설", "unit.storm-corps"),
        ("Обломки КН-23 показали журналистам", "system.kn-23"),
    ],
)
def test_a_watched_name_alone_is_a_near_miss_that_says_so(title: str, name: str) -> None:
    """Nobody is flagged for a name; whoever watches the ship hears of it."""
    item = Item("x", title)
    verdict = classify(item, load_model())
    assert (verdict.flagged, verdict.near_miss) == (False, True)
    assert f"watched:{name}" in [row.feature for row in verdict.breakdown]
    assert f"watched:{name}" in explain_item(item, load_model())


@pytest.mark.parametrize(
    "title", ["Angara rocket flies again", "Maria wins in Moscow", "Спутник упал в Хасане"]
)
def test_an_ambiguous_name_counts_only_beside_the_dprk_side(title: str) -> None:
    """Angara is a river and a rocket."""
    assert classify(Item("x", title), load_model()).entities == ()


def test_entities_are_bounded() -> None:
    """A list of a thousand names is a list."""
    text = "North Korea. " + "The Lady R. " * 1_000
    assert len(classify(Item("x", "", text), load_model()).entities) == ENTITIES_MAX


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            'type = "vessel"',
            'type = "boat"',
            r"gazetteer\.toml:\d+: entity 'vessel.angara': unknown type 'boat'",
        ),
        ("9179842", "9179843", r"gazetteer\.toml:\d+: .*'9179843' is no IMO number"),
        (
            'id = "vessel.maria"',
            'id = "vessel.angara"',
            r"gazetteer\.toml:\d+: entity 'vessel.angara' stands twice",
        ),
        ('name = "Angara"', 'nome = "Angara"', r"needs id, name and names"),
        ('"maia 1", ', '"", ', r"empty form"),
    ],
)
def test_a_fault_names_file_line_and_what(tmp_path: Path, old: str, new: str, message: str) -> None:
    """Whoever keeps the list can find the line."""
    shutil.copy(str(files("services.classifier") / "data" / FILE), tmp_path / FILE)
    text = (tmp_path / FILE).read_text("utf-8")
    assert old in text
    (tmp_path / FILE).write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(LexiconError, match=message):
        load_gazetteer(tmp_path)
