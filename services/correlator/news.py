"""What of this is new to a subscriber, if anything? Pure; every silence has a name."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, TypeAlias

from schemas.alert import Alert, AlertChange, AlertKind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from schemas.storyline_member import StorylineMember
    from schemas.verdict import Tier, Verdict

TIER_RANK: dict[Tier, int] = {"T0": 0, "T3": 1, "T2": 2, "T1": 3}
CHANGES_MAX = 6
"""Each holds two quotations: more is reading the article here."""


@dataclass(frozen=True, slots=True)
class Told:
    """What the last alert on a storyline said."""

    alert_id: str
    tier: Tier
    titles: Mapping[str, str]
    """By story id."""
    quotes: Mapping[str, tuple[str, ...]]
    """Statements as quoted, by story id."""


@dataclass(frozen=True, slots=True)
class News:
    """Subscribers must hear this."""

    kind: AlertKind
    reason: str
    changes: tuple[AlertChange, ...] = ()


@dataclass(frozen=True, slots=True)
class NoNews:
    """They need not; ``reason`` is a name in the table of skips, or "" where silence is the ordinary case."""

    reason: str = ""


Finding: TypeAlias = News | NoNews

OPENED = News("opened", "First story of this event")


def told_by(alert: Alert) -> Told:
    """Return what an alert said, as later revisions are compared with it."""
    quotes: dict[str, tuple[str, ...]] = {}
    for evidence in alert.evidence:
        if evidence.kind == "statement":
            quotes[evidence.story_id] = (*quotes.get(evidence.story_id, ()), evidence.text)
    titles = {source.story_id: source.title for source in alert.sources}
    return Told(alert.id, alert.tier, titles, quotes)


def find_news(
    told: Told | None,
    before: StorylineMember | None,
    member: StorylineMember,
    verdict: Verdict,
    quotes: Sequence[str],
) -> Finding:
    """Return the alert that a verdict deserves. ``before``: the story's place until now, None for a new one.

    A storyline that opened with backfill has told nobody anything: its copies and revisions are no news either.
    """
    story = verdict.story
    if not verdict.flagged:
        return NoNews("story_unmatched")
    if story is None or story.arrival == "backfill":
        return NoNews("backfill_not_pushed")
    if member.role == "copy":
        return NoNews("copy_not_told")
    if before is None:
        return OPENED
    return _revision(told, member, verdict, quotes) if told else NoNews("backfill_not_pushed")


def _revision(told: Told, member: StorylineMember, verdict: Verdict, quotes: Sequence[str]) -> Finding:
    """Return what a later revision of a story that was told changes."""
    changes = _changes(told, member, quotes)
    if TIER_RANK[verdict.tier] > TIER_RANK[told.tier]:
        return News("updated", f"Tier rose from {told.tier} to {verdict.tier}", changes)
    if verdict.story and verdict.story.change == "major" and changes:
        return News("updated", f"The publisher changed the {changes[0].what}", changes)
    return NoNews()


def _changes(told: Told, member: StorylineMember, quotes: Sequence[str]) -> tuple[AlertChange, ...]:
    """Return what the story says differently from what was told of it."""
    if member.story_id not in told.titles:
        return ()
    changes = []
    if (title := told.titles[member.story_id]) != member.title:
        changes.append(AlertChange(what="title", before=title, after=member.title))
    quoted = told.quotes.get(member.story_id, ())
    gone = [quote for quote in quoted if quote not in quotes]
    come = [quote for quote in quotes if quote not in quoted]
    changes += [AlertChange(what="evidence", before=old, after=new) for old, new in zip_longest(gone, come)]
    return tuple(changes[:CHANGES_MAX])
