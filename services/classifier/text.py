"""A field as it will be matched: folded, without markup, each place still pointing into the text as given.

Offsets on the wire index the strings exactly as they came, HTML and entities included. So nothing is cut out of the
original; a ``View`` is a second string, and knows for each of its places where it came from.
"""

from __future__ import annotations

import html
import re
import unicodedata
from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise

from services.classifier.mojibake import looks_broken, mended, origins_of

# Longer tags exist (inline images as data URLs); they are read as text, which harms nothing and keeps the scan linear.
TAG_LENGTH_MAX = 2_000

# What NFC writes as one character: letters with marks of their own, Hangul in its parts, compatibility ideographs.
_COMPOSED = "[^\\W\\d_][\u0300-\u036f\u0653-\u0655\u3099\u309a]+|[\u1100-\u1112][\u1161-\u1175][\u11a8-\u11c2]?|[\uf900-\ufaff]"
# U+0301: a stress mark where it has not become part of a letter.
_INVISIBLE = "\u00ad\u0301\u200b-\u200f\u2060\ufeff\u061c\u202a-\u202e\u2066-\u2069\u0640\u064b-\u0652"
_PLAIN = (
    rf"<(?P<tag>[A-Za-z/!][^<>]{{0,{TAG_LENGTH_MAX}}})>"
    r"|(?P<entity>&(?:\#\d{1,7}|\#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});)"
    r"|(?P<space>[^\S ]\s*|[ ]\s+)"
    rf"|(?P<invisible>[{_INVISIBLE}]+)"
)
# A text in composed form, as nearly all are, is not searched for what may be composed.
_SPECIAL = re.compile(f"{_PLAIN}|(?P<parts>(?!))")
_SPECIAL_PARTED = re.compile(f"{_PLAIN}|(?P<parts>{_COMPOSED})")
# One of these stands in every text that hides characters inside words; asking is cheaper than replacing.
_OFTEN_INVISIBLE = (
    "\u00ad",
    "\u200b",
    "\u200c",
    "\u200d",
    "\u2060",
    "\ufeff",
    "\u0301",
    "\u200e",
    "\u200f",
    "\u202b",
    "\u0640",
    "\u064e",
    "\u064f",
    "\u0650",
    "\u064b",
    "\u0651",
)
# Splitting and joining costs more than all else here; a text with single spaces needs none of it.
_GAPS = ("\n", "  ", "\t", "\r", "\u3000", "\u2009")
_INVISIBLE_RUN = re.compile(rf"[{_INVISIBLE}]+")
# Fullwidth letters, digits and minus, halfwidth katakana: as old terminals write them, one for one.
_WIDE = re.compile("[\uff0d\uff10-\uff19\uff21-\uff3a\uff41-\uff5a\uff65-\uff9f]")
_WIDTHS = {
    code: ord(unicodedata.normalize("NFKC", chr(code)))
    for code in (
        0xFF0D,
        *range(0xFF10, 0xFF1A),
        *range(0xFF21, 0xFF3B),
        *range(0xFF41, 0xFF5B),
        *range(0xFF65, 0xFFA0),
    )
}
# No name of ours is written wide without one of these; asking is cheaper than searching.
_OFTEN_WIDE = ("ﾞ", "ﾟ", "ｷ", "ｎ", "Ｎ", "ｋ", "Ｋ")
_SURROGATE = re.compile("[\ud800-\udfff]")
_BLOCK_TAG = re.compile(
    r"/?(?:p|div|br|hr|li|ul|ol|dl|dt|dd|tr|td|th|table|h[1-6]|blockquote|section|article|header|footer|figure"
    r"|figcaption|pre|aside|main|nav)\b",
    re.IGNORECASE,
)

# Dashes fold to spaces (Kim Jong-un, nord-coréen), so a form is written once; ё folds to е as Russian papers do, ґ to г, and
# Arabic letters to the ones that papers use for them.
_FOLDED = (
    ("‐", " "),
    ("‑", " "),
    ("–", " "),
    ("—", " "),
    ("\u00a0", " "),
    ("\u202f", " "),
    ("’", "'"),
    ("ʼ", "'"),
    ("ё", "е"),
    ("ґ", "г"),
    ("・", "·"),
    ("‧", "·"),
    ("ㆍ", "·"),
    ("⋅", "·"),
    ("∙", "·"),
    ("\u0623", "\u0627"),  # alef with hamza above, below, with madda, wasla: alef
    ("\u0625", "\u0627"),
    ("\u0622", "\u0627"),
    ("\u0671", "\u0627"),
    ("\u0649", "\u064a"),  # alef maksura: yeh
    ("\u0629", "\u0647"),  # teh marbuta: heh
)
REPLACEMENT = "\ufffd"

# Letters that look alike, folded: Latin, and the Cyrillic ones that stand for them or are stood for by them.
_LATIN_ALIKE, _CYRILLIC_ALIKE = "aeopcxyikmthb", "аеорсхуікмтнв"
_TO_CYRILLIC = str.maketrans(_LATIN_ALIKE, _CYRILLIC_ALIKE)
_TO_LATIN = str.maketrans(_CYRILLIC_ALIKE, _LATIN_ALIKE)
_ALIKE = frozenset(_LATIN_ALIKE + _CYRILLIC_ALIKE)
_CYRILLIC = "\u0430-\u045f\u0491"
_MEETING = re.compile(f"[a-z](?:(?=[{_CYRILLIC}])|(?<=[{_CYRILLIC}].))")
_LETTERS = re.compile(f"[a-z{_CYRILLIC}]+")
# Nearly every text with a Cyrillic letter has one of these; asking is cheaper than searching.
_OFTEN_ALIKE = "аеоісрухкднтв"


def fold(text: str) -> str:
    """Return the text lower-cased and levelled for matching, of the same length, place for place."""
    low = text.lower()
    if len(low) != len(text):
        # U+0130 alone grows when lower-cased; everything else keeps its length.
        low = text.replace("\u0130", "i").lower()
    low = low.replace("-", " ")
    if low.isascii():
        return low
    for odd, plain in _FOLDED:
        if odd in low:
            low = low.replace(odd, plain)
    if any(letter in low for letter in _OFTEN_ALIKE) and _MEETING.search(low):
        low = _LETTERS.sub(_one_alphabet, low)
    return low


def _one_alphabet(word: re.Match[str]) -> str:
    """Return a word with letters of the other alphabet that only look right put into its own: Latin p in КНДР."""
    letters = word.group()
    if not _MEETING.search(letters):
        return letters
    telling = {letter.isascii() for letter in letters if letter not in _ALIKE}
    if len(telling) > 1:
        return letters
    return letters.translate(_TO_LATIN if True in telling else _TO_CYRILLIC)


def without_surrogates(text: str) -> str:
    """Return the text with each lone surrogate replaced by U+FFFD, one for one."""
    return _SURROGATE.sub(REPLACEMENT, text)


def _levelled(text: str) -> str:
    """Return the text with letters in their usual width, of the same length."""
    return text.translate(_WIDTHS) if _WIDE.search(text) else text


def skim(*fields: str) -> str:
    """Return the fields as the gate reads them: folded, entities decoded, spaces levelled; places are lost."""
    joined = " ".join(fields)
    if looks_broken(joined):
        joined = " ".join(mended(field) or field for field in fields)
    if "&" in joined:
        joined = html.unescape(joined)
    if not joined.isascii():
        if any(mark in joined for mark in _OFTEN_WIDE):
            joined = _levelled(joined)
        joined = unicodedata.normalize("NFC", joined)
    low = fold(joined)
    if not low.isascii() and any(mark in low for mark in _OFTEN_INVISIBLE):
        low = _INVISIBLE_RUN.sub("", low)
    if any(gap in low for gap in _GAPS):
        low = " ".join(low.split())
    return low


@dataclass(frozen=True, slots=True)
class View:
    """A field for matching: ``low`` folded, ``cased`` as written, ``breaks`` where markup or a line ends a statement."""

    raw: str
    low: str
    cased: str
    breaks: tuple[int, ...]
    starts: tuple[int, ...]
    """Where each segment begins in the view; ``origins`` has its place in ``raw``."""
    origins: tuple[tuple[int, int], ...]
    """(raw start, raw end) of a replaced piece; (raw start, -1) of a piece kept as it is."""

    def raw_start(self, place: int) -> int:
        """Return where the view's code point at ``place`` begins in the raw text."""
        index = bisect_right(self.starts, place) - 1
        begin, end = self.origins[index]
        return begin if end >= 0 else begin + place - self.starts[index]

    def raw_end(self, place: int) -> int:
        """Return where the view's code point before ``place`` ends in the raw text."""
        index = bisect_right(self.starts, place - 1) - 1
        begin, end = self.origins[index]
        return end if end >= 0 else begin + place - self.starts[index]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return the raw span of a span of the view."""
        return self.raw_start(start), self.raw_end(end)


def make_view(raw: str) -> View:
    """Return the view of a field: inline tags and invisible characters gone, entities decoded, space runs one space."""
    meant = mended(raw)
    return _view(raw) if meant is None else _as_given(_view(meant), raw, origins_of(meant))


def _as_given(view: View, raw: str, places: list[int]) -> View:
    """Return the view of a mended text with its places in the broken one: one segment a letter."""
    starts: list[int] = []
    origins: list[tuple[int, int]] = []
    stops = (*view.starts[1:], len(view.cased))
    for start, stop, (begin, end) in zip(view.starts, stops, view.origins, strict=True):
        if end >= 0:
            starts.append(start)
            origins.append((places[begin], places[end]))
        else:
            starts.extend(range(start, stop))
            origins.extend(pairwise(places[begin : begin + stop - start + 1]))
    starts.append(len(view.cased))
    origins.append((len(raw), -1))
    return View(raw, view.low, view.cased, view.breaks, tuple(starts), tuple(origins))


def _view(raw: str) -> View:
    """Return the view of a field that is as it was meant."""
    clean = _levelled(without_surrogates(raw))
    special = _SPECIAL if unicodedata.is_normalized("NFC", clean) else _SPECIAL_PARTED
    parts: list[str] = []
    starts: list[int] = []
    origins: list[tuple[int, int]] = []
    breaks: list[int] = []
    done = length = 0
    for token in special.finditer(clean):
        if token.start() > done:
            parts.append(clean[done : token.start()])
            starts.append(length)
            origins.append((done, -1))
            length += token.start() - done
        done = token.end()
        replacement, ends = _reading(token, clean)
        if ends:
            breaks.append(length)
        if replacement:
            parts.append(replacement)
            starts.append(length)
            origins.append((token.start(), token.end()))
            length += len(replacement)
    parts.append(clean[done:])
    starts.append(length)
    origins.append((done, -1))
    cased = "".join(parts)
    return View(raw, fold(cased), cased, tuple(breaks), tuple(starts), tuple(origins))


def _reading(token: re.Match[str], text: str) -> tuple[str, bool]:
    """Return what a special piece reads as, and whether a statement ends there."""
    if token["tag"] is not None:
        return (" ", True) if _BLOCK_TAG.match(token["tag"]) else ("", False)
    if token["entity"] is not None:
        decoded = html.unescape(token["entity"])
        if _INVISIBLE_RUN.fullmatch(decoded):
            return "", False
        return (" " if decoded.isspace() else decoded), False
    if token["parts"] is not None:
        return _INVISIBLE_RUN.sub("", unicodedata.normalize("NFC", token["parts"])), False
    if token["space"] is not None:
        # A line that goes on in lower case was wrapped; any other line end ends the statement.
        wrapped = text[token.end() : token.end() + 1].islower() and token["space"].count("\n") == 1
        return " ", "\n" in token["space"] and not wrapped
    return "", False
