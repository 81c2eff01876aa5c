"""What is quoted, in the quotation marks of our languages."""

from __future__ import annotations

import pytest

from services.classifier.claims.quotes import QUOTATION_LENGTH_MAX, quotations


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("He said “no” and left.", ["“no”"]),
        ('He said "no" and "never".', ['"no"', '"never"']),
        ("Er sagte: „nein“ und ging.", ["„nein“"]),
        ("Il a dit « non ».", ["« non »"]),
        ("彼は「いいえ」と述べた。", ["「いいえ」"]),
        ("他在《日报》说「不」。", ["「不」"]),
        ("He called it ‘Russia’s own affair’ today.", ["‘Russia’s own affair’"]),
        ("An opening “ that nothing closes", []),
        ("“" + "x" * QUOTATION_LENGTH_MAX + "” and “no”", ["“no”"]),
        ("““" + "x" * (QUOTATION_LENGTH_MAX - 2) + "”", ["“" + "x" * (QUOTATION_LENGTH_MAX - 2) + "”"]),
        ("« « « „ no” and “no”", ["„ no”", "“no”"]),
        ("nothing", []),
    ],
)
def test_quotations_are_found_whole(text: str, quoted: list[str]) -> None:
    """Apostrophes end none, names of papers are none, and what never ends was never opened."""
    assert [text[start:end] for start, end in quotations(text)] == quoted
