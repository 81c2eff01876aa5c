"""Feedback: a person's word on an alert, a storyline or a story."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from schemas.common import Id, Timestamp, Wire

FeedbackKind = Literal[
    "ack",
    "unack",
    "relevant",
    "not_relevant",
    "wrong_direction",
    "wrong_status",
    "wrong_claimant",
    "wrong_grouping",
    "missed",
]


class Feedback(Wire):
    """A person's word; append-only."""

    schema_: Literal["feedback/1"] = Field("feedback/1", alias="schema")
    id: Id
    kind: FeedbackKind
    alert_id: Id | None = None
    storyline_id: Id | None = None
    story_id: Id | None = None
    claim_id: str | None = None
    note: str | None = None
    author: str
    at: Timestamp
