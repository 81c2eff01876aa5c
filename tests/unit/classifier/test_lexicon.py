"""The word lists load, and every fault in one is said with file, line and what is wrong."""

from __future__ import annotations

import shutil
from importlib.resources import files
from pathlib import Path

import pytest

from services.classifier.classify import load_model
from services.classifier.forms import LexiconError
from services.classifier.lexicon import load_lexicon
from services.classifier.score import load_weights

LANGUAGES = {"en", "ru", "uk", "ko", "ja", "zh-Hans", "zh-Hant", "de", "fr", "es", "ar", "pl", "sv", "it"}
NEEDED = (
    "rus",
    "dprk",
    "pair",
    "arms_trade",
    "deployment",
    "materiel.ammunition",
    "personnel",
    "transfer",
    "deny",
)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return a copy of the package's data, free to be spoilt."""
    shutil.copytree(str(files("services.classifier") / "data"), tmp_path / "data")
    return tmp_path / "data"


def test_every_language_of_the_contract_has_a_list_with_both_sides_and_a_nexus() -> None:
    """Lexicon languages are those of the contract, each usable on its own."""
    lexicon = load_lexicon()
    found = {(entry.language, entry.target) for entry in lexicon.entries}
    assert set(lexicon.languages) == LANGUAGES
    assert not [
        (language, name) for language in LANGUAGES for name in NEEDED if (language, name) not in found
    ]


def test_the_model_says_which_lists_and_weights_it_is() -> None:
    """A changed word changes the version that verdicts carry."""
    version = load_model().version
    assert "+" in version.lexicon
    assert "+" in version.weights
    assert load_lexicon().version == version.lexicon


def test_notes_beside_the_lists_are_no_lists(data: Path) -> None:
    """A linguist may keep a README there."""
    (data / "lexicon" / "README.md").write_text("Ask Kim before you change a form.", "utf-8")
    assert set(load_lexicon(data).languages) == LANGUAGES


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        (
            "lexicon/sv.toml",
            'rus = ["ryssland*",',
            'rus = ["ryssland*", "ryssland*",',
            r"sv\.toml:\d+: rus: 'ryssland\*'",
        ),
        ("lexicon/sv.toml", 'rus = ["ryssland*",', 'rus = ["",', r"sv\.toml:\d+: rus: empty form"),
        ("lexicon/sv.toml", "rus = [", "russland = [", r"sv\.toml:\d+: unknown concept 'russland'"),
        ("lexicon/sv.toml", 'language = "sv"', 'language = "se"', r"sv\.toml:2: language 'se'"),
        ("lexicon/sv.toml", 'script = "latin"', 'script = "runes"', r"sv\.toml:3: unknown script 'runes'"),
        (
            "lexicon/sv.toml",
            'rus = ["ryssland*",',
            "rus = [{ at = 'x', re = '(' },",
            r"sv\.toml:\d+: rus: pattern",
        ),
        ("lexicon/sv.toml", 'rus = ["ryssland*",', "rus = [{ at = 'x' },", r"needs `at` and `re`"),
        ("lexicon/sv.toml", "rus = [", "rus = ", r"sv\.toml: .*line \d+"),
        ("concepts.toml", '["rus"], kind = "rus" }', '["ruz"], kind = "rus" }', r"unknown key 'ruz'"),
        ("concepts.toml", 'needs = ["dprk", ', 'needs = ["nowhere", ', r"unknown concept 'nowhere'"),
        (
            "exclusions.toml",
            'hides = ["dprk_weak"]',
            'hides = ["no_such"]',
            r"mask north_of_elsewhere|north_of_elsewhere: unknown concept",
        ),
        ("exclusions.toml", 'scope = "title"', 'scope = "page"', r"unknown scope 'page'"),
        ("lexicon/sv.toml", "[masks]\n", "[masks]\nno_such = ['x']\n", r"unknown mask 'no_such'"),
        ("lexicon/sv.toml", "[frames]\n", "[frames]\nno_such = ['x']\n", r"unknown frame 'no_such'"),
        ("lexicon/sv.toml", "source = ", "sources = ", r"sv\.toml:2: no source"),
        (
            "lexicon/sv.toml",
            'rus = ["ryssland*",',
            "rus = [{ at = 'x', re = '(x+y)*z' },",
            r"repeats a repeat, which may never end",
        ),
    ],
)
def test_a_fault_names_file_line_and_what(data: Path, file: str, old: str, new: str, message: str) -> None:
    """A linguist can find the line."""
    path = data / file
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(LexiconError, match=message):
        load_lexicon(data)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"listed": -', '"listed": '),
        ('"joined": ', '"joined": -'),
        ('"bias": -', '"bias": '),
        ('"keys"', '"kees"'),
        ('"bias"', '"byas"'),
        (
            "{",
            "[",
        ),
    ],
)
def test_weights_that_count_the_wrong_way_or_flag_by_themselves_are_refused(
    data: Path, old: str, new: str
) -> None:
    """A name more or less, a sign, a bias: none may make a flag of what joins nothing, nor count against its sense."""
    path = data / "weights.json"
    path.write_text(path.read_text("utf-8").replace(old, new, 1), "utf-8")
    with pytest.raises(LexiconError, match=r"weights\.json"):
        load_weights(data)
