"""Two stories are one event when they share an address or a headline, and not otherwise."""

from __future__ import annotations

import pytest

from schemas import StorylineMember
from services.correlator.group import Join, Open, article_url, place
from services.correlator.memory import Memory
from services.text.fingerprint import fingerprint
from services.text.ids import stable_id
from tests.builders import a_story

MONITOR = "russia-dprk-arms"


def a_member(name: str = "first", **fields: object) -> StorylineMember:
    """Return the member that a story of this name became."""
    story = a_story(name)
    defaults = {
        "id": story.id,
        "story_id": story.id,
        "storyline_id": stable_id(MONITOR, story.id),
        "role": "origin",
        "source": story.source,
        "url": story.url,
        "title": story.title,
        "first_seen": story.first_seen,
        "fingerprint": fingerprint(story.title, story.summary, story.text),
    }
    return StorylineMember.model_validate({**defaults, **fields})


def holding(*members: StorylineMember) -> Memory:
    """Return a memory of these members."""
    memory = Memory()
    for member in members:
        memory.put(member)
    return memory


def placed(memory: Memory, name: str = "second", **fields: object) -> Open | Join:
    """Return where a story goes."""
    story = a_story(name, **fields)
    return place(story, fingerprint(story.title, story.summary, None), memory, MONITOR)


def test_a_story_like_no_other_opens_a_storyline_of_its_own() -> None:
    """Its id follows from the story, so that a replay opens the same one."""
    assert placed(holding(a_member())) == Open(stable_id(MONITOR, stable_id("second")))


@pytest.mark.parametrize(
    "fields",
    [
        {"canonical_url": "https://baltic.example/2026/first"},
        {"final_url": "https://baltic.example/2026/first"},
        {"title": "NORTH KOREA SHIPPED SHELLS TO RUSSIA, officials say (first) - Harbour Times"},
    ],
)
def test_a_reprint_joins_as_a_copy(fields: dict[str, str]) -> None:
    """The same address, at the end of a redirect too, or the same headline."""
    found = placed(holding(a_member()), **fields)
    assert isinstance(found, Join)
    assert (found.role, found.copy_of) == ("copy", stable_id("first"))
    assert found.similarity > 0.5


def test_a_copy_of_a_copy_descends_from_the_origin() -> None:
    """``copy_of`` always names a story that is no copy."""
    copy = a_member("copy", role="copy", copy_of=stable_id("first"), storyline_id=a_member().storyline_id)
    found = placed(holding(a_member(), copy), canonical_url="https://baltic.example/2026/copy")
    assert found == Join(a_member().storyline_id, "copy", stable_id("first"), found.similarity)  # type: ignore[union-attr]


def test_a_headline_comes_again_after_a_month_as_another_event() -> None:
    """Fourteen days and no longer."""
    title = a_member().title
    assert isinstance(placed(holding(a_member()), title=title, first_seen="2026-05-26T03:00:00.000Z"), Join)
    assert isinstance(placed(holding(a_member()), title=title, first_seen="2026-05-26T03:00:01.000Z"), Open)


def test_a_member_past_fourteen_days_stays_but_is_not_found_again() -> None:
    """The index and the signature go once, the storyline keeps its member; another day of news changes nothing."""
    memory = Memory()
    for name, day in (("first", "12"), ("second", "28"), ("third", "30")):
        draft = memory.draft()
        draft.put(a_member(name, first_seen=f"2026-05-{day}T03:00:00.000Z"))
        memory.absorb(draft)
    (kept,) = memory.of(a_member().storyline_id)
    assert (kept.title, kept.fingerprint.signature) == (a_member().title, ())
    assert list(memory.with_url(a_member().url)) == []
    assert [member.story_id for member in memory.with_url(a_member("second").url)] == [stable_id("second")]


def test_a_home_page_joins_nothing() -> None:
    """Feeds that link every entry to the front page are not one event."""
    assert article_url("https://baltic.example/") is None
    assert article_url("https://baltic.example/?p=1") is not None
    assert article_url("") is None
    assert article_url("http://[not an address") == "http://[not an address"
    home = {"url": "https://baltic.example/", "canonical_url": "https://baltic.example/"}
    assert isinstance(placed(holding(a_member(url="https://baltic.example/")), **home), Open)


def test_a_title_that_was_changed_is_not_found_under_its_old_words() -> None:
    """The index may remember old keys; only what a member says now counts."""
    memory = holding(a_member())
    story = a_story("first", title="Something else was corrected here entirely")
    memory.put(a_member(title=story.title, fingerprint=fingerprint(story.title, "", None)))
    assert isinstance(placed(memory, title=a_member().title), Open)
