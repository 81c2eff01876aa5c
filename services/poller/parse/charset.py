"""Bytes to text: what a document's encoding really is, when header, prolog and bytes disagree."""

from __future__ import annotations

import codecs
import re

PROLOG_BYTES = 1_024
"""Where an XML declaration must stand, with room for rubbish before it."""
BROKEN_SHARE_MAX = 0.02
"""Of the characters beyond ASCII: a document damaged less than this is UTF-8 with faults, not another encoding."""

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_WITHOUT_BOM = (
    (b"<\0\0\0", "utf-32-le"),
    (b"\0\0\0<", "utf-32-be"),
    (b"<\0", "utf-16-le"),
    (b"\0<", "utf-16-be"),
)
_SUPERSETS = {
    "iso-8859-1": "cp1252",
    "latin-1": "cp1252",
    "us-ascii": "cp1252",
    "ascii": "cp1252",
    "euc-kr": "cp949",
    "ks_c_5601-1987": "cp949",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "shift-jis": "cp932",
    "x-sjis": "cp932",
}
"""What publishers mean by these names, as browsers read them."""
_DECLARED = re.compile(rb"<\?xml[^>]*?encoding\s*=\s*[\"']([A-Za-z0-9._:-]+)[\"']")
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([A-Za-z0-9._:-]+)", re.IGNORECASE)


def decoded(data: bytes, content_type: str) -> str:
    """Return the text of a document; never raises.

    A byte order mark is believed first; then bytes beyond ASCII that are valid UTF-8, which no other encoding gives by
    accident; then the prolog, then the header, because servers label files they have not looked into.
    """
    for mark, name in _BOMS:
        if data.startswith(mark):
            return data[len(mark) :].decode(name, "replace")
    for mark, name in _WITHOUT_BOM:
        if data.startswith(mark):
            return data.decode(name, "replace")
    if not data.isascii() and (text := _strict(data, "utf-8")) is not None:
        return text
    for name in _named(data, content_type):
        if (text := _strict(data, name)) is not None:
            return text
    return _damaged(data, _named(data, content_type))


def _named(data: bytes, content_type: str) -> list[str]:
    """Return the encodings that prolog and header name, in the order in which they are believed."""
    prolog, header = _DECLARED.search(data[:PROLOG_BYTES]), _CHARSET.search(content_type)
    names = [prolog.group(1).decode()] if prolog else []
    if header:
        names.append(header.group(1))
    return [_SUPERSETS.get(name.lower(), name.lower()) for name in names]


def _strict(data: bytes, name: str) -> str | None:
    try:
        return data.decode(name)
    except (UnicodeError, LookupError, ValueError):
        return None


def _damaged(data: bytes, names: list[str]) -> str:
    """Read a document that no name fits: as UTF-8 or its declared encoding with holes, else byte for byte."""
    for name in ("utf-8", *names):
        try:
            text = data.decode(name, "replace")
        except (UnicodeError, LookupError, ValueError):
            continue
        beyond = sum(character > "\x7f" for character in text)
        if text.count("\ufffd") <= beyond * BROKEN_SHARE_MAX:
            return text
    return data.decode("cp1252", "replace")
