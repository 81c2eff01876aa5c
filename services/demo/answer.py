"""How a server answers: validators and 304s (RFC 9110), compression, error pages. Pure."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping
from datetime import datetime
from email.utils import format_datetime, parsedate_to_datetime

from services.demo.model import Answer, DemoFeed

GZIP_BLOCK_BYTES = 0xFFFF
"""The largest stored block of deflate."""


def validators_of(feed: DemoFeed, body: bytes, changed: datetime) -> tuple[tuple[str, str], ...]:
    """Return the headers that let a client ask again cheaply, as far as this server has them."""
    headers = []
    if feed.validators in ("etag", "both"):
        mark = hashlib.sha256(body).hexdigest()[:20]
        headers.append(("ETag", f'W/"{mark}"' if feed.gzip else f'"{mark}"'))
    if feed.validators in ("last-modified", "both"):
        headers.append(("Last-Modified", format_datetime(changed, usegmt=True)))
    if feed.max_age_s is not None:
        headers.append(("Cache-Control", f"public, max-age={feed.max_age_s}"))
    return tuple(headers)


def conditional(answer: Answer, asked: Mapping[str, str]) -> Answer:
    """Return 304 where the client already holds what it would get (RFC 9110, 13.2.2: If-None-Match goes first)."""
    given = {name.lower(): value for name, value in answer.headers}
    if answer.status != 200 or not _fresh(given, asked):  # noqa: PLR2004 - HTTP OK
        return answer
    kept = tuple(pair for pair in answer.headers if pair[0] != "Content-Type")
    return Answer(304, kept)


def _fresh(given: Mapping[str, str], asked: Mapping[str, str]) -> bool:
    """Return whether the client's validators still fit."""
    if "if-none-match" in asked:
        wanted = {tag.strip().removeprefix("W/") for tag in asked["if-none-match"].split(",")}
        return "etag" in given and (given["etag"].removeprefix("W/") in wanted or "*" in wanted)
    if "if-modified-since" not in asked or "last-modified" not in given:
        return False
    try:
        since = parsedate_to_datetime(asked["if-modified-since"])
    except ValueError:
        return False
    if since.tzinfo is None:
        return False
    return parsedate_to_datetime(given["last-modified"]) <= since


def encoded(feed: DemoFeed, answer: Answer, asked: Mapping[str, str]) -> Answer:
    """Return the answer compressed, where the server can and the client asked for it."""
    if not feed.gzip or not answer.body or "gzip" not in asked.get("accept-encoding", ""):
        return answer
    return Answer(answer.status, (*answer.headers, ("Content-Encoding", "gzip")), stored_gzip(answer.body))


def stored_gzip(data: bytes) -> bytes:
    """Return ``data`` as gzip in stored blocks: its bytes do not depend on the zlib that happens to be installed."""
    blocks = [data[i : i + GZIP_BLOCK_BYTES] for i in range(0, len(data), GZIP_BLOCK_BYTES)] or [b""]
    out = [b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"]
    for number, block in enumerate(blocks, 1):
        size = len(block)
        last = b"\x01" if number == len(blocks) else b"\x00"
        out += [last, size.to_bytes(2, "little"), (size ^ 0xFFFF).to_bytes(2, "little"), block]
    out += [zlib.crc32(data).to_bytes(4, "little"), (len(data) & 0xFFFFFFFF).to_bytes(4, "little")]
    return b"".join(out)


def error_page(status: int, text: str, *, retry_after_s: int | None = None) -> Answer:
    """Return a short error page."""
    headers = [("Content-Type", "text/html; charset=utf-8")]
    if retry_after_s is not None:
        headers.append(("Retry-After", str(retry_after_s)))
    return Answer(status, tuple(headers), f"<html><body><h1>{status} {text}</h1></body></html>\n".encode())
