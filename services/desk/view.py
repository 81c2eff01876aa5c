"""An alert as the page shows it: words for numbers, labelled times, links that may be followed.

Pure. Whatever a publisher wrote goes through ``shown``; Jinja escapes the rest.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from schemas.alert import Alert, AlertSource
from schemas.common import Timestamp
from services.desk.highlight import Quotation, quotations
from services.text.clean import visible
from services.text.times import moment

TEXT_CODE_POINTS_MAX = 1_000
"""As much of one text as a page shows: the longest title a story may have."""
URL_CODE_POINTS_MAX = 2_048
"""A longer link is not a link that anybody follows."""
QUOTATIONS_LISTED = 3
"""Quotations under an alert in the list; its own page has them all."""

SEVERITY_WORDS = {1: "archive", 2: "low", 3: "medium", 4: "high", 5: "urgent"}
KIND_SIGNS = {
    "opened": "＋",
    "updated": "↻",
    "corroborated": "✓✓",
    "denied": "✕",
    "revised": "Δ",
    "retracted": "⊘",
}
ARRIVAL_WORDS = {"late": "published more than 6 h before we saw it", "backfill": "from a feed's first poll"}
CONCEPT_WORDS = {
    "rus": "Russian side",
    "dprk": "North Korean side",
    "pair": "both sides",
    "leader_rus": "Russian side, by name",
    "leader_dprk": "North Korean side, by name",
    "personnel": "troops",
    "deny": "denial",
    "allege": "attribution",
    "confirm": "confirmation",
}

_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")


@dataclass(frozen=True, slots=True)
class When:
    """A moment for machines and for people."""

    iso: Timestamp
    short: str
    full: str


@dataclass(frozen=True, slots=True)
class Link:
    """Where a title leads: ``href`` None where it must not lead anywhere."""

    text: str
    href: str | None
    language: str | None
    host: str


@dataclass(frozen=True, slots=True)
class SourceView:
    """One story behind an alert."""

    outlet: str
    label: str | None
    role: str
    title: Link
    published: When | None
    seen: When


@dataclass(frozen=True, slots=True)
class QuotationView:
    """A quotation and who printed it."""

    quotation: Quotation
    outlet: str | None
    label: str | None
    language: str | None


@dataclass(frozen=True, slots=True)
class AlertView:
    """One alert, ready for the template; ``alert`` itself for what needs no care."""

    alert: Alert
    severity_word: str
    sign: str
    title: Link
    outlet: SourceView | None
    detected: When
    arrival: str | None
    counts: tuple[str, ...]
    headline: QuotationView | None
    """The quotation that is the headline itself: marked there, not said twice."""
    quotations: tuple[QuotationView, ...]
    sources: tuple[SourceView, ...]


def alert_view(alert: Alert, now: datetime) -> AlertView:
    """Return everything the page says of an alert.

    An alert's title names its outlet first; the page does so on a line of its own, so that the headline keeps its
    language and direction.
    """
    sources = tuple(_source(source, now) for source in alert.sources)
    lead = next((source for source in alert.sources if source.url == alert.headline_url), None)
    language = lead.language if lead else (alert.languages[0] if len(alert.languages) == 1 else None)
    title = lead.title if lead and lead.title and alert.title.endswith(lead.title) else alert.title
    quoted = _quotations(alert, lead)
    headline = next(
        (item for item in quoted if item.outlet is None and _is_whole(item.quotation, title)), None
    )
    return AlertView(
        alert=alert,
        severity_word=SEVERITY_WORDS[alert.severity],
        sign=KIND_SIGNS[alert.kind],
        title=link(title, alert.headline_url, language),
        outlet=_source(lead, now) if lead else None,
        detected=when(alert.detected_at, now),
        arrival=ARRIVAL_WORDS.get(alert.arrival),
        counts=counts(alert),
        headline=headline,
        quotations=tuple(item for item in quoted if item is not headline),
        sources=sources,
    )


def _is_whole(quotation: Quotation, title: str) -> bool:
    return quotation.field == "title" and "".join(part.text for part in quotation.segments) == title


def shown(text: object) -> str:
    """Return foreign text as it may stand on a page: no controls, no bidi overrides, no megabytes."""
    whole = str(text)
    cut = whole if len(whole) <= TEXT_CODE_POINTS_MAX else f"{whole[:TEXT_CODE_POINTS_MAX]}…"
    return visible(cut.encode("utf-8", "replace").decode())


def counts(alert: Alert) -> tuple[str, ...]:
    """Return how broad the storyline is, in words; bases first, what is nought left out."""
    numbers = alert.counts
    if numbers.outlets <= 1 and not numbers.copies:
        return ("single source",)
    parts = (
        (numbers.bases, "basis", "bases"),
        (numbers.origins, "origin", "origins"),
        (numbers.independent, "independent", "independent"),
        (numbers.copies, "copy", "copies"),
        (numbers.outlets, "outlet", "outlets"),
        (numbers.languages, "language", "languages"),
    )
    return tuple(f"{count:,} {one if count == 1 else many}" for count, one, many in parts if count)


def when(timestamp: Timestamp, now: datetime) -> When:
    """Return a moment with its zone in words; the year only where it is not this one."""
    at = moment(timestamp)
    day = f"{at.day} {at:%b}" if at.year == now.year else f"{at.day} {at:%b} {at.year}"
    return When(timestamp, f"{day} {at:%H:%M} UTC", f"{at:%A} {at.day} {at:%B %Y, %H:%M:%S} UTC")


def link(text: str, url: str, language: str | None) -> Link:
    """Return a title and where it leads: only http and https, without credentials."""
    href = url if _may_follow(url) else None
    return Link(shown(text) or "(no title)", href, _tag(language), _host(url) if href else "")


def concept_words(concept: str) -> str:
    """Return a concept's name for a reader: ``materiel.ammunition`` is "ammunition"."""
    name = CONCEPT_WORDS.get(concept, concept.rpartition(".")[2])
    return shown(name.replace("_", " "))


def _may_follow(url: str) -> bool:
    if len(url) > URL_CODE_POINTS_MAX or visible(url) != url or any(char.isspace() for char in url):
        return False
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:
        return False


def _host(url: str) -> str:
    """Return the host as DNS knows it: a name in mixed scripts cannot pass for another."""
    host = urlsplit(url).hostname or ""
    try:
        return host if host.isascii() else host.encode("idna").decode()
    except UnicodeError:
        return ascii(host)[1:-1]


def _source(source: AlertSource, now: datetime) -> SourceView:
    return SourceView(
        outlet=shown(source.name) or source.domain,
        label=shown(source.label) if source.label else None,
        role=source.role,
        title=link(source.title, source.url, source.language),
        published=when(source.published, now) if source.published else None,
        seen=when(source.first_seen, now),
    )


def _quotations(alert: Alert, lead: AlertSource | None) -> tuple[QuotationView, ...]:
    """Return the quotations; the outlet is named where it is not the one that the alert names anyway."""
    sources = {source.story_id: source for source in alert.sources}
    return tuple(
        _attributed(quotation, sources.get(quotation.story_id), lead)
        for quotation in quotations(alert.evidence)
    )


def _attributed(quotation: Quotation, source: AlertSource | None, lead: AlertSource | None) -> QuotationView:
    if source is None:
        return QuotationView(quotation, None, None, None)
    named = source is not lead
    return QuotationView(
        quotation,
        outlet=shown(source.name) if named else None,
        label=shown(source.label) if named and source.label else None,
        language=_tag(source.language),
    )


def _tag(language: str | None) -> str | None:
    """Return a language as the attribute ``lang`` may hold it."""
    return language if language and _LANGUAGE.fullmatch(language) else None
