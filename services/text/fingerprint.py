"""What of a text survives it: a near-duplicate signature, paragraph hashes, numbers, and a key of its title.

Pure and the same on every machine: hashes are SHAKE-128 and SHA-256, never Python's own.
"""

from __future__ import annotations

import hashlib
import re
import struct
import unicodedata
from itertools import islice
from typing import TYPE_CHECKING

from schemas.fingerprint import Fingerprint
from services.text.ids import stable_id
from services.text.scripts import CJK

if TYPE_CHECKING:
    from collections.abc import Iterator

PLACES = 64
"""Places of a signature: the standard error of an estimated similarity of 0.5 is then 0.06."""
SHINGLE_TOKENS = 3
SHINGLES_MAX = 4_000
"""About 20 KB of text, 15 ms: reprints differ in their tails, so what follows adds little."""
TEXT_MAX = 40_000
"""Code points read: more than SHINGLES_MAX shingles of any language need."""
TITLE_MAX = 1_000
TITLE_SIGNIFICANT_MIN = 12
"""Letters and digits below which a title ("Live", "In brief") says nothing; a CJK letter says as much as two."""
OUTLET_WORDS_MAX = 6
NAME_WORDS = 3
PARAGRAPHS_MAX = 64
PARAGRAPH_SIGNIFICANT_MIN = 40
NUMBERS_MAX = 32
FOLD_MAX = 1_000
"""Code points folded at once; a title is one piece."""
_HASH_HEX = 16

_TOKEN = re.compile(rf"[{CJK}]|[^\W_{CJK}]+")
_CJK_LETTER = re.compile(f"[{CJK}]")
_SUFFIX = re.compile(r"\s+[|\-\u2013\u2014]\s+(?=[^|\-\u2013\u2014\s])")
_NUMBER = re.compile(r"\d+(?:[.,\u00a0\u202f' ]\d{3})*(?:[.,]\d+)?")
_GROUP = re.compile(r"[.,\u00a0\u202f' ](?=\d{3}(?!\d))")
_UNPACK = struct.Struct(f">{PLACES}I")


def fingerprint(title: str, summary: str, text: str | None) -> Fingerprint:
    """Return the fingerprint of a story's words; ``text`` None: only the feed's own."""
    fields = (title, summary, text or "")
    joined = "\n".join(field[:TEXT_MAX] for field in fields)[:TEXT_MAX]
    return Fingerprint(
        title_key=title_key(title),
        signature=signature(joined),
        paragraphs=paragraphs(joined),
        length=sum(map(len, fields)),
        numbers=numbers(joined),
    )


def similarity(a: Fingerprint, b: Fingerprint) -> float:
    """Return the estimated Jaccard similarity of two texts, 0 to 1; 0 where one has no words."""
    if not a.signature or len(a.signature) != len(b.signature):
        return 0.0
    return sum(x == y for x, y in zip(a.signature, b.signature, strict=True)) / len(a.signature)


def title_key(title: str) -> str:
    """Return a hash of the title's letters and digits, its " - Outlet" dropped; "" for one that says too little."""
    significant = _significant(_without_outlet(title[:TITLE_MAX]))
    return stable_id("title", significant)[:_HASH_HEX] if _says_enough(significant) else ""


def signature(text: str) -> tuple[int, ...]:
    """Return the MinHash of the text's shingles: three words, or three characters in CJK."""
    rows = [_UNPACK.unpack(hashlib.shake_128(shingle).digest(_UNPACK.size)) for shingle in _shingles(text)]
    return tuple(min(place) for place in zip(*rows, strict=True))


def paragraphs(text: str) -> tuple[str, ...]:
    """Return hashes of the paragraphs that are long enough to be somebody's."""
    significant = map(_significant, text.splitlines())
    hashes = (
        stable_id("paragraph", words)[:_HASH_HEX]
        for words in significant
        if len(words) + len(_CJK_LETTER.findall(words)) >= PARAGRAPH_SIGNIFICANT_MIN
    )
    return tuple(islice(dict.fromkeys(hashes), PARAGRAPHS_MAX))


def numbers(text: str) -> tuple[str, ...]:
    """Return the numbers in order of appearance, ``1,000`` and ``1 000`` as ``1000``."""
    found = (_GROUP.sub("", match.group()).replace(",", ".") for match in _NUMBER.finditer(text))
    return tuple(islice(dict.fromkeys(found), NUMBERS_MAX))


def _significant(text: str) -> str:
    """Return the folded letters and digits; in pieces, since ordering a long run of marks takes quadratic time."""
    pieces = (text[at : at + FOLD_MAX] for at in range(0, len(text), FOLD_MAX))
    folded = "".join(unicodedata.normalize("NFKC", piece).casefold() for piece in pieces)
    return "".join(filter(str.isalnum, folded))


def _says_enough(significant: str) -> bool:
    return len(significant) + len(_CJK_LETTER.findall(significant)) >= TITLE_SIGNIFICANT_MIN


def _without_outlet(title: str) -> str:
    """Drop the last " - …" where it is shorter than the rest and may be a name.

    Of two or three words it is one whatever stands before: "In brief - Baltic Wire" says no more than "In brief".
    """
    cuts = list(_SUFFIX.finditer(title))
    if not cuts:
        return title
    rest, outlet = title[: cuts[-1].start()], title[cuts[-1].end() :]
    words = len(outlet.split())
    if words <= NAME_WORDS and not _says_enough(_significant(rest)):
        return rest
    return rest if words <= OUTLET_WORDS_MAX and len(outlet) < len(rest) else title


def _shingles(text: str) -> Iterator[bytes]:
    """Yield the distinct shingles in order; a text of one or two tokens is one shingle."""
    tokens = _TOKEN.findall(text.casefold())
    grams = zip(*(tokens[skip:] for skip in range(SHINGLE_TOKENS)), strict=False)
    shingles = (
        ("\x1f".join(gram) for gram in grams) if len(tokens) >= SHINGLE_TOKENS else ["\x1f".join(tokens)]
    )
    distinct = dict.fromkeys(shingle for shingle in shingles if shingle)
    return (shingle.encode("utf-8", "surrogatepass") for shingle in islice(distinct, SHINGLES_MAX))
