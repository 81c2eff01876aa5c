"""Foreign text made readable and harmless: HTML to plain text, and text that is safe to show.

The scanner is our own because ``html.parser`` of Python 3.11 takes quadratic time on hostile input. It keeps no
stack, so depth costs nothing, and it never goes back, so time is linear in the length of the text.
"""

from __future__ import annotations

import html
import re
from typing import Final

REPLACEMENT: Final = "\ufffd"

# Their content is not for readers. Nested ones end at the first end tag: good enough to read by.
_DROPPED = frozenset(
    {"script", "style", "template", "iframe", "svg", "noscript", "object", "textarea", "head"}
)
_DROPPED_END = {name: re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE) for name in _DROPPED}
_BLOCKS = (
    "p div blockquote article section header footer aside main nav figure figcaption table ul ol dl pre form hr"
    " h1 h2 h3 h4 h5 h6 address details summary"
)
_PARAGRAPH = frozenset(_BLOCKS.split())
_LINE = frozenset({"br", "li", "tr", "dt", "dd", "option"})
_CELL = frozenset({"td", "th"})

# Marks put between pieces; private use, so that white space of the source stays apart from breaks of the markup.
_PARAGRAPH_MARK = "\ue000"
_LINE_MARK = "\ue001"
_MARKS = str.maketrans({_PARAGRAPH_MARK: REPLACEMENT, _LINE_MARK: REPLACEMENT})

_TAG = re.compile(r"</?([a-zA-Z][a-zA-Z0-9:-]{0,63})")
_TAG_END_OR_QUOTE = re.compile(r"[>\"']")
_REFERENCE = re.compile(r"&(?:#[0-9]+;?|#[xX][0-9a-fA-F]+;?|[a-zA-Z][a-zA-Z0-9]{1,31};?)")
REFERENCE_DIGITS_MAX = 10
"""U+10FFFF needs seven; ``int`` refuses 4,300 and more."""
_SURROGATE = re.compile("[\ud800-\udfff]")
_SPACES = re.compile(r"[^\S\n]+")
_BLANK_LINES = re.compile(r"\n{3,}")
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def plain_text(html_text: str) -> str:
    """Return the readable text of HTML: entities decoded, paragraphs kept apart by a blank line.

    Text without any markup keeps its own line breaks. What looks like a tag and never ends is text.
    """
    text = _SURROGATE.sub(REPLACEMENT, html_text).translate(_MARKS)
    if "<![CDATA[" in text:
        text = text.replace("<![CDATA[", "").replace("]]>", "")
    scanned = _Scanner(text).scan()
    joined = "".join(scanned.parts)
    if scanned.markup:
        joined = " ".join(joined.split())
        joined = joined.replace(_PARAGRAPH_MARK, "\n\n").replace(_LINE_MARK, "\n")
    lines = (_SPACES.sub(" ", line).strip() for line in joined.splitlines())
    return _BLANK_LINES.sub("\n\n", "\n".join(lines)).strip()


def visible(text: str) -> str:
    """Return the text with every character that could steer a terminal or reorder a line replaced, one for one.

    C0 and C1 controls, ESC, bidi controls, line separators and lone surrogates become U+FFFD; a tab becomes a
    space, a line feed stays.
    """
    return _UNSAFE.sub(REPLACEMENT, text.replace("\t", " "))


def one_line(text: str, code_points_max: int) -> str:
    """Return the visible text on one line, cut with an ellipsis: no title can fake a second line."""
    line = " ".join(visible(text[: code_points_max * 2]).split())
    return line if len(line) <= code_points_max else line[: code_points_max - 1].rstrip() + "…"


def _decoded(text: str) -> str:
    return _REFERENCE.sub(_reference, text).translate(_MARKS) if "&" in text else text


def _reference(match: re.Match[str]) -> str:
    reference = match.group()
    if reference[1] == "#" and len(reference) > REFERENCE_DIGITS_MAX + len("&#x;"):
        return REPLACEMENT
    return html.unescape(reference)


class _Scanner:
    """One pass over the text; ``parts`` are decoded text and break marks, ``markup`` whether there was any."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._last_end = text.rfind(">")
        self._quotes_close = True
        """Until one tag's quotes leave no end: then quotes are ignored, or every tag would scan to the end."""
        self.parts: list[str] = []
        self.markup = False

    def scan(self) -> _Scanner:
        text, at = self._text, 0
        while (found := text.find("<", at)) >= 0:
            self.parts.append(_decoded(text[at:found]))
            at = self._markup(found)
        self.parts.append(_decoded(text[at:]))
        return self

    def _markup(self, at: int) -> int:
        """Handle what starts with ``<`` and return where reading goes on."""
        text = self._text
        if text.startswith("<!--", at):
            return self._after("-->", at + len("<!--"))
        if text.startswith(("<!", "<?"), at):
            return self._after(">", at + len("<!"))
        if (tag := _TAG.match(text, at)) and (end := self._tag_end(tag.end())):
            return self._element(tag.group(1).lower(), closing=text[at + 1] == "/", end=end)
        self.parts.append("<")
        return at + 1

    def _after(self, mark: str, at: int) -> int:
        """Skip to after the mark; without one, the rest is no text, as in browsers."""
        self.markup = True
        found = self._text.find(mark, at)
        return len(self._text) if found < 0 else found + len(mark)

    def _tag_end(self, at: int) -> int | None:
        """Return the place after the tag's ``>``, quoted ones skipped; None where no ``>`` follows."""
        if at > self._last_end:
            return None
        position = at
        while self._quotes_close:
            found = _TAG_END_OR_QUOTE.search(self._text, position)
            if found and found.group() == ">":
                return found.end()
            position = self._text.find(found.group(), found.end()) + 1 if found else 0
            self._quotes_close = position > 0
        return self._text.find(">", at) + 1

    def _element(self, name: str, *, closing: bool, end: int) -> int:
        """Mark the break that the element makes and return where its text, if it is for readers, starts."""
        self.markup = True
        if name in _PARAGRAPH:
            self.parts.append(_PARAGRAPH_MARK)
        elif name in _LINE and not closing:
            self.parts.append(_LINE_MARK)
        elif name in _CELL:
            self.parts.append(" ")
        if closing or name not in _DROPPED or self._text[end - 2] == "/":
            return end
        found = _DROPPED_END[name].search(self._text, end)
        return found.start() if found else len(self._text)
