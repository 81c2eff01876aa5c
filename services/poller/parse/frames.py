"""What poller and parser say to each other: length-prefixed frames, JSON inside. No pickles from a hostile process."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson

from services.poller.model import Document, Entry

if TYPE_CHECKING:
    from typing import BinaryIO

LENGTH_BYTES = 4
FRAME_MAX = 64 * 1024 * 1024
"""Bytes: eight times the largest body, for what escapes and repeated fields add."""


def frame(payload: bytes) -> bytes:
    """Return a payload behind its length."""
    return len(payload).to_bytes(LENGTH_BYTES, "big") + payload


def read_frame(stream: BinaryIO) -> bytes | None:
    """Return the next payload, or None at the end of the stream."""
    head = stream.read(LENGTH_BYTES)
    if len(head) < LENGTH_BYTES:
        return None
    length = int.from_bytes(head, "big")
    payload = stream.read(length)
    return payload if len(payload) == length else None


def pack_request(url: str, content_type: str) -> bytes:
    """Return the frame payload that goes before a body."""
    return orjson.dumps([url, content_type])


def unpack_request(payload: bytes) -> tuple[str, str]:
    """Return url and content type."""
    url, content_type = orjson.loads(payload)
    return url, content_type


def pack_document(document: Document) -> bytes:
    """Return a document as JSON."""
    return orjson.dumps(document, default=_seconds)


def _seconds(value: Any) -> float:
    if isinstance(value, timedelta):
        return value.total_seconds()
    raise TypeError


def unpack_document(payload: bytes) -> Document:
    """Return the document of a JSON payload; ValueError, KeyError or TypeError if it is none."""
    fields = orjson.loads(payload)
    entries = tuple(_entry(entry) for entry in fields.pop("entries"))
    asks = fields.pop("asks")
    warnings = tuple(fields.pop("warnings"))
    wait = None if asks is None else timedelta(seconds=asks)
    return Document(**fields, entries=entries, asks=wait, warnings=warnings)


def _entry(fields: dict[str, Any]) -> Entry:
    published = fields.pop("published")
    authors, truncated = tuple(fields.pop("authors")), tuple(fields.pop("truncated"))
    moment = None if published is None else datetime.fromisoformat(published)
    return Entry(**fields, published=moment, authors=authors, truncated=truncated)
