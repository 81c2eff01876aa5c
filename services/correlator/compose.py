"""From a verdict and its storyline to what people read: the alert. Pure.

Nothing here states an allegation as a fact: an alert's title is its outlet's headline, and says so.
Publishers' text leaves as title, outlet, link and short quotations, nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from schemas.alert import Alert, AlertEvidence, AlertSource
from services.correlator import severity
from services.correlator.standing import event_time, outlet
from services.text.ids import stable_id
from services.text.quote import fits, quotation
from services.text.times import moment, stamp

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from schemas.claim import Claim, ClaimEvidence
    from schemas.story import StoryHead
    from schemas.storyline import Storyline
    from schemas.storyline_member import StorylineMember
    from schemas.verdict import Evidence, Verdict
    from services.correlator.news import News, Told

STATEMENT = "statement"
SOURCES_MAX = 20
STATEMENTS_MAX = 6
STATEMENTS_READ_MAX = 64
"""An article that repeats itself a thousand times is not read a thousand times."""
KEYS = 3
"""Russia, North Korea, arms: the three-key rule (DOMAIN.md 1.1)."""
REPEATED_MIN = 0.6
"""Part of a quotation's shingles that another one holds: above it they say the same."""
SHINGLE = 4
CUES_MAX = 50
"""Terms of one statement around which a quotation is tried."""
TERMS_MAX = 12
"""Term spans shown of one quotation: 25 words rarely hold more."""

NAMES = {
    "rus": "Russia",
    "dprk": "North Korea",
    "pair": "Russia and North Korea",
    "leader_rus": "a Russian official",
    "leader_dprk": "a North Korean official",
    "materiel.missile": "missiles",
    "materiel.ammunition": "ammunition",
    "materiel.artillery": "artillery",
    "materiel.arms": "arms",
    "materiel.vehicle": "armoured vehicles",
    "materiel.air_defence": "air defence",
    "materiel.aircraft": "combat aircraft",
    "materiel.drone": "drones",
    "personnel": "military personnel",
    "technology": "military technology",
    "logistics": "cargo, fuel or money",
    "sanction": "sanctions",
    "treaty": "a treaty or military ties",
}
"""What the evidence kinds that make a story an alert are called; places, stances and relations are left out."""


@dataclass(frozen=True, slots=True)
class Case:
    """All that an alert is made of."""

    verdict: Verdict
    story: StoryHead
    storyline: Storyline
    members: tuple[StorylineMember, ...]
    """Of the storyline, the origin first, then by time; the story's own among them."""


def alert(case: Case, news: News, told: Told | None, now: datetime) -> Alert:
    """Return the alert that tells this news."""
    verdict, story, storyline = case.verdict, case.story, case.storyline
    working = severity.parts(news.kind, verdict, story)
    return Alert(
        id=stable_id(storyline.id, news.kind, verdict.id, str(verdict.story_revision)),
        storyline_id=storyline.id,
        monitor=verdict.monitor,
        kind=news.kind,
        reason=news.reason,
        tier=verdict.tier,
        severity=severity.band(working),
        severity_parts=working,
        confidence=severity.confidence(verdict, story.source),
        title=f"{outlet(story.source)}: {story.title}",
        body=body(case),
        headline_url=story.url,
        languages=storyline.languages,
        counts=storyline.counts,
        sources=sources(case),
        claims=tuple(map(short_claim, verdict.claims)),
        evidence=quoted_evidence(verdict),
        entities=verdict.entities,
        changes=news.changes,
        arrival=story.arrival,
        created_at=event_time(story),
        detected_at=stamp(now),
        supersedes=told.alert_id if told else None,
        verdict_ids=(verdict.id,),
    )


def body(case: Case) -> str:
    """Return who published it and when, how many carry it, and why it was flagged: three sentences."""
    story, counts = case.story, case.storyline.counts
    label = f" ({story.source.label})" if story.source.label else ""
    seen = f"{moment(story.first_seen):%d %b %Y %H:%M} UTC"
    again = f", changed {moment(story.fetched_at):%d %b %H:%M} UTC" if story.revision > 1 else ""
    late = f", published {_days_or_hours(story)} earlier" if story.arrival == "late" else ""
    languages = ", ".join(case.storyline.languages)
    return (
        f"Published by {outlet(story.source)}{label}, first seen {seen}{late}{again}. "
        f"Carried by {_counted(counts.outlets, 'outlet')} in {_counted(counts.languages, 'language')}"
        f"{f' ({languages})' if languages else ''}. {why(case.verdict)}"
    )


def why(verdict: Verdict) -> str:
    """Return in one sentence what put the story on the list: what its first telling statement joins."""
    kinds = max(_kinds_by_statement(verdict), key=_tells, default=set())
    kinds -= {"pair"} if {"rus", "dprk"} <= kinds else set()
    named = [name for kind, name in NAMES.items() if kind in kinds]
    listed = _listed(named) if named else "the words quoted"
    denial = "; it contains a denial" if any(span.kind == "deny" for span in verdict.evidence) else ""
    return f"Flagged ({verdict.tier}) because one statement joins {listed}{denial}."


def _tells(kinds: set[str]) -> int:
    """Return how much a statement says: two parties and a thing are enough, so the first of those wins."""
    return min(len(kinds & NAMES.keys()), KEYS)


def _kinds_by_statement(verdict: Verdict) -> Iterator[set[str]]:
    """Yield the kinds of terms inside each statement."""
    terms = [span for span in verdict.evidence if span.kind != STATEMENT]
    for one in _statements(verdict):
        yield severity.kinds_of(term for term in terms if _inside(term, one.field, one.start, one.end))


def _statements(verdict: Verdict) -> list[Evidence]:
    """Return the statements that are looked at."""
    return [span for span in verdict.evidence if span.kind == STATEMENT][:STATEMENTS_READ_MAX]


def sources(case: Case) -> tuple[AlertSource, ...]:
    """Return the story that caused the alert, then the storyline's other members, newest first."""
    own = case.story.id
    others = (member for member in reversed(case.members) if member.story_id != own)
    ordered = [*(member for member in case.members if member.story_id == own), *others]
    return tuple(map(_alert_source, ordered[:SOURCES_MAX]))


def quoted_evidence(verdict: Verdict) -> tuple[AlertEvidence, ...]:
    """Return at most STATEMENTS_MAX quotations, none twice, each followed by the terms that lie in it.

    ``start`` and ``end`` stay those of the full span in the story's field, also where the quotation is cut.
    """
    terms = [span for span in verdict.evidence if span.kind != STATEMENT]
    shown: dict[str, list[AlertEvidence]] = {}
    for statement in _statements(verdict):
        inside = [term for term in terms if _inside(term, statement.field, statement.start, statement.end)]
        low, high, is_cut = _best_quotation(statement, inside)
        text = statement.text[low:high]
        if len(shown) == STATEMENTS_MAX or any(says_the_same(text, other) for other in shown):
            continue
        low, high = statement.start + low, statement.start + high
        kept = [term for term in inside if _inside(term, statement.field, low, high) and fits(term.text)]
        shown[text] = [
            _alert_evidence(statement, verdict, text, cut=is_cut),
            *(_alert_evidence(term, verdict, term.text) for term in kept[:TERMS_MAX]),
        ]
    return tuple(span for spans in shown.values() for span in spans)


def says_the_same(text: str, other: str) -> bool:
    """Whether a quotation repeats another: a lead often says its headline again, in nearly the same words."""
    own, known = _shingles(text), _shingles(other)
    return len(own & known) >= REPEATED_MIN * min(len(own), len(known))


def _shingles(text: str) -> set[str]:
    """Return the runs of four letters and digits: the same measure for every script."""
    letters = "".join(letter for letter in text.casefold() if letter.isalnum())
    return {letters[at : at + SHINGLE] for at in range(max(len(letters) - SHINGLE + 1, 1))}


def quotes(verdict: Verdict) -> tuple[str, ...]:
    """Return the statements as an alert quotes them."""
    return tuple(shown.text for shown in quoted_evidence(verdict) if shown.kind == STATEMENT)


def short_claim(claim: Claim) -> Claim:
    """Return a claim whose quotations are short enough to leave the system."""
    return claim.model_copy(update={"evidence": tuple(map(_short_claim_evidence, claim.evidence))})


def _alert_source(member: StorylineMember) -> AlertSource:
    return AlertSource(
        story_id=member.story_id,
        name=outlet(member.source),
        domain=member.source.domain,
        kind=member.source.kind,
        label=member.source.label,
        trust=member.source.trust,
        role=member.role,
        title=member.title,
        url=member.url,
        language=member.language,
        published=member.published,
        first_seen=member.first_seen,
    )


def _alert_evidence(span: Evidence, verdict: Verdict, text: str, *, cut: bool = False) -> AlertEvidence:
    return AlertEvidence(
        field=span.field,
        start=span.start,
        end=span.end,
        text=text,
        kind=span.kind,
        term=span.term,
        cut=cut or None,
        story_id=verdict.story_id,
    )


def _best_quotation(statement: Evidence, terms: Sequence[Evidence]) -> tuple[int, int, bool]:
    """Return the quotation, in the statement's own offsets, that shows the most kinds of terms; ties: the first."""
    cues = [(term.start, term.end) for term in terms[:CUES_MAX]] or [(statement.start, statement.start + 1)]
    around = [
        quotation(statement.text, 0, len(statement.text), low - statement.start, high - statement.start)
        for low, high in dict.fromkeys(cues)
    ]

    def kinds_shown(bounds: tuple[int, int, bool]) -> int:
        low, high = statement.start + bounds[0], statement.start + bounds[1]
        return len({term.kind for term in terms if low <= term.start and term.end <= high})

    return max(around, key=kinds_shown)


def _short_claim_evidence(evidence: ClaimEvidence) -> ClaimEvidence:
    low, high, is_cut = quotation(evidence.quote, 0, len(evidence.quote), 0, 1)
    return evidence.model_copy(update={"quote": evidence.quote[low:high], "cut": evidence.cut or is_cut})


def _inside(term: Evidence, field: str, start: int, end: int) -> bool:
    return term.field == field and start <= term.start and term.end <= end


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _days_or_hours(story: StoryHead) -> str:
    hours = int(
        (moment(story.first_seen) - moment(story.published or story.first_seen)).total_seconds() // 3600
    )
    return _counted(hours // 24, "day") if hours >= 48 else _counted(hours, "hour")  # noqa: PLR2004 - two days


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
