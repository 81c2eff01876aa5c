"""How a form on a word list is written, and what it finds."""

from __future__ import annotations

import pytest

from services.classifier.forms import LexiconError, Page, compiled, entries_of

SETS = {"arms": ["shells", "gun*", "small arms"], "who": ["moscow", "russia*"], "barrier": ["ukrain*"]}


def found(form: str, text: str, script: str = "latin") -> str | None:
    """Return what a form finds in a folded text."""
    page = Page("xx.toml", "", {"terms": {"move": [form]}, "sets": SETS})
    for entry in entries_of(page, "terms", {"move": "move"}, "xx", script):
        start = text.find(entry.form.literal)
        match = compiled(entry.form.pattern).match(text, start) if start >= 0 and entry.form.pattern else None
        if match:
            return match.group()
    return None


@pytest.mark.parametrize(
    ("form", "text", "expected"),
    [
        (
            "send* … shells",
            "they sent, then sends to the front more shells now",
            "sends to the front more shells",
        ),
        ("send* … {arms}", "sending heavy “guns” away", "sending heavy “guns"),
        ("send* … {arms}", "sending small arms", "sending small arms"),
        ("send* … {arms}", "sends 30.000 more shells", "sends 30.000 more shells"),
        ("send* … shells", "sends 30 tys. old shells", "sends 30 tys. old shells"),
        ("{who} … {arms}", "russian crews fire shells", "russian crews fire shells"),
        ("{who} buys {arms}", "moscow buys shells", "moscow buys shells"),
        ("send* … shells", "sends one two three four five shells", None),
        ("send* … shells", "sends aid. shells fell", None),
        ("send* … shells", "sends shellsuits", None),
        ("send* … {arms}", "sends ukrainian shells", None),
        ("{who} buys {arms}", "moscow gladly buys shells", None),
    ],
)
def test_a_gap_stands_for_a_few_words_of_one_clause(form: str, text: str, expected: str | None) -> None:
    """Up to four words, no stop among them, none of the barrier; a set stands for each of its words."""
    assert found(form, text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ترسل الي الجبهه وقذائفها", "ترسل الي الجبهه وقذائفها"),
        ("ترسل اليوم، قذائف", "ترسل اليوم، قذائف"),
        ("ترسل قذائفهمن", None),
    ],
)
def test_a_gap_in_arabic_leaves_room_for_what_is_written_on_to_a_word(
    text: str, expected: str | None
) -> None:
    """And, the, in before either word, a pronoun after it, as for a form without gaps."""
    assert found("ترسل … قذائف", text, "arabic") == expected


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ("send* … {toys}", "no set 'toys'"),
        ("{toys} … shells", "no set 'toys'"),
        ("send* …", "both sides"),
        ("… shells", "both sides"),
        ("{arms}", "both sides"),
    ],
)
def test_a_form_with_a_hole_in_it_is_refused(form: str, message: str) -> None:
    """A set that is not there, and a gap with nothing on one side, are faults of the list."""
    page = Page("xx.toml", form, {"terms": {"move": [form]}, "sets": SETS})
    with pytest.raises(LexiconError, match=rf"xx\.toml:1: move: .*{message}"):
        entries_of(page, "terms", {"move": "move"}, "xx", "latin")


def test_a_list_without_a_barrier_steps_over_any_word() -> None:
    """The barrier is a choice of the list."""
    page = Page("xx.toml", "", {"terms": {"move": ["send* … shells"]}})
    (entry,) = entries_of(page, "terms", {"move": "move"}, "xx", "latin")
    assert entry.form.pattern is not None
    assert compiled(entry.form.pattern).match("sends ukrainian shells")


@pytest.mark.parametrize("form", ["forces armées", "soldats … armées", "{who} … armées"])
def test_a_list_may_take_its_forms_without_accents_too(form: str) -> None:
    """Capitals often go without them; a form that is on the list both ways is no fault."""
    head = {"accents": "optional", "sets": {"who": ["forces", "envoyé", "envoye"]}}
    page = Page("xx.toml", "", {**head, "terms": {"move": [form, "arme", "armé"]}})
    terms = {entry.form.term for entry in entries_of(page, "terms", {"move": "move"}, "xx", "latin")}
    patterns = [
        compiled(entry.form.pattern)
        for entry in entries_of(page, "terms", {"move": "move"}, "xx", "latin")
        if entry.form.pattern
    ]
    assert "arme" in terms
    assert "forces armees" in terms or any(
        pattern.match(text) for pattern in patterns for text in ("soldats des armees", "envoye aux armees")
    )
