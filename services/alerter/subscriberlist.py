"""Subscriber lists in TOML: the good entries, and a line for each fault: file, line, what.

A fault in one entry costs that entry; an unknown key costs nothing but a warning; a syntax error costs the entry it
stands in. Credentials in a URL are refused: a list is no place for secrets.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from pydantic import ValidationError

from schemas.subscriber import Match, Subscriber
from services.bus.codec import encode, tombstone
from services.bus.ports import Message
from services.bus.topics import SUBSCRIBERS

SOURCE = "subscribers"
_HEADER = re.compile(r"^[ \t]*\[\[[ \t]*subscribers[ \t]*\]\]", re.MULTILINE)
_CHANNEL = re.compile(r"[a-z][a-z0-9+.-]*:")
_SECRET_REF = re.compile(r"(?:env|file):.+")
_SECRET_PARAMETER = re.compile(r"secret|token|passw|signature|api_?key|^key$|^sig$|^auth", re.IGNORECASE)
_ERROR_LINE = re.compile(r"\(at line (\d+),")


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, and where."""

    file: str
    line: int
    what: str

    def __str__(self) -> str:
        """Return it as one line, as compilers do."""
        return f"{self.file}:{self.line}: {self.what}"


@dataclass(frozen=True, slots=True)
class SubscriberList:
    """What a file holds."""

    subscribers: tuple[Subscriber, ...]
    problems: tuple[Problem, ...]


def read_subscribers(text: str, file: str) -> SubscriberList:
    """Return the subscribers of a TOML text and what is wrong with the rest."""
    subscribers: dict[str, Subscriber] = {}
    problems: list[Problem] = []
    for block in _blocks(text):
        found, faults = _read_block(block)
        problems += (Problem(file, line, what) for line, what in faults)
        if found is not None and found.id in subscribers:
            problems.append(
                Problem(file, block.line, f"id: {found.id!r} is there already; this one is not used")
            )
        elif found is not None:
            subscribers[found.id] = found
    if not subscribers and not problems:
        problems.append(Problem(file, 1, "no [[subscribers]] in this file"))
    return SubscriberList(tuple(subscribers.values()), tuple(problems))


def subscriber_messages(
    subscribers: Iterable[Subscriber], *, at: str, known: Collection[str] = (), replace: bool = False
) -> list[Message]:
    """Return the messages of an import; with ``replace``, also the tombstones of known ids that are not listed."""
    listed = {subscriber.id: subscriber for subscriber in subscribers}
    gone = sorted(set(known) - listed.keys()) if replace else ()
    return [
        *(encode(SUBSCRIBERS, one, partition=0, key=one.id, source=SOURCE, at=at) for one in listed.values()),
        *(tombstone(SUBSCRIBERS, partition=0, key=key, source=SOURCE, at=at) for key in gone),
    ]


@dataclass(frozen=True, slots=True)
class _Block:
    """One table of the file, as text, with the line it starts on."""

    line: int
    text: str


def _blocks(text: str) -> list[_Block]:
    """Split at the headers. What stands before the first one is a block if it holds anything but comments."""
    starts = [match.start() for match in _HEADER.finditer(text)]
    bounds = [0, *starts, len(text)]
    pieces = [(start, text[start:end]) for start, end in pairwise(bounds)]
    return [
        _Block(text.count("\n", 0, start) + 1, piece)
        for start, piece in pieces
        if any(line.strip() and not line.lstrip().startswith("#") for line in piece.splitlines())
    ]


def _read_block(block: _Block) -> tuple[Subscriber | None, list[tuple[int, str]]]:
    """Return a block's subscriber, if it is one, and its faults with their lines in the file."""
    try:
        table = tomllib.loads(block.text)
    except tomllib.TOMLDecodeError as error:
        found = _ERROR_LINE.search(str(error))
        line = block.line + int(found[1]) - 1 if found else block.line
        return None, [(line, f"not TOML: {str(error).partition(' (at ')[0]}")]
    entries = table.pop("subscribers", [])
    faults = [(_line_of(block, key), f"unknown key {key!r}") for key in table]
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        return None, [*faults, (block.line, "write [[subscribers]], one for each subscriber")]
    if not entries:
        return None, faults
    subscriber, found_faults = _read_entry(block, entries[0])
    return subscriber, faults + found_faults


def _read_entry(block: _Block, entry: Mapping[str, Any]) -> tuple[Subscriber | None, list[tuple[int, str]]]:
    match = entry.get("match", {})
    unknown = [key for key in entry if key not in Subscriber.model_fields or key in {"schema", "schema_"}]
    if isinstance(match, dict):
        unknown += [key for key in match if key not in Match.model_fields]
    warnings = [(_line_of(block, key), f"unknown key {key!r}: ignored") for key in unknown]
    known = {key: value for key, value in entry.items() if key not in unknown}
    if fault := _fault(known):
        return None, [*warnings, (_line_of(block, fault[0]), f"{fault[0]}: {fault[1]}")]
    try:
        return Subscriber.model_validate(known), warnings
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False)
        return None, [*warnings, *(_explained(block, fault["loc"], fault["msg"]) for fault in faults)]


def _explained(block: _Block, loc: tuple[int | str, ...], message: str) -> tuple[int, str]:
    names = [str(part) for part in loc]
    keys = [part for part in loc if isinstance(part, str)]
    return _line_of(block, keys[-1] if keys else ""), f"{'.'.join(names)}: {message}"


def _fault(entry: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the field and the fault that the model cannot see; values that may hold a secret are not repeated."""
    channel, reference = entry.get("channel"), entry.get("secret_ref")
    if isinstance(channel, str):
        if not _CHANNEL.match(channel):
            return "channel", "not a URL (write console: or https://…)"
        if _holds_credentials(channel):
            return "channel", "credentials in a URL are refused; write {secret} and secret_ref"
        if "{secret}" in channel and reference is None:
            return "channel", "{secret} needs a secret_ref"
    if isinstance(reference, str) and not _SECRET_REF.fullmatch(reference):
        return "secret_ref", "write env:NAME or file:PATH"
    return None


def _holds_credentials(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    if parts.netloc.rpartition("@")[0].replace("{secret}", ""):
        return True
    parameters = parse_qsl(parts.query)
    return any(_SECRET_PARAMETER.search(name) and "{secret}" not in value for name, value in parameters)


def _line_of(block: _Block, key: str) -> int:
    """Return the line on which a key stands, else the block's first."""
    for number, line in enumerate(block.text.splitlines(), start=block.line):
        if key and re.search(rf"(?:^|[\s{{,])[\"']?{re.escape(key)}[\"']?\s*=", line):
            return number
    return block.line
