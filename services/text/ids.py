"""Deterministic ids: what a thing is, hashed; the same thing gets the same id on every run."""

from __future__ import annotations

import hashlib

ID_HEX_DIGITS = 32


def stable_id(*parts: str) -> str:
    """Return the first 32 hex digits of SHA-256 over the length-prefixed UTF-8 parts.

    Length prefixes keep ("ab", "c") apart from ("a", "bc"). Lone surrogates are hashed as they are.
    """
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "big"))
        digest.update(data)
    return digest.hexdigest()[:ID_HEX_DIGITS]
