"""Fingerprint: all that grouping may know of a story's text."""

from __future__ import annotations

from schemas.common import Wire


class Fingerprint(Wire):
    """What of a text survives it: enough to tell copies, nothing to read."""

    title_key: str
    """Hash of the normalised title; empty where the title is too short to mean anything."""
    signature: tuple[int, ...] = ()
    """MinHash over three-grams of title, summary and text: equal places over all places estimates Jaccard."""
    paragraphs: tuple[str, ...] = ()
    length: int
    """Code points of title, summary and text."""
    agencies: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
