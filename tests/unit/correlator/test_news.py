"""Every verdict is either news of a kind or silence with a name."""

from __future__ import annotations

from typing import Any

import pytest

from schemas import StorylineMember
from services.correlator.news import CHANGES_MAX, OPENED, Finding, News, NoNews, Told, find_news
from services.text.fingerprint import fingerprint
from services.text.ids import stable_id
from tests.builders import a_story, a_verdict

STORY = stable_id("story")
TOLD = Told(stable_id("alert"), "T2", {STORY: "Old title"}, {STORY: ("old words",)})


def a_member(**fields: Any) -> StorylineMember:
    """Return the origin of a storyline."""
    story = a_story()
    defaults = {
        "id": story.id,
        "story_id": story.id,
        "storyline_id": stable_id("line"),
        "role": "origin",
        "source": story.source,
        "url": story.url,
        "title": "Old title",
        "first_seen": story.first_seen,
        "fingerprint": fingerprint(story.title, "", None),
    }
    return StorylineMember.model_validate({**defaults, **fields})


def found(
    told: Told | None = TOLD,
    *,
    known: bool = True,
    title: str = "Old title",
    role: str = "origin",
    quotes: tuple[str, ...] = ("old words",),
    story: dict[str, Any] | None = None,
    **verdict: Any,
) -> Finding:
    """Return what is found of a verdict on a story that was told, unless said otherwise."""
    told_story = a_story(**{"revision": 2, "change": "major", **(story or {})})
    member = a_member(title=title, role=role)
    return find_news(
        told, member if known else None, member, a_verdict(told_story, **{"tier": "T2", **verdict}), quotes
    )


@pytest.mark.parametrize(
    ("case", "finding"),
    [
        ({"known": False, "told": None}, OPENED),
        ({"known": False, "told": None, "story": {"arrival": "late"}}, OPENED),
        ({"known": False, "told": None, "story": {"arrival": "backfill"}}, NoNews("backfill_not_pushed")),
        ({"told": None}, NoNews("backfill_not_pushed")),
        ({"known": False, "role": "copy"}, NoNews("copy_not_told")),
        ({"flagged": False}, NoNews("story_unmatched")),
        ({}, NoNews()),
        ({"title": "New title", "story": {"change": "minor"}}, NoNews()),
        ({"tier": "T3"}, NoNews()),
        ({"tier": "T1"}, News("updated", "Tier rose from T2 to T1")),
        ({"told": Told(STORY, "T2", {}, {}), "title": "New title"}, NoNews()),
    ],
)
def test_each_case_has_its_finding(case: dict[str, Any], finding: Finding) -> None:
    """Backfill, copies, small changes and stories that stop matching are silent; each says why."""
    assert found(**case) == finding


def test_changes_stand_beside_what_was_told() -> None:
    """Title first, then the quotations that went and came, in pairs."""
    news = found(title="New title", quotes=("new words", "more words"))
    assert isinstance(news, News)
    assert news.reason == "The publisher changed the title"
    assert [(one.what, one.before, one.after) for one in news.changes] == [
        ("title", "Old title", "New title"),
        ("evidence", "old words", "new words"),
        ("evidence", None, "more words"),
    ]


def test_an_article_written_anew_is_not_told_whole() -> None:
    """At most CHANGES_MAX changes, whatever was rewritten."""
    news = found(quotes=tuple(f"words {number}" for number in range(50)))
    assert isinstance(news, News)
    assert len(news.changes) == CHANGES_MAX
