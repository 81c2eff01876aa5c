"""The storyline as it stands after a verdict on one of its members. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.storyline import MEMBERS_LATEST_MAX, Counts, MemberBrief, Storyline
from services.correlator import severity
from services.correlator.news import TIER_RANK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from schemas.story import Source, StoryHead
    from schemas.storyline_member import StorylineMember
    from schemas.verdict import Tier, Verdict

OUTLET_MAX = 200
"""Code points of an outlet's name."""


def event_time(story: StoryHead) -> str:
    """Return when this revision came to be known."""
    return story.first_seen if story.revision == 1 else story.fetched_at


def outlet(source: Source) -> str:
    """Return the outlet's name, or its domain where the feed list gives none."""
    return (source.name or source.domain)[:OUTLET_MAX]


def storyline_after(
    verdict: Verdict, story: StoryHead, members: Sequence[StorylineMember], before: Storyline | None
) -> Storyline:
    """Return the storyline with its members as they stand after a verdict on one of them."""
    tier, level = _standing(verdict, story, before)
    languages = tuple(dict.fromkeys(member.language for member in members if member.language))
    return Storyline(
        id=members[0].storyline_id,
        monitor=verdict.monitor,
        state=before.state if before else "open",
        merged_into=before.merged_into if before else None,
        opened_at=before.opened_at if before else event_time(story),
        updated_at=max(before.updated_at if before else "", event_time(story)),
        headline=members[0].title,
        tier=tier,
        severity=level,
        counts=counts(members, len(languages)),
        languages=languages,
        members_latest=latest(members),
        claims=before.claims if before else (),
        revision=before.revision + 1 if before else 1,
    )


def _standing(verdict: Verdict, story: StoryHead, before: Storyline | None) -> tuple[Tier, int]:
    """Return the highest tier and severity that any flagged revision of a member has had."""
    level = severity.band(severity.parts("opened", verdict, story))
    if before is None:
        return verdict.tier, level
    if not verdict.flagged:
        return before.tier, before.severity
    tier = max(before.tier, verdict.tier, key=lambda tier: TIER_RANK[tier])
    return tier, max(before.severity, level)


def counts(members: Sequence[StorylineMember], languages: int) -> Counts:
    """Return how broad the storyline is. Until claims are read, whoever is no copy counts as one basis."""
    roles = [member.role for member in members]
    own = roles.count("origin") + roles.count("independent")
    return Counts(
        bases=own,
        origins=own,
        independent=roles.count("independent"),
        copies=roles.count("copy") + roles.count("translation"),
        outlets=len({member.source.domain or member.source.name for member in members}),
        languages=languages,
    )


def latest(members: Sequence[StorylineMember]) -> tuple[MemberBrief, ...]:
    """Return the newest members that are no copies, newest first."""
    told = [member for member in reversed(members) if member.role not in {"copy", "translation"}]
    return tuple(_brief(member) for member in told[:MEMBERS_LATEST_MAX])


def _brief(member: StorylineMember) -> MemberBrief:
    return MemberBrief(
        story_id=member.story_id,
        source=outlet(member.source),
        label=member.source.label,
        language=member.language,
        title=member.title,
        url=member.url,
        first_seen=member.first_seen,
    )
