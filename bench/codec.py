"""A verdict to bytes and back: what every message of the pipeline costs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from time import perf_counter

from bench.figures import Figure
from schemas import Contribution, Evidence, ModelVersion, Source, StoryHead, Verdict
from schemas.claim import Claim, Claimant, ClaimEvidence, Materiel, Quantity
from schemas.common import Wire

ROUNDS = 5
CALLS = 4_000
ENCODE_DECODE_US_MAX = 20.0
STORY_TITLE = "Seoul's intelligence service says a thousand containers left the port for the east " * 11


def a_verdict() -> Verdict:
    """Return a verdict with two claims on a story of 2 KB."""
    zero = "0" * 32
    source = Source(name="Harbour Times", domain="harbour-times.example", kind="newspaper")
    story = StoryHead(
        id=zero,
        revision=1,
        change="new",
        arrival="live",
        feed_id=zero,
        source=source,
        guid="urn:harbour:1",
        url="https://www.harbour-times.example/2026/05/12/containers",
        canonical_url="https://www.harbour-times.example/2026/05/12/containers",
        title=STORY_TITLE,
        language="en",
        first_seen="2026-05-12T03:20:00.000Z",
        fetched_at="2026-05-12T03:20:00.000Z",
        published="2026-05-12T03:18:00.000Z",
        content_hash="a" * 64,
        body_sha256="b" * 64,
    )
    claims = tuple(_claim(name) for name in ("C1", "C2"))
    evidence = Evidence(field="title", start=0, end=40, text=STORY_TITLE[:40], kind="statement")
    return Verdict(
        id=zero,
        story_id=zero,
        model=ModelVersion(version="1", lexicon="1", weights="1"),
        flagged=True,
        score=0.91,
        threshold=0.5,
        tier="T1",
        language="en",
        evidence=(evidence,),
        claims=claims,
        breakdown=(Contribution(feature="three_keys", value=1.0, weight=2.0),),
        story=story,
    )


def _claim(name: str) -> Claim:
    return Claim(
        id=name,
        claim_type="MATERIEL_TRANSFER",
        direction="DPRK>RUS",
        status="ALLEGED",
        claimant=Claimant(name="the intelligence service", role="THIRD_PARTY_GOV", named=True),
        evidence=(ClaimEvidence(field="title", start=0, end=40, quote=STORY_TITLE[:40]),),
        materiel=(Materiel(cat="CARGO_UNKNOWN", surface="containers"),),
        quantity=Quantity(value=1000, op="=", unit="container", surface="a thousand containers"),
    )


def micros(work: Callable[[], object]) -> float:
    """Return the microseconds of one call: the best of a few rounds."""
    best = float("inf")
    for _ in range(ROUNDS):
        start = perf_counter()
        for _ in range(CALLS):
            work()
        best = min(best, (perf_counter() - start) / CALLS)
    return best * 1_000_000


def round_trip(message: Wire) -> Callable[[], object]:
    """Return a call that encodes and decodes a message."""
    model = type(message)
    return lambda: model.model_validate_json(message.to_json())


def main() -> Iterable[Figure]:
    """Measure, beside the standard library's json on the same bytes."""
    verdict = a_verdict()
    data = verdict.to_json()
    plain = json.loads(data)
    bare = micros(lambda: json.loads(json.dumps(plain)))
    yield Figure(
        f"verdict with two claims ({len(data):,} bytes): encode + decode",
        micros(round_trip(verdict)),
        "µs",
        bare=bare,
        target=ENCODE_DECODE_US_MAX,
        target_is="at most",
    )
