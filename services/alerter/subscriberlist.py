"""Subscriber lists in TOML: the good entries, and a line for each fault: file, line, what.

A fault in one entry costs that entry; an unknown key costs nothing but a warning; a syntax error costs the entry it
stands in. Secrets and channels that tumen does not have are refused: `tumen subscribers import` then imports nothing.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from pydantic import ValidationError

from schemas.subscriber import Match, Subscriber
from services.bus.codec import encode, tombstone
from services.bus.ports import Message
from services.bus.topics import SUBSCRIBERS
from services.text.tables import Block, NotToml, Problem, blocks

SOURCE = "subscribers"
CHANNELS = ("console", "https", "http")
"""The schemes of channels that there are."""
NOT_YET = frozenset({"group_wait", "group_interval", "repeat_interval", "digest", "quiet_hours"})
"""Keys of the contract that this version stores and does nothing with: whoever sets one is told."""
NO_SECRETS = "a secret never stands in a list; write secret_ref = env:NAME or file:PATH"
_CHANNEL = re.compile(r"([a-z][a-z0-9+.-]*):")
_SECRET_REF = re.compile(r"(?:env|file):.+")
_SECRET_NAME = re.compile(r"secret|token|passw|signature|api_?key|^key$|^sig$|^auth", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SubscriberList:
    """What a file holds."""

    subscribers: tuple[Subscriber, ...]
    problems: tuple[Problem, ...]
    refusals: tuple[Problem, ...] = ()
    """Those of the problems for which an import takes nothing of the list."""


class Fault(NamedTuple):
    """What is wrong with an entry: the key at fault, inside which keys it stands, and what."""

    keys: tuple[str, ...]
    what: str
    refused: bool = False

    def __str__(self) -> str:
        """Return both, as a line ends."""
        return f"{'.'.join(self.keys)}: {self.what}"


def read_subscribers(data: bytes, file: str) -> SubscriberList:
    """Return the subscribers of a TOML list and what is wrong with the rest."""
    text = data.decode("utf-8-sig", "replace")
    subscribers: dict[str, Subscriber] = {}
    problems: list[Problem] = []
    refusals: list[Problem] = []
    for block in blocks(text, "subscribers"):
        found, faults = _read_block(block)
        for line, what, refused in faults:
            problems.append(Problem(file, line, what))
            refusals += problems[-1:] if refused else []
        if found is not None and found.id in subscribers:
            problems.append(
                Problem(file, block.line, f"id: {found.id!r} is there already; this one is not used")
            )
        elif found is not None:
            subscribers[found.id] = found
    if not subscribers and not problems:
        problems.append(Problem(file, 1, "no [[subscribers]] in this file"))
    return SubscriberList(tuple(subscribers.values()), tuple(problems), tuple(refusals))


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


def read_subscriber(entry: Mapping[str, Any]) -> Subscriber | tuple[Fault, ...]:
    """Return the subscriber of known keys and their values, or what is wrong with them."""
    if fault := _fault(entry):
        return (fault,)
    try:
        return Subscriber.model_validate(entry)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        return tuple(Fault(tuple(map(str, one["loc"])), one["msg"]) for one in found)


_Line = tuple[int, str, bool]
"""Line, what is wrong there, and whether the list is refused for it."""


def _read_block(block: Block) -> tuple[Subscriber | None, list[_Line]]:
    """Return a block's subscriber, if it is one, and its faults with their lines in the file."""
    try:
        table = block.read()
    except NotToml as error:
        return None, [(error.line, error.what, False)]
    entries = table.pop("subscribers", [])
    faults = [_unknown(block, key, "") for key in table]
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        return None, [*faults, (block.line, "write [[subscribers]], one for each subscriber", False)]
    if not entries:
        return None, faults
    subscriber, found_faults = _read_entry(block, entries[0])
    return subscriber, faults + found_faults


def _read_entry(block: Block, entry: Mapping[str, Any]) -> tuple[Subscriber | None, list[_Line]]:
    match = entry.get("match", {})
    unknown = [key for key in entry if key not in Subscriber.model_fields or key in {"schema", "schema_"}]
    if isinstance(match, dict):
        unknown += [key for key in match if key not in Match.model_fields]
    lines = [_unknown(block, key, ": ignored") for key in unknown]
    lines += [
        (block.line_of(key), f"{key}: kept, not acted on yet", False) for key in entry if key in NOT_YET
    ]
    found = read_subscriber({key: value for key, value in entry.items() if key not in unknown})
    if isinstance(found, Subscriber):
        return (None if any(refused for _, _, refused in lines) else found), lines
    return None, lines + [(_line_of(block, fault), str(fault), fault.refused) for fault in found]


def _unknown(block: Block, key: str, cost: str) -> _Line:
    """Name a key that is none of ours; one that is called like a secret is taken for one, and not repeated."""
    if _SECRET_NAME.search(key):
        return block.line_of(key), f"{key}: {NO_SECRETS}", True
    return block.line_of(key), f"unknown key {key!r}{cost}", False


def _line_of(block: Block, fault: Fault) -> int:
    """Return the line of the innermost key that has a name (an index has none)."""
    keys = [key for key in fault.keys if not key.isdecimal()]
    return block.line_of(keys[-1] if keys else "")


def _fault(entry: Mapping[str, Any]) -> Fault | None:
    """Return the fault that the model cannot see; values that may hold a secret are not repeated."""
    channel, reference = entry.get("channel"), entry.get("secret_ref")
    if isinstance(channel, str) and (what := _channel_fault(channel)):
        return Fault(("channel",), what, refused=True)
    if isinstance(channel, str) and "{secret}" in channel and reference is None:
        return Fault(("channel",), "{secret} needs a secret_ref")
    if isinstance(reference, str) and not _SECRET_REF.fullmatch(reference):
        return Fault(("secret_ref",), "write env:NAME or file:PATH, never the secret itself", refused=True)
    return None


def _channel_fault(channel: str) -> str | None:
    found = _CHANNEL.match(channel)
    if not found:
        return "not a URL (write console: or https://…)"
    if _holds_credentials(channel):
        return "credentials in a URL are refused; write {secret} and secret_ref"
    if found[1] not in CHANNELS:
        return f"there is no channel {found[1][:40]}: (write console: or https://…)"
    if found[1] != CHANNELS[0] and not _has_host(channel):
        return f"not a URL (write {found[1]}://HOST/…)"
    return None


def _has_host(url: str) -> bool:
    try:
        return bool(urlsplit(url).hostname)
    except ValueError:
        return False


def _holds_credentials(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    if parts.netloc.rpartition("@")[0].replace("{secret}", ""):
        return True
    parameters = parse_qsl(parts.query)
    return any(_SECRET_NAME.search(name) and "{secret}" not in value for name, value in parameters)
