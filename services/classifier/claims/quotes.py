"""Where a text quotes: the words between quotation marks of any of our languages."""

from __future__ import annotations

import re

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
_OPENING = re.compile(f"[{''.join(_CLOSES)}]")
# An apostrophe inside a word ends no quotation.
_CLOSING = {
    opening: re.compile(f"[{closing}]" if closing != "’" else r"’(?![^\W\d_])")
    for opening, closing in _CLOSES.items()
}


def quotations(text: str) -> list[tuple[int, int]]:
    """Return the (start, end) of what is quoted, marks included, in order; none inside another."""
    found: list[tuple[int, int]] = []
    searched = dict.fromkeys(_CLOSES, 0)  # a mark does not close before this place: nothing is searched twice
    place = 0
    while opening := _OPENING.search(text, place):
        start, mark = opening.start(), opening.group()
        limit = start + QUOTATION_LENGTH_MAX
        closing = _CLOSING[mark].search(text, max(start + 1, searched[mark]), limit)
        if closing is None:
            searched[mark], place = limit, start + 1
            continue
        place = closing.end()
        if mark not in _TITLES:
            found.append((start, place))
    return found
