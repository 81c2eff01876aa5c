"""Where one statement ends and the next begins, in a view; rough, quick and the same for every language."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from services.classifier.text import View

# A longer run without a stop is a list or a table; words further apart than this join nothing.
SENTENCE_LENGTH_MAX = 700

_END = re.compile(
    r"(?P<stop>[.!?…]{1,8})[\"'”’»)\]]{0,4}(?=\s)"
    r"|[。！？][」』”）)]{0,4}"
    r"|(?P<mark>;|\s[|/•▲▶■]\s|\s\+\+\+\s)"
)
_ABBREVIATED = """
mr mrs ms dr prof gen lt col sgt maj capt rep sen gov st no vs jan feb mar apr jun jul aug sep sept
oct nov dec u.s u.n u.k e.u d.c n s płn płd płn-kor proc ws tzw m.in godz ul pkt tys mln mld św red
im ros ukr amer г гг им т.д т.п др руб тыс млн млрд ул проф ген р тис z.b u.a d.h bzw ca usw nr dt
pers mio mrd m mme p.ex env av art ee.uu sr sra ud kl bl.a t.ex s.k sig on dott
"""
"""Words after which a stop ends nothing, all languages together."""
_ABBREVIATIONS = frozenset(_ABBREVIATED.split())
_LAST_TOKEN = re.compile(r"[^\s(\"'“„«]+$")


def sentences(view: View) -> list[tuple[int, int]]:
    """Return the (start, end) of each sentence of a view, trimmed, none empty."""
    cuts = sorted({0, len(view.cased), *view.breaks, *_stops(view.cased)})
    found: list[tuple[int, int]] = []
    for start, end in pairwise(cuts):
        for piece in range(start, end, SENTENCE_LENGTH_MAX):
            trimmed = _trim(view.cased, piece, min(piece + SENTENCE_LENGTH_MAX, end))
            if trimmed[0] < trimmed[1]:
                found.append(trimmed)
    return found


def _stops(text: str) -> list[int]:
    return [match.end() for match in _END.finditer(text) if _is_end(text, match)]


def _is_end(text: str, match: re.Match[str]) -> bool:
    if match["stop"] is None:
        return True
    after = text[match.end() : match.end() + 3].lstrip()[:1]
    if after.islower() or (match["stop"] == "..." and not after):
        return False
    if match["stop"] != ".":
        return True
    last = _LAST_TOKEN.search(text, max(0, match.start() - 24), match.start())
    token = last.group().lower() if last else ""
    return token not in _ABBREVIATIONS and not (len(token) == 1 and token.isalpha() and token.isascii())


def _trim(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and (text[start].isspace() or text[start] in "-–—•*|/;▲"):
        start += 1
    while end > start and (text[end - 1].isspace() or text[end - 1] in "|/;"):
        end -= 1
    return start, end
