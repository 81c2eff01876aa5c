"""Where a text quotes: the words between quotation marks of any of our languages."""

from __future__ import annotations

QUOTATION_LENGTH_MAX = 1_500
"""A quotation that does not end within so many code points was never opened."""
_CLOSES = {
    "“": "”",
    "„": "“”",
    "«": "»",
    "»": "«",
    "「": "」",
    "『": "』",
    "‘": "’",
    '"': '"',
    "《": "》",
    "〈": "〉",
}
_TITLES = frozenset("《〈")
"""These name books and papers, they quote nobody."""


def quotations(text: str) -> list[tuple[int, int]]:
    """Return the (start, end) of what is quoted, marks included, in order; none inside another."""
    found: list[tuple[int, int]] = []
    place = 0
    while place < len(text):
        opening = min((at for mark in _CLOSES if (at := text.find(mark, place)) >= 0), default=-1)
        if opening < 0:
            break
        closing = _closing(text, opening)
        if closing < 0:
            place = opening + 1
            continue
        if text[opening] not in _TITLES:
            found.append((opening, closing + 1))
        place = closing + 1
    return found


def _closing(text: str, opening: int) -> int:
    """Return the place of the mark that ends a quotation, -1 if nothing does; an apostrophe ends none."""
    marks = _CLOSES[text[opening]]
    limit = min(len(text), opening + QUOTATION_LENGTH_MAX)
    place = opening + 1
    while place < limit:
        if text[place] in marks and not (text[place] == "’" and text[place + 1 : place + 2].isalpha()):
            return place
        place += 1
    return -1
