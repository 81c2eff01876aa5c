"""Wrapping for terminals: columns, not code points, and breaks inside scripts that write no spaces. Pure."""

from __future__ import annotations

import re
import unicodedata

from services.text.scripts import CJK

# Between two of these a line may break; everything else breaks at spaces only.
_PIECE = re.compile(rf"[{CJK}]|[^\s{CJK}]+|\s+")
_WIDE = frozenset("WF")
# Closing marks may not begin a line, whatever the width (JIS X 4051, kinsoku).
_CLOSING = frozenset("、。，．）」』】〉》”’!?！？…:;：；")


def columns(text: str) -> int:
    """Return how many terminal columns a text takes: two for wide letters, none for marks that combine."""
    return sum(_columns_of(letter) for letter in text)


def _columns_of(letter: str) -> int:
    if unicodedata.combining(letter) or unicodedata.category(letter) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(letter) in _WIDE else 1


def wrapped(text: str, width: int, first: str = "", rest: str = "") -> list[str]:
    """Return a text as lines of at most ``width`` columns, each begun with its indent; a longer word stays whole."""
    lines: list[str] = []
    line, taken = first, columns(first)
    fresh = True
    for piece in _PIECE.findall(text):
        size = columns(piece)
        if piece.isspace():
            if not fresh:
                line, taken = line + " ", taken + 1
            continue
        if not fresh and taken + size > width and piece not in _CLOSING:
            lines.append(line.rstrip())
            line, taken = rest, columns(rest)
        line, taken, fresh = line + piece, taken + size, False
    return [*lines, line.rstrip()]
