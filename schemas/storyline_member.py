"""StorylineMember: a story's place in a storyline."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from schemas.common import Id, Timestamp, Wire
from schemas.fingerprint import Fingerprint
from schemas.story import Source

Role = Literal["origin", "copy", "independent", "followup", "translation"]


class StorylineMember(Wire):
    """A story's place in a storyline; ``copy_of`` is the non-copy it descends from."""

    schema_: Literal["storyline-member/1"] = Field("storyline-member/1", alias="schema")
    id: Id
    """The story's id."""
    story_id: Id
    story_revision: Annotated[int, Field(ge=1)] = 1
    """Newest revision heard: an older or equal one that comes again changes nothing."""
    storyline_id: Id
    role: Role
    copy_of: Id | None = None
    similarity: float | None = None
    source: Source
    url: str
    title: str
    language: str | None = None
    published: Timestamp | None = None
    first_seen: Timestamp
    fingerprint: Fingerprint
