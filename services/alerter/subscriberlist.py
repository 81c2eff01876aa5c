"""Subscriber lists in TOML: the good entries, and a line for each fault: file, line, what.

A fault in one entry costs that entry; an unknown key costs nothing but a warning; a syntax error costs the entry it
stands in. Credentials in a URL are refused: a list is no place for secrets.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from pydantic import ValidationError

from schemas.subscriber import Match, Subscriber
from services.bus.codec import encode, tombstone
from services.bus.ports import Message
from services.bus.topics import SUBSCRIBERS
from services.text.tables import Block, NotToml, Problem, blocks

SOURCE = "subscribers"
NOT_YET = frozenset({"group_wait", "group_interval", "repeat_interval", "digest", "quiet_hours"})
"""Keys of the contract that this version stores and does nothing with: whoever sets one is told."""
_CHANNEL = re.compile(r"[a-z][a-z0-9+.-]*:")
_SECRET_REF = re.compile(r"(?:env|file):.+")
_SECRET_PARAMETER = re.compile(r"secret|token|passw|signature|api_?key|^key$|^sig$|^auth", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SubscriberList:
    """What a file holds."""

    subscribers: tuple[Subscriber, ...]
    problems: tuple[Problem, ...]


def read_subscribers(data: bytes, file: str) -> SubscriberList:
    """Return the subscribers of a TOML list and what is wrong with the rest."""
    text = data.decode("utf-8-sig", "replace")
    subscribers: dict[str, Subscriber] = {}
    problems: list[Problem] = []
    for block in blocks(text, "subscribers"):
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


def _read_block(block: Block) -> tuple[Subscriber | None, list[tuple[int, str]]]:
    """Return a block's subscriber, if it is one, and its faults with their lines in the file."""
    try:
        table = block.read()
    except NotToml as error:
        return None, [(error.line, error.what)]
    entries = table.pop("subscribers", [])
    faults = [(block.line_of(key), f"unknown key {key!r}") for key in table]
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        return None, [*faults, (block.line, "write [[subscribers]], one for each subscriber")]
    if not entries:
        return None, faults
    subscriber, found_faults = _read_entry(block, entries[0])
    return subscriber, faults + found_faults


def _read_entry(block: Block, entry: Mapping[str, Any]) -> tuple[Subscriber | None, list[tuple[int, str]]]:
    match = entry.get("match", {})
    unknown = [key for key in entry if key not in Subscriber.model_fields or key in {"schema", "schema_"}]
    if isinstance(match, dict):
        unknown += [key for key in match if key not in Match.model_fields]
    warnings = [(block.line_of(key), f"unknown key {key!r}: ignored") for key in unknown]
    warnings += [(block.line_of(key), f"{key}: kept, not acted on yet") for key in entry if key in NOT_YET]
    known = {key: value for key, value in entry.items() if key not in unknown}
    if fault := _fault(known):
        return None, [*warnings, (block.line_of(fault[0]), f"{fault[0]}: {fault[1]}")]
    try:
        return Subscriber.model_validate(known), warnings
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False)
        return None, [*warnings, *(_explained(block, fault["loc"], fault["msg"]) for fault in faults)]


def _explained(block: Block, loc: tuple[int | str, ...], message: str) -> tuple[int, str]:
    names = [str(part) for part in loc]
    keys = [part for part in loc if isinstance(part, str)]
    return block.line_of(keys[-1] if keys else ""), f"{'.'.join(names)}: {message}"


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
