"""Short quotations: at most 25 words, or 60 code points where CJK is in them, around the words that count."""

from __future__ import annotations

import re

from services.text.scripts import CJK

QUOTE_WORDS_MAX = 25
"""What a short extract may be (DOMAIN.md 7)."""
QUOTE_CJK_CODE_POINTS_MAX = 60
QUOTE_CODE_POINTS_MAX = 300
"""25 words of ordinary length: a "word" may also be a URL or an unspaced page."""

_CJK_LETTER = re.compile(f"[{CJK}]")
# A CJK letter (with its marks) is a token of its own, every other run of non-space is one.
_TOKEN = re.compile(rf"[{CJK}][\u3099\u309a\ufe00-\ufe0f]*|[^\s{CJK}]+")


def fits(text: str) -> bool:
    """Return whether a quotation is short enough to leave the system."""
    if len(text) > QUOTE_CODE_POINTS_MAX:
        return False
    if len(text) > QUOTE_CJK_CODE_POINTS_MAX and _CJK_LETTER.search(text):
        return False
    return len(text.split()) <= QUOTE_WORDS_MAX


def quotation(field_text: str, start: int, end: int, cue_start: int, cue_end: int) -> tuple[int, int, bool]:
    """Return the bounds of the quotation inside ``[start, end)`` and whether it is shorter than that span.

    It grows from the cue word by word to both sides. A cue that is itself too long is quoted from its start.
    """
    start, end = max(0, start), min(end, len(field_text))
    if end <= start or fits(field_text[start:end]):
        return start, max(start, end), False
    cue_start = min(max(cue_start, start), end - 1)
    cue_end = min(max(cue_end, cue_start + 1), end)
    tokens = _tokens_near(field_text, start, end, cue_start)
    if not tokens:
        return cue_start, cue_start, True
    low, high = _grown(field_text, tokens, *_cue_tokens(field_text, tokens, cue_start, cue_end))
    return low, high, True


def _tokens_near(text: str, start: int, end: int, cue: int) -> list[tuple[int, int]]:
    """Return the tokens that a quotation around the cue can reach; a longer one is cut to what may leave."""
    low, high = max(start, cue - QUOTE_CODE_POINTS_MAX), min(end, cue + QUOTE_CODE_POINTS_MAX)
    return [
        (piece, min(piece + QUOTE_CJK_CODE_POINTS_MAX, match.end()))
        for match in _TOKEN.finditer(text, low, high)
        for piece in range(match.start(), match.end(), QUOTE_CJK_CODE_POINTS_MAX)
    ]


def _cue_tokens(text: str, tokens: list[tuple[int, int]], cue_start: int, cue_end: int) -> tuple[int, int]:
    """Return the first and last token of the cue, or as many of its first tokens as fit."""
    first = next((index for index, (_, end) in enumerate(tokens) if end > cue_start), len(tokens) - 1)
    last = first
    while last + 1 < len(tokens) and tokens[last + 1][0] < cue_end:
        if not fits(text[tokens[first][0] : tokens[last + 1][1]]):
            break
        last += 1
    return first, last


def _grown(text: str, tokens: list[tuple[int, int]], first: int, last: int) -> tuple[int, int]:
    """Widen by one token to the right and one to the left in turn while it fits; return the bounds."""
    right = left = True
    while right or left:
        right = right and last + 1 < len(tokens) and fits(text[tokens[first][0] : tokens[last + 1][1]])
        last += right
        left = left and first > 0 and fits(text[tokens[first - 1][0] : tokens[last][1]])
        first -= left
    return tokens[first][0], tokens[last][1]
