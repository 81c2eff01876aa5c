"""Builders of wire models: defaults for what a test does not care about; keywords for what it does.

Every builder takes any field of its model. Ids follow from a short ``name``, so that tests can say ``a_story("b")``.
"""

from __future__ import annotations

from typing import Any, Literal

from schemas import (
    Alert,
    Counts,
    Evidence,
    Feed,
    ModelVersion,
    SeverityParts,
    Source,
    Story,
    Subscriber,
    Verdict,
)
from schemas.common import Wire
from services.bus.ports import Record
from services.bus.topics import Topic
from services.text.fingerprint import fingerprint
from services.text.ids import stable_id

T0 = "2026-05-12T03:00:00.000Z"
STATEMENT = "Officials say North Korea shipped artillery shells to Russia by rail."
MODEL = ModelVersion(version="1", lexicon="1", weights="1")


def a_source(**fields: Any) -> Source:
    """Return a source."""
    return Source(**{"name": "Baltic Wire", "domain": "baltic.example", "kind": "agency", **fields})


def a_feed(name: str = "feed", **fields: Any) -> Feed:
    """Return a feed whose URL and id follow from the name."""
    url = fields.pop("url", f"https://{name}.example/feed.xml")
    return Feed(**{"id": stable_id(url), "url": url, "title": name.title(), "language": "en", **fields})


def a_story(name: str = "story", **fields: Any) -> Story:
    """Return a live story with a title of its own, a summary and no text."""
    url = fields.get("url", f"https://baltic.example/2026/{name}")
    seen = fields.get("first_seen", T0)
    defaults: dict[str, Any] = {
        "id": stable_id(name),
        "revision": 1,
        "change": "new",
        "arrival": "live",
        "feed_id": stable_id("feed"),
        "source": a_source(),
        "guid": name,
        "url": url,
        "canonical_url": url,
        "title": f"North Korea shipped shells to Russia, officials say ({name})",
        "summary": STATEMENT,
        "language": "en",
        "published": seen,
        "first_seen": seen,
        "fetched_at": seen,
        "content_hash": stable_id("content", name),
        "body_sha256": "0" * 64,
    }
    return Story(**{**defaults, **fields})


def evidence_in(
    text: str, field: Literal["title", "summary", "text"] = "summary", **kinds: str
) -> tuple[Evidence, ...]:
    """Return the statement evidence of a whole field and a term span of each ``kind="words"`` in it."""
    spans: list[dict[str, Any]] = [{"start": 0, "end": len(text), "text": text, "kind": "statement"}]
    for kind, term in kinds.items():
        start = text.index(term)
        named = kind.replace("__", ".")
        spans.append({"start": start, "end": start + len(term), "text": term, "kind": named, "term": term})
    return tuple(Evidence(field=field, **span) for span in spans)


def the_evidence() -> tuple[Evidence, ...]:
    """Return the evidence of STATEMENT."""
    return evidence_in(
        STATEMENT,
        dprk="North Korea",
        rus="Russia",
        transfer="shipped",
        materiel__ammunition="artillery shells",
    )


def a_verdict(story: Story | None = None, **fields: Any) -> Verdict:
    """Return the flagged verdict of a story, with its fingerprint and the evidence of STATEMENT."""
    story = story or a_story()
    defaults: dict[str, Any] = {
        "id": story.id,
        "story_id": story.id,
        "story_revision": story.revision,
        "model": MODEL,
        "flagged": True,
        "score": 0.9,
        "threshold": 0.5,
        "tier": "T1",
        "language": story.language,
        "evidence": the_evidence(),
        "fingerprint": fingerprint(story.title, story.summary, story.text),
        "story": story.head(),
    }
    return Verdict(**{**defaults, **fields})


def an_alert(name: str = "alert", **fields: Any) -> Alert:
    """Return an alert of high severity on a storyline of its own."""
    defaults: dict[str, Any] = {
        "id": stable_id("alert", name),
        "storyline_id": stable_id("storyline", name),
        "kind": "opened",
        "reason": "First story of this event",
        "tier": "T1",
        "severity": 4,
        "severity_parts": SeverityParts(novelty=25, authority=14, substance=12, scale=5),
        "confidence": 80,
        "title": f"Baltic Wire: shells by rail ({name})",
        "body": "Baltic Wire published this.",
        "headline_url": f"https://baltic.example/2026/{name}",
        "languages": ("en",),
        "counts": Counts(bases=1, origins=1, outlets=1, languages=1),
        "arrival": "live",
        "created_at": T0,
        "detected_at": T0,
        "verdict_ids": (stable_id(name),),
    }
    return Alert(**{**defaults, **fields})


def a_subscriber(name: str = "reader", **fields: Any) -> Subscriber:
    """Return a subscriber on the console who wants everything of severity 3 and more."""
    return Subscriber(**{"id": name, "channel": "console:", **fields})


def a_record(topic: Topic, model: Wire | None, *, key: str = "key", offset: int = 0) -> Record:
    """Return the record that holds a model (None: a tombstone)."""
    value = None if model is None else model.to_json()
    return Record(topic.name, 0, offset, key, value, (), 0)
