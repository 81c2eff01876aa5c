"""Text that was UTF-8 and was read as something else: read again, where that loses nothing. Pure.

Only a whole field is put right, and only if every letter of it fits: then it is no accident. Offsets still index the text
as given, so ``origins_of`` says where each letter came from.
"""

from __future__ import annotations

import codecs
from itertools import accumulate

# Code pages as browsers read them: a byte that stands for nothing stays a control character.
_PAGES = tuple(
    codecs.charmap_build("".join(bytes([byte]).decode(name, "ignore") or chr(byte) for byte in range(256)))
    for name in ("latin-1", "cp1252", "cp1251")
)
# Every broken text has one of these; asking is cheaper than reading again.
_OFTEN = ("Ð", "Ñ", "Ã", "Å", "Ä", "â", "Ø", "Ù", "ë", "ì", "æ", "å", "Рµ", "Р°", "Рё")


def looks_broken(text: str) -> bool:
    """Return whether a text has letters as they stand in broken ones; many that have them are whole."""
    return not text.isascii() and any(sign in text for sign in _OFTEN)


def mended(text: str) -> str | None:
    """Return a text as it was meant; None: nothing is wrong with it, or not with all of it."""
    if not looks_broken(text):
        return None
    for page in _PAGES:
        try:
            return codecs.charmap_encode(text, "strict", page)[0].decode()
        except UnicodeError:
            continue
    return None


def origins_of(meant: str) -> list[int]:
    """Return where each letter of a mended text begins in the text as given, and where the last one ends."""
    return list(accumulate((len(letter.encode()) for letter in meant), initial=0))
