"""Lists that people write as TOML tables, each read on its own: a mistake in one costs that one, not the list. Pure."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_LINE = re.compile(r" \(at line (\d+), column \d+\)$")


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in a list that was not used."""

    file: str
    line: int
    what: str

    def __str__(self) -> str:
        """Return it as compilers do."""
        return f"{self.file}:{self.line}: {self.what}"


@dataclass(frozen=True, slots=True)
class Block:
    """One table of a list as text, and the line it begins on."""

    line: int
    text: str

    def read(self) -> dict[str, Any]:
        """Return what the block holds; NotToml says where it is wrong."""
        try:
            return tomllib.loads(self.text)
        except RecursionError as error:  # its words depend on where the interpreter met its limit
            raise NotToml(self.line, "not TOML: nested too deep") from error
        except tomllib.TOMLDecodeError as error:
            said = str(error)
            found = _LINE.search(said)
            line = self.line + int(found[1]) - 1 if found else self.line
            raise NotToml(line, f"not TOML: {_LINE.sub('', said)}") from error

    def line_of(self, key: str) -> int:
        """Return the line on which a key stands, else the block's first."""
        wanted = re.compile(rf"(?:^|[\s{{,])[\"']?{re.escape(key)}[\"']?\s*=")
        for number, line in enumerate(self.text.splitlines(), start=self.line):
            if key and wanted.search(line):
                return number
        return self.line


class NotToml(ValueError):  # noqa: N818 - what the block is
    """A block cannot be read: the line, and what is wrong there."""

    def __init__(self, line: int, what: str) -> None:
        """Keep both."""
        super().__init__(what)
        self.line = line
        self.what = what


def blocks(text: str, name: str) -> Iterator[Block]:
    """Yield what stands before the first ``[[name]]``, then each such table; blank and commented ones are left out."""
    header = re.compile(rf"^[ \t]*\[\[[ \t]*{re.escape(name)}[ \t]*\]\]", re.MULTILINE)
    starts = [found.start() for found in header.finditer(text)]
    for start, end in pairwise([0, *starts, len(text)]):
        piece = text[start:end]
        if any(line.strip() and not line.lstrip().startswith("#") for line in piece.splitlines()):
            yield Block(text.count("\n", 0, start) + 1, piece)
