"""Which storyline does a story belong to, and as what? Pure.

For now two stories are one event when they share a canonical URL or a normalised title, and were seen within
FOURTEEN_DAYS of each other. Whoever joins that way is a copy of the storyline's origin.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol, TypeAlias
from urllib.parse import urlsplit

from services.text.fingerprint import similarity
from services.text.ids import stable_id
from services.text.times import moment
from services.text.urls import canonical_url

if TYPE_CHECKING:
    from collections.abc import Iterable

    from schemas.fingerprint import Fingerprint
    from schemas.story import StoryHead
    from schemas.storyline_member import Role, StorylineMember

FOURTEEN_DAYS = timedelta(days=14)
"""As long as stories are kept; the same headline a month later is another event."""


@dataclass(frozen=True, slots=True)
class Open:
    """The story is the first of a new storyline."""

    storyline_id: str
    role: Role = "origin"


@dataclass(frozen=True, slots=True)
class Join:
    """The story belongs to a storyline that is there already."""

    storyline_id: str
    role: Role
    copy_of: str
    similarity: float


Placement: TypeAlias = Open | Join


class Members(Protocol):
    """Finds members by what a later story may share with them."""

    def with_url(self, url: str) -> Iterable[StorylineMember]:
        """Return the recent members with this canonical URL."""

    def with_title(self, title_key: str) -> Iterable[StorylineMember]:
        """Return the recent members with this title key."""


def place(story: StoryHead, print_: Fingerprint, members: Members, monitor: str) -> Placement:
    """Return the storyline that the story joins or opens."""
    like = _like(story, print_, members)
    if like is None:
        return Open(stable_id(monitor, story.id))
    return Join(
        like.storyline_id,
        role="copy",
        copy_of=like.copy_of or like.story_id,
        similarity=round(similarity(print_, like.fingerprint), 3),
    )


def article_url(url: str) -> str | None:
    """Return the canonical URL that stands for an article; None for a bare home page, which stands for none."""
    canonical = canonical_url(url)
    try:
        parts = urlsplit(canonical)
    except ValueError:
        return canonical or None
    return canonical if parts.path.strip("/") or parts.query else None


def _like(story: StoryHead, print_: Fingerprint, members: Members) -> StorylineMember | None:
    """Return the newest member that the story repeats, by URL before title."""
    urls = filter(None, (article_url(story.canonical_url), article_url(story.final_url or "")))
    candidates = [members.with_url(url) for url in urls]
    candidates += [members.with_title(print_.title_key)] if print_.title_key else []
    for found in candidates:
        near = [member for member in found if _near(story.first_seen, member.first_seen)]
        if near:
            return max(near, key=lambda member: (member.first_seen, member.story_id))
    return None


def _near(one: str, other: str) -> bool:
    return abs(moment(one) - moment(other)) <= FOURTEEN_DAYS
