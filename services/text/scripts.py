"""Which writing systems are written without spaces between words, or nearly so."""

from __future__ import annotations

from typing import Final

CJK: Final = (
    "\u1100-\u11ff\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3040-\u30ff\u3105-\u318f\u31a0-\u31bf\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\uff66-\uffdc\U00020000-\U0003ffff"
)
"""Ranges for a regular expression's character class: Han, kana, bopomofo and Hangul.

Korean has spaces, but its words carry their particles, so characters compare better; and a quotation of 60 code
points is the stricter of the two limits there.
"""
