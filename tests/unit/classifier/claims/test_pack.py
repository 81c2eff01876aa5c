"""The claims' data load, and every fault in them is said with file, line and what is wrong."""

from __future__ import annotations

import shutil
from importlib.resources import files
from pathlib import Path

import pytest

from services.classifier.claims.cues import CUES
from services.classifier.claims.pack import load_pack
from services.classifier.forms import LexiconError

README = Path(str(files("services.classifier") / "data" / "claims" / "README.md"))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return a copy of the package's claim data, free to be spoilt."""
    shutil.copytree(str(README.parent), tmp_path / "claims")
    return tmp_path / "claims"


def test_the_version_follows_the_files(data: Path) -> None:
    """A changed cue changes the version that verdicts carry."""
    assert load_pack(data).version == load_pack().version
    page = data / "en.toml"
    page.write_text(page.read_text("utf-8").replace("say = [", 'say = ["quoth",'), "utf-8")
    assert load_pack(data).version != load_pack().version


def test_every_cue_is_explained() -> None:
    """A linguist finds each name in the README."""
    told = README.read_text("utf-8")
    assert [name for name in sorted(CUES) if f"`{name}`" not in told] == []


@pytest.mark.parametrize(
    ("name", "before", "after", "message"),
    [
        ("en.toml", "[cues]", '[cues]\nsnort = ["grunted"]', r"en\.toml:\d+: unknown cue 'snort'"),
        ("en.toml", "[cues]", "[curs]\n[cues]", r"en\.toml:\d+: unknown table 'curs'"),
        ("en.toml", "say = [", 'say = ["said", "said",', r"en\.toml:\d+: say: 'said' stands twice"),
        ("en.toml", "say = [", 'say = ["",', r"en\.toml:\d+: say: empty form ''"),
        ("en.toml", "say = [", 'say = [{ at = "said", re = "(said+)+" },', r"en\.toml:\d+: .*repeats a repeat"),
        ("en.toml", "[materiel]", '[materiel]\nCATAPULT = ["catapult"]', r"unknown category 'CATAPULT'"),
        ("en.toml", "[claimants]", '[claimants]\noracle = ["oracle"]', r"unknown claimant 'oracle'"),
        ("en.toml", "[units]", '[units]\nfurlong = ["furlong"]', r"unknown unit 'furlong'"),
        ("en.toml", "[operators]", '[operators]\n"!" = ["not"]', r"unknown operator '!'"),
        ("en.toml", "[numbers]", '[numbers]\nmany = ["many"]', r"numbers: 'many' is not a number"),
        ("en.toml", 'script = "latin"', 'script = "latin"\ngrammar = ["rhymes"]', r"unknown trait of grammar 'rhymes'"),
        ("en.toml", 'language = "en"', 'language = "eo"', r"does not fit the file's name"),
        ("rules.toml", 'cue = "decline"', 'cue = "shrug"', r"rules\.toml:\d+: status DECLINED_COMMENT: unknown cue 'shrug'"),
        ("rules.toml", 'cues = ["echo"]', 'cues = ["ohce"]', r"rules\.toml:\d+: frame CORROBORATION: unknown cue or family 'ohce'"),
        ("rules.toml", 'things = ["people"]', 'things = ["persons"]', r"frame PERSONNEL: unknown cue or family 'persons'"),
        ("rules.toml", 'family = "arms"', 'family = "limbs"', r"rules\.toml:\d+: category AMMUNITION: unknown family 'limbs'"),
        ("rules.toml", "[category.FUEL]", "[category.fuel]", r"category fuel: a category is written in capitals"),
        ("rules.toml", 'owner = "b"', 'owner = "c"', r"category AMMUNITION: owner is a, b or nothing, not 'c'"),
        ("claimants.toml", 'of = "kremlin"', 'of = "castle"', r"claimants\.toml:\d+: claimant peskov: unknown claimant 'castle'"),
        ("claimants.toml", 'role = "FIRST_PARTY_RUS"', 'note = "x"', r"claimant russia: neither a role nor an institution"),
    ],
)  # fmt: skip
def test_a_fault_names_file_line_and_what(
    data: Path, name: str, before: str, after: str, message: str
) -> None:
    """Nothing wrong is loaded in silence."""
    page = data / name
    text = page.read_text("utf-8")
    assert before in text
    page.write_text(text.replace(before, after, 1), "utf-8")
    with pytest.raises(LexiconError, match=message):
        load_pack(data)


def test_notes_and_sets_are_no_fault(data: Path) -> None:
    """A page may name sets of words for its forms, and other files may lie beside it."""
    (data / "notes.txt").write_text("ask a speaker", "utf-8")
    with (data / "en.toml").open("a", encoding="utf-8") as page:
        page.write('\n[sets]\nherb = ["sage"]\n')
    assert set(load_pack(data).traits) >= {"en"}
