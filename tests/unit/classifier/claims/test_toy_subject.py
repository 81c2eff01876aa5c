"""Another subject in three invented languages: wool and boats between Nord and Sud; the engine knows neither.

The first language is like English, the second puts particles after names and the verb last, the third has cases, the
verb second and adjectives after their noun.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.claim import Claim, Field_
from services.classifier.claims.extract import claims_of
from services.classifier.claims.pack import load_pack
from services.classifier.claims.scene import Context
from services.classifier.lexicon import load_lexicon
from services.classifier.match import Matcher
from services.classifier.reading import Words, read_sentences
from services.classifier.statements import statements
from services.classifier.text import View, make_view

CONCEPTS = """
[concept]
nord = { keys = ["rus"], kind = "rus" }
sud = { keys = ["dprk"], kind = "dprk", gate = true }
both = { keys = ["rus", "dprk"], kind = "pair", gate = true }
wool = { keys = ["nexus"], kind = "wool", tier = "T1" }
"""
EXCLUSIONS = 'version = "1"\n'
LISTS = {
    "qa": ("latin", 'nord = ["nord"]\nsud = ["sud"]\nboth = ["nordsud"]\nwool = ["wool", "boats", "talks"]'),
    "qb": ("kana", 'nord = ["nord"]\nsud = ["sud"]\nwool = ["wool", "boats"]'),
    "qc": ("latin", 'nord = ["nord", "nordem"]\nsud = ["sud", "sudem", "sudish"]\nwool = ["wool", "boats"]'),
}
RULES = """
version = "1"
[sides.a]
key = "rus"
role = "NORD"
[sides.b]
key = "dprk"
role = "SUD"
[directions]
a_to_b = "NORD>SUD"
b_to_a = "SUD>NORD"
mutual = "MUTUAL"
unknown = "UNKNOWN"
[authority]
NORD = 8
[proof]
[substance]
TRADE = 3
[reporter]
name = "somebody"
role = "MEDIA"
[[status]]
cue = "want"
is = "WANTED"
[[status]]
cue = "deny"
is = "DENIED"
polarity = "NEGATED"
[bare]
is = "TOLD"
of_a_side = "OWNED_UP"
undone = "DENIED"
[[frame]]
type = "DENIAL"
cues = ["deny"]
answers = true
[[frame]]
type = "TRADE"
cues = ["give", "get", "want"]
things = ["arms"]
[fallback]
wool = "TRADE"
[category.WOOL]
owner = ""
family = "arms"
unit = "tonne"
substance = 3
[category.BOATS]
owner = "a"
family = "arms"
unit = "ship"
substance = 5
"""
CLAIMANTS = """
[claimant]
oracle = { name = "Oracle", role = "IGO" }
king = { name = "King of Nord", role = "NORD" }
"""
PAGES = {
    "qa": """
[cues]
say = ["said"]
carry = ["he"]
give = ["gave"]
get = ["got"]
want = ["wants"]
deny = ["denies"]
to = ["to"]
from = ["from"]
[materiel]
WOOL = ["wool"]
BOATS = ["boats"]
[claimants]
oracle = ["oracle"]
king = ["king"]
""",
    "qb": """
grammar = ["counts_follow", "verb_final"]
[cues]
say = ["moku"]
give = ["yaru"]
want = ["hoshi"]
subject_after = ["ga", "wa"]
to_after = ["ni"]
from_after = ["kara"]
at_after = ["de"]
end = ["te,"]
[materiel]
WOOL = ["wool"]
BOATS = ["boats"]
[units]
ship = ["seki"]
[operators]
"~" = ["goro"]
[numbers]
10 = ["ju"]
1000 = ["sen"]
10000 = ["man"]
[claimants]
oracle = ["oracle"]
king = ["king"]
""",
    "qc": """
grammar = ["verb_second", "adjectives_follow"]
[cues]
give = ["gave"]
want = ["wants"]
to_form = ["nordem", "sudem"]
[materiel]
WOOL = ["wool"]
BOATS = ["boats"]
[units]
ship = ["ships"]
""",
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the toy subject's word lists and cues."""
    root = tmp_path_factory.mktemp("toy")
    (root / "lexicon").mkdir()
    (root / "claims").mkdir()
    (root / "concepts.toml").write_text(CONCEPTS, "utf-8")
    (root / "exclusions.toml").write_text(EXCLUSIONS, "utf-8")
    (root / "claims" / "rules.toml").write_text(RULES, "utf-8")
    (root / "claims" / "claimants.toml").write_text(CLAIMANTS, "utf-8")
    for name, (script, terms) in LISTS.items():
        head = f'language = "{name}"\nscript = "{script}"\nsource = "invented"\n'
        (root / "lexicon" / f"{name}.toml").write_text(f"{head}[terms]\n{terms}\n", "utf-8")
        (root / "claims" / f"{name}.toml").write_text(head + PAGES[name].lstrip(), "utf-8")
    return root


def told(root: Path, language: str, text: str) -> list[Claim]:
    """Return what is claimed in a text of an invented language."""
    lexicon, pack = load_lexicon(root), load_pack(root / "claims")
    languages = frozenset({language})
    fields: tuple[tuple[Field_, View], ...] = (("title", make_view("")), ("text", make_view(text)))
    matcher = Matcher(lexicon)
    words = Words.of(lexicon, languages)
    sentences = read_sentences(fields, [matcher.hits(view, languages) for _, view in fields], words)
    found = statements(sentences, lexicon, LISTS[language][0])
    context = Context.of(fields, languages, words.joiners, (lexicon, pack))
    return list(claims_of(sentences, found, context, language))


@pytest.mark.parametrize(
    ("language", "text", "direction"),
    [
        ("qa", "Nord gave wool to Sud.", "NORD>SUD"),
        ("qa", "Sud gave wool to Nord.", "SUD>NORD"),
        ("qa", "Sud got wool from Nord.", "NORD>SUD"),
        ("qa", "Nordsud gave boats.", "NORD>SUD"),
        ("qa", "Nordsud gave wool.", "UNKNOWN"),
        ("qb", "nordga sudni wool yaru.", "NORD>SUD"),
        ("qb", "nordni sudga wool yaru.", "SUD>NORD"),
        ("qb", "sudga nordkara wool hoshi.", "NORD>SUD"),
        ("qb", "nord sud wool yaru.", "NORD>SUD"),
        ("qb", "nordde sudga wool yaru.", "SUD>NORD"),
        ("qc", "Nord gave sudem wool.", "NORD>SUD"),
        ("qc", "Nordem gave sud wool.", "SUD>NORD"),
        ("qc", "Now wants sud wool nordem.", "SUD>NORD"),
        ("qc", "Nord, wool sudish.", "SUD>NORD"),
    ],
)
def test_direction_is_found_by_order_particle_or_case(
    root: Path, language: str, text: str, direction: str
) -> None:
    """Each grammar has its own signs; the engine reads them all."""
    assert {claim.direction for claim in told(root, language, text)} == {direction}


def test_speakers_statuses_and_categories_are_the_packs_own(root: Path) -> None:
    """Nothing of another subject shows."""
    (one,) = told(root, "qa", "The oracle said Nord gave wool to Sud.")
    assert (one.claimant.name, one.claimant.role, one.status) == ("Oracle", "IGO", "TOLD")
    assert [thing.cat for thing in one.materiel] == ["WOOL"]
    (owned,) = told(root, "qa", "The king said Nord gave wool to Sud.")
    assert owned.status == "OWNED_UP"
    (late,) = told(root, "qb", "oraclewa nordga sudni wool yaru moku.")
    assert late.claimant.name == "Oracle"
    (unknown,) = told(root, "qa", "He said Nord gave wool to Sud.")
    assert unknown.claimant.name == "somebody"


def test_who_was_meant_before_counts_where_nothing_else_tells(root: Path) -> None:
    """A sentence without names goes on about the last one."""
    (one,) = told(root, "qa", "Nord gave wool to Sud. Then gave wool.")
    assert (one.direction, len(one.evidence)) == ("NORD>SUD", 2)


def test_clauses_may_end_with_a_word(root: Path) -> None:
    """Where the verb comes last, its ending ends the clause."""
    found = told(root, "qb", "nordga sudni wool yarute, sudga nordni boats yaru.")
    assert [claim.direction for claim in found] == ["NORD>SUD", "SUD>NORD"]


def test_whoever_opens_a_sentence_says_all_of_it_where_the_verb_comes_last(root: Path) -> None:
    """The word of speaking at the end is the first subject's, not that of who stands next to it."""
    found = told(root, "qb", "oraclewa nordga sudni wool yarute, kingga sudni boats yaru moku.")
    assert {claim.claimant.name for claim in found} == {"Oracle"}
    found = told(root, "qb", "oraclewa nordga sudni wool yaru mokute, kingga sudni boats yaru moku.")
    assert [claim.claimant.name for claim in found] == ["Oracle", "King of Nord"]


def test_the_country_of_whoever_speaks_gives_nothing(root: Path) -> None:
    """A side right before a name belongs to it; with a particle it stands for itself."""
    (one,) = told(root, "qb", "nord kingwa boats sudga yaru moku.")
    assert one.direction == "SUD>NORD"
    (one,) = told(root, "qb", "nordde kingwa boats sudni yaru moku.")
    assert one.direction == "NORD>SUD"


@pytest.mark.parametrize(
    ("text", "value", "operator"),
    [
        ("nordga sudni boats 12 seki yaru.", 12, "="),
        ("nordga sudni boats ju seki yaru.", 10, "="),
        ("nordga sudni boats 1 man 2 sen seki yaru.", 12_000, "="),
        ("nordga sudni boats 2sen man seki yaru.", 20_000_000, "="),
        ("nordga sudni boats 12goro seki yaru.", 12, "~"),
        ("nordga sudni seki 12 yaru boats.", 12, "="),
    ],
)
def test_numbers_may_follow_what_they_count(root: Path, text: str, value: float, operator: str) -> None:
    """Magnitudes multiply, and operators may follow, too."""
    number = told(root, "qb", text)[0].quantity
    assert number is not None
    assert (number.value, number.op, number.unit) == (value, operator, "ship")
