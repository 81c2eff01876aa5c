"""A record's headers as bytes: names and values that every message carries cost one byte each.

Layout, repeated per header: a code; for code 0 the name; unless the code stands for a whole header, the value.
Names and values are length-prefixed: one byte, or 255 and four bytes, big-endian.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from services.bus.ports import Headers

# Codes are positions and stand in databases: append, never reorder or remove.
WHOLE: Headers = (("content-type", b"application/json"), ("ce_specversion", b"1.0"))
NAMES = (
    "ce_id",
    "ce_type",
    "ce_source",
    "ce_time",
    "traceparent",
    "content-type",
    "ce_specversion",
    "dlq-original-topic",
    "dlq-original-partition",
    "dlq-original-offset",
    "dlq-original-timestamp",
    "dlq-group",
    "dlq-stage",
    "dlq-error-class",
    "dlq-error-message",
    "dlq-attempts",
    "dlq-version",
)
NAMED_FROM = 1
WHOLE_FROM = 200
LONG = 255

_CODE_OF_NAME = {name: bytes((code,)) for code, name in enumerate(NAMES, NAMED_FROM)}
_CODE_OF_WHOLE = {header: bytes((code,)) for code, header in enumerate(WHOLE, WHOLE_FROM)}
_LENGTHS = tuple(bytes((length,)) for length in range(LONG))


def pack(headers: Headers) -> bytes:
    """Return the headers as bytes, in order."""
    parts: list[bytes] = []
    for header in headers:
        whole = _CODE_OF_WHOLE.get(header)
        if whole is not None:
            parts.append(whole)
            continue
        name, value = header
        code = _CODE_OF_NAME.get(name)
        if code is None:
            encoded = name.encode()
            parts += (b"\0", _length(encoded), encoded)
        else:
            parts.append(code)
        parts += (_length(value), value)
    return b"".join(parts)


def unpack(data: bytes) -> Headers:
    """Return the headers that were packed."""
    headers: list[tuple[str, bytes]] = []
    at = 0
    while at < len(data):
        code = data[at]
        at += 1
        if code >= WHOLE_FROM:
            headers.append(WHOLE[code - WHOLE_FROM])
            continue
        if code:
            name = NAMES[code - NAMED_FROM]
        else:
            encoded, at = _field(data, at)
            name = encoded.decode()
        value, at = _field(data, at)
        headers.append((name, value))
    return tuple(headers)


def _length(data: bytes) -> bytes:
    size = len(data)
    return _LENGTHS[size] if size < LONG else b"\xff" + size.to_bytes(4, "big")


def _field(data: bytes, at: int) -> tuple[bytes, int]:
    size = data[at]
    at += 1
    if size == LONG:
        size = int.from_bytes(data[at : at + 4], "big")
        at += 4
    return data[at : at + size], at + size
