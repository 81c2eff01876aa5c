"""Decide: two state machines, told as stories of a feed."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from schemas import FeedSeen, FeedState, Story
from services.poller.content import REVISIONS_MAX
from services.poller.decide import Decision, decide
from services.poller.model import (
    Document,
    Entry,
    Fetched,
    FetchFailed,
    NotModified,
    Outcome,
    PollerSettings,
    Response,
)
from tests.builders import a_feed

T0 = datetime(2026, 5, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
SETTINGS = PollerSettings()
FEED = a_feed(label="state media RU", country="RU")


def an_entry(name: str, **fields: Any) -> Entry:
    """Return an entry whose guid, link and title follow from its name."""
    defaults = {"guid": name, "url": f"https://feed.example/{name}", "title": f"Title of {name}"}
    return Entry(**{**defaults, **fields})


def a_document(*entries: Entry, **fields: Any) -> Document:
    """Return a good RSS document."""
    return Document(**{"format": "rss", "entries": entries, **fields})


def fetched(*entries: Entry, etag: str | None = '"1"', redirects: Any = (), **fields: Any) -> Fetched:
    """Return 200 with these entries."""
    document = a_document(*entries, **fields)
    headers = (("ETag", etag),) if etag else ()
    return Fetched(Response(FEED.url, 200, headers, b"x", redirects), f"sha of {document!r}"[:64], document)


def http(status: int, **headers: str) -> FetchFailed:
    """Return an error status."""
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return FetchFailed("http_error", f"HTTP {status}", Response(FEED.url, status, named))


@dataclass
class Life:
    """A feed over time: each poll moves its state as the poller would."""

    state: FeedState | None = None
    seen: FeedSeen | None = None
    told: list[str] = field(default_factory=list)

    def poll(self, outcome: Outcome, at: datetime) -> Decision:
        """Decide and adopt."""
        decision = decide(FEED, self.state, self.seen, outcome, at, SETTINGS)
        self.state, self.seen = decision.state, decision.seen or self.seen
        self.told += [event.kind for event in decision.events]
        return decision

    def stories(self, outcome: Outcome, at: datetime) -> list[Story]:
        """Poll and return the stories."""
        return list(self.poll(outcome, at).stories)


def started(*entries: Entry) -> Life:
    """Return a feed whose first good poll was at T0."""
    life = Life()
    life.poll(fetched(*(entries or (an_entry("old"),))), T0)
    return life


def test_what_a_feed_holds_at_first_is_backfill() -> None:
    """Two years of entries, imported today, are filed and never pushed."""
    entries = [an_entry(f"e{n}", published=T0 - timedelta(days=n)) for n in range(700)]
    stories = Life().stories(fetched(*entries), T0)
    assert len(stories) == 700
    assert {story.arrival for story in stories} == {"backfill"}
    assert [story.published for story in stories] == sorted(story.published or "" for story in stories)


def test_what_comes_later_is_live_once() -> None:
    """New entries are live; the same document again says nothing and writes no seen-set."""
    life = started()
    (story,) = life.stories(fetched(an_entry("new"), an_entry("old")), T0 + HOUR)
    assert (story.guid, story.arrival, story.change, story.revision) == ("new", "live", "new", 1)
    assert story.source.label == "state media RU"
    again = life.poll(fetched(an_entry("new"), an_entry("old"), etag='"2"'), T0 + 2 * HOUR)
    assert (again.stories, again.seen, again.state.etag) == ((), None, '"2"')


def test_a_small_edit_of_what_was_filed_is_filed_too() -> None:
    """What a feed held at first does not become news by a comma; a new headline does."""
    life = started(an_entry("old", summary="a comma"))
    (edited,) = life.stories(fetched(an_entry("old", summary="a, comma")), T0 + HOUR)
    assert (edited.revision, edited.change, edited.arrival) == (2, "minor", "backfill")
    (renamed,) = life.stories(fetched(an_entry("old", title="Something else happened")), T0 + 2 * HOUR)
    assert (renamed.revision, renamed.change, renamed.arrival) == (3, "major", "live")


@pytest.mark.parametrize(
    ("published", "arrival"),
    [
        (T0 + HOUR, "live"),
        (T0 - 5 * HOUR + timedelta(seconds=1), "live"),
        (T0 - 5 * HOUR - timedelta(seconds=1), "late"),
        (T0 - timedelta(days=400), "late"),
        (None, "live"),
        (T0 + timedelta(days=3650), "live"),
    ],
)
def test_late_is_more_than_six_hours_before_it_was_first_seen(
    published: datetime | None, arrival: str
) -> None:
    """A back-dated entry still counts; a date far ahead is not trusted, but kept as written."""
    life = started()
    (story,) = life.stories(
        fetched(an_entry("new", published=published, published_raw="as written"), an_entry("old")), T0 + HOUR
    )
    assert story.arrival == arrival
    assert story.published_raw == "as written"
    assert (story.published is None) == (published is None or published > T0 + timedelta(days=2))


def test_a_feed_that_comes_back_after_long_does_not_flood() -> None:
    """Items of more than a fortnight are filed when a feed returns; recent ones are news."""
    life = started()
    now = T0 + timedelta(days=10)
    old, recent = now - timedelta(days=15), now - timedelta(minutes=5)
    stories = life.stories(fetched(an_entry("a", published=old), an_entry("b", published=recent)), now)
    assert {story.guid: story.arrival for story in stories} == {"a": "backfill", "b": "live"}


@pytest.mark.parametrize(
    ("before", "after", "change"),
    [
        ({"summary": "10,000 containers"}, {"summary": "1,000 containers"}, "major"),
        ({"title": "Ship leaves"}, {"title": "Ship seized"}, "major"),
        ({"title": "Ship  leaves!"}, {"title": "ship leaves"}, "minor"),
        ({"summary": "one word"}, {"summary": "another word"}, "minor"),
        ({"text": None}, {"text": "now with text 5"}, "minor"),
    ],
)
def test_a_revision_is_major_when_title_or_a_number_changes(
    before: dict[str, Any], after: dict[str, Any], change: str
) -> None:
    """The story keeps its id and its first sight; the revision counts up."""
    life = started()
    (first,) = life.stories(fetched(an_entry("n", **before), an_entry("old")), T0 + HOUR)
    (second,) = life.stories(fetched(an_entry("n", **after), an_entry("old")), T0 + 2 * HOUR)
    assert (second.id, second.first_seen) == (first.id, first.first_seen)
    assert (second.revision, second.change, second.arrival) == (2, change, "live")


def test_a_page_that_changes_at_every_poll_is_bounded() -> None:
    """A story has at most so many revisions; what is not published is counted."""
    life = started()
    published = 0
    for poll in range(60):
        decision = life.poll(
            fetched(an_entry("clock", summary=f"it is {poll}"), an_entry("old")), T0 + poll * HOUR + HOUR
        )
        published += len(decision.stories)
    assert published == REVISIONS_MAX
    assert decision.skipped == (("revision_over_limit", 1),)


def test_http_to_https_and_tracking_parameters_are_no_news() -> None:
    """An id that is a URL is compared as one."""
    life = started(an_entry("x", guid="http://feed.example/x?id=1", url="http://feed.example/x"))
    changed = an_entry("x", guid="https://feed.example/x?id=1&utm_source=rss", url="https://feed.example/x")
    assert life.stories(fetched(changed), T0 + HOUR) == []


def test_a_changed_id_with_the_same_link_and_title_is_the_same_story() -> None:
    """Feeds that renumber their items do not alarm anyone; a later edit is a revision of the first story."""
    life = started()
    (first,) = life.stories(fetched(an_entry("a")), T0 + HOUR)
    assert life.stories(fetched(an_entry("a", guid="b")), T0 + 2 * HOUR) == []
    (second,) = life.stories(fetched(an_entry("a", guid="c", summary="more")), T0 + 3 * HOUR)
    assert (second.id, second.revision) == (first.id, 2)


def test_two_items_that_share_link_and_title_do_not_change_places_at_every_poll() -> None:
    """One lost its id to a third item, the other has its own: read again, the same document says nothing."""
    link = "https://feed.example/1"
    life = started(Entry(url=link, title="One"), Entry(guid="a"))
    document = fetched(
        Entry(url=link, title="One", summary="text"),
        Entry(guid="a", url=link, title="One", published=T0 + timedelta(days=4_000)),
        Entry(guid=link),
    )
    life.poll(document, T0 + HOUR)
    assert life.stories(document, T0 + 2 * HOUR) == []


def test_two_ids_for_one_item_in_one_document_are_one_story() -> None:
    """The second is counted, not published."""
    life = started()
    decision = life.poll(fetched(an_entry("a"), an_entry("a", guid="other")), T0 + HOUR)
    assert len(decision.stories) == 1
    assert decision.skipped == (("entry_repeated", 1),)


def test_items_that_share_an_id_are_kept_apart_and_stay_stable() -> None:
    """Some feeds give every item the same id."""
    life = started(an_entry("a", guid="same"), an_entry("b", guid="same"))
    (story,) = life.stories(
        fetched(an_entry("c", guid="same"), an_entry("a", guid="same"), an_entry("b", guid="same")), T0 + HOUR
    )
    assert story.url.endswith("/c")


def test_items_without_ids_or_links_are_told_apart_by_what_they_say() -> None:
    """What says nothing at all cannot be told apart, and is counted."""
    entries = [Entry(title="one"), Entry(title="two"), Entry(title="two"), Entry()]
    decision = started().poll(fetched(*entries), T0 + HOUR)
    assert sorted(story.title for story in decision.stories) == ["one", "two"]
    assert decision.skipped == (("entry_without_identity", 1), ("entry_repeated", 1))


def test_an_entry_without_an_id_is_known_by_its_link() -> None:
    """However the link is spelled the next time, and whatever its title says then."""
    life = started(Entry(url="http://feed.example/x?utm_source=rss", title="One"))
    assert life.stories(fetched(Entry(url="https://feed.example/x", title="One")), T0 + HOUR) == []
    (story,) = life.stories(fetched(Entry(url="https://feed.example/x", title="Two")), T0 + 2 * HOUR)
    assert story.revision == 2


def test_a_page_that_is_no_feed_is_named() -> None:
    """A document of a format that holds no entries is a failure, and says which format it is."""
    decision = started().poll(fetched(format="html"), T0 + HOUR)
    assert (decision.outcome, decision.state.error) == ("unreadable", "unreadable: not a feed: html")


def test_a_feed_that_was_never_read_to_its_end_is_not_called_silent() -> None:
    """Without a first good document there is no history to fall silent from."""
    life = Life()
    life.poll(fetched(an_entry("a"), complete=False), T0)
    for day in range(1, 30):
        life.poll(NotModified(Response(FEED.url, 304)), T0 + timedelta(days=day))
    assert life.seen is not None
    assert life.seen.first_good_at is None
    assert "silent" not in life.told


def test_a_link_that_is_no_address_costs_no_story() -> None:
    """The id alone tells such an entry apart; another with the same link and title is not taken for it."""
    life = started()
    first, second = (Entry(guid=guid, url="http://[broken", title="One") for guid in ("a", "b"))
    assert len(life.stories(fetched(first), T0 + HOUR)) == 1
    assert len(life.stories(fetched(first, second), T0 + 2 * HOUR)) == 1


def test_entries_of_one_second_are_all_news() -> None:
    """Seen is decided by id, never by date."""
    life = started()
    entries = [an_entry(f"e{n}", published=T0) for n in range(50)]
    assert len(life.stories(fetched(*entries[:25]), T0 + HOUR)) == 25
    assert len(life.stories(fetched(*entries), T0 + 2 * HOUR)) == 25


def test_an_entry_that_left_and_came_back_is_no_news() -> None:
    """Deleted and restored, rotated out and in."""
    life = started(an_entry("a"), an_entry("b"))
    life.poll(fetched(an_entry("b")), T0 + HOUR)
    assert life.stories(fetched(an_entry("a"), an_entry("b")), T0 + timedelta(days=60)) == []


def test_the_seen_set_is_bounded_and_never_forgets_what_is_in_the_document() -> None:
    """6,000 entries pass by; those in the document stay known, however long it does not change."""
    stays = an_entry("stays")
    life = started(stays)
    for day in range(8):
        life.poll(fetched(stays, *(an_entry(f"{day}-{n}") for n in range(750))), T0 + timedelta(days=day + 1))
    assert life.seen is not None
    assert len(life.seen.entries) == 5_000
    assert life.seen.forgotten == 1 + 8 * 750 - 5_000
    later = T0 + timedelta(days=400)
    assert life.stories(fetched(stays, *(an_entry(f"7-{n}") for n in range(750))), later) == []


def test_the_same_bytes_move_validators_but_nothing_else() -> None:
    """``touch feed.xml``: a new ETag with an old body must be used from then on."""
    life = started()
    assert life.state is not None
    same = Fetched(Response(FEED.url, 200, (("ETag", '"9"'),), b"x"), life.state.body_sha256 or "", None)
    decision = life.poll(same, T0 + HOUR)
    assert (decision.outcome, decision.seen, decision.stories) == ("unchanged", None, ())
    assert (decision.state.etag, decision.state.last_modified) == ('"9"', None)


def test_a_304_moves_only_the_validators_it_carries() -> None:
    """RFC 9110: what a 304 does not repeat stands."""
    life = started()
    life.poll(NotModified(Response(FEED.url, 304, (("Last-Modified", "Mon"),))), T0 + HOUR)
    assert life.state is not None
    assert (life.state.etag, life.state.last_modified) == ('"1"', "Mon")


def test_a_304_to_a_first_request_is_a_failure() -> None:
    """A server that only ever answers 304 has told us nothing, and the operator must hear of it."""
    life = Life()
    for poll in range(3):
        life.poll(NotModified(Response(FEED.url, 304)), T0 + poll * HOUR)
    assert life.told == ["degraded"]


def test_an_error_page_with_200_is_no_feed() -> None:
    """HTML or a captcha: back-off, an event, and its validators are not believed."""
    life = started()
    page = Fetched(
        Response(FEED.url, 200, (("ETag", '"page"'),), b"x"), "page", Document("html", error="html")
    )
    decision = life.poll(page, T0 + HOUR)
    assert (decision.outcome, decision.state.etag, decision.state.failures) == ("unreadable", '"1"', 1)
    assert life.told == ["format"]
    life.poll(fetched(an_entry("old")), T0 + 2 * HOUR)
    assert life.told == ["format", "recovered"]


@pytest.mark.parametrize(
    "outcome",
    [
        fetched(etag='"empty"'),
        fetched(an_entry("old"), complete=False, etag='"cut"'),
        Fetched(
            Response(FEED.url, 200, (("ETag", '"none"'),)),
            "e3b0",
            Document("unknown", error="the body is empty"),
        ),
    ],
    ids=["no entries", "cut", "no body"],
)
def test_a_damaged_document_keeps_the_old_entries_and_is_told(outcome: Fetched) -> None:
    """Nothing is taken as gone, its validators are not believed, and repair is told."""
    life = started(an_entry("old"), an_entry("older"))
    life.poll(outcome, T0 + HOUR)
    assert life.state is not None
    assert life.state.etag == '"1"'
    assert life.told == ["degraded"]
    assert life.stories(fetched(an_entry("old"), an_entry("older")), T0 + 2 * HOUR) == []
    assert life.told == ["degraded", "recovered"]


def test_a_cut_document_still_brings_its_news_but_no_revisions() -> None:
    """What stands in it whole counts; an old story that was cut in half has not changed."""
    life = started(an_entry("old", text="the whole text"))
    cut = fetched(an_entry("new"), an_entry("old", text="the wh"), complete=False)
    assert [story.guid for story in life.stories(cut, T0 + HOUR)] == ["new"]


def test_a_feed_that_was_cut_at_first_does_not_flood_when_it_is_whole() -> None:
    """Until a document was read to its end, undated and old entries are filed."""
    life = Life()
    life.poll(fetched(an_entry("a"), complete=False), T0)
    whole = [
        an_entry("a"),
        an_entry("b"),
        an_entry("c", published=T0 - 9 * HOUR),
        an_entry("d", published=T0),
    ]
    stories = life.stories(fetched(*whole), T0 + HOUR)
    assert {story.guid: story.arrival for story in stories} == {"b": "backfill", "c": "backfill", "d": "live"}


def test_failures_are_told_when_they_last_and_once() -> None:
    """One time-out is weather; three are told; recovery is told."""
    life = started()
    for poll in range(5):
        life.poll(FetchFailed("timeout", "30 s"), T0 + poll * HOUR)
    assert life.told == ["degraded"]
    life.poll(NotModified(Response(FEED.url, 304)), T0 + 9 * HOUR)
    assert life.told == ["degraded", "recovered"]


@pytest.mark.parametrize(
    ("outcome", "kind"),
    [
        (http(410), "gone"),
        (http(403), "blocked"),
        (http(401), "blocked"),
        (http(503, cf_mitigated="challenge"), "blocked"),
    ],
)
def test_what_an_operator_must_act_on_is_told_at_once(outcome: FetchFailed, kind: str) -> None:
    """Gone and blocked feeds are not waited for."""
    life = started()
    life.poll(outcome, T0 + HOUR)
    life.poll(outcome, T0 + 2 * HOUR)
    assert life.told == [kind]


def test_a_permanent_redirect_is_told_once_and_a_temporary_one_never() -> None:
    """The address is still the list's; adopting a new one is the operator's choice."""
    life = started()
    life.poll(fetched(an_entry("old"), redirects=((302, "https://x.example/"),)), T0 + HOUR)
    assert life.told == []
    for poll in range(2):
        life.poll(
            fetched(an_entry("old"), redirects=((301, "https://x.example/f"),)), T0 + poll * HOUR + 2 * HOUR
        )
    assert life.told == ["moved"]
    life.poll(fetched(an_entry("old")), T0 + 9 * HOUR)
    assert life.told == ["moved"]


def test_a_busy_feed_that_falls_silent_is_told() -> None:
    """Six items in a day and then none for eight hours, or three times its longest pause."""
    life = started()
    names = ["old"]
    for hour in range(1, 15):
        names.append(f"e{hour}")
        life.poll(fetched(*(an_entry(name) for name in names)), T0 + hour * HOUR)
    unchanged = NotModified(Response(FEED.url, 304))
    life.poll(unchanged, T0 + 21 * HOUR)
    assert life.told == []
    life.poll(unchanged, T0 + 22 * HOUR)
    life.poll(unchanged, T0 + 23 * HOUR)
    assert life.told == ["silent"]
    life.poll(fetched(an_entry("again")), T0 + 24 * HOUR)
    assert life.told == ["silent", "recovered"]


def test_a_quiet_feeds_silence_is_not_told() -> None:
    """Three items a week say nothing by their absence."""
    life = started()
    life.poll(fetched(an_entry("a")), T0 + HOUR)
    life.poll(NotModified(Response(FEED.url, 304)), T0 + timedelta(days=9))
    assert life.told == []


def test_the_state_is_always_under_one_kilobyte() -> None:
    """It is written on every answer; the error gives way first, then the validators."""
    life = started()
    headers = (("ETag", '"' * 256), ("Last-Modified", "\\" * 64))
    life.poll(Fetched(Response(FEED.url, 200, headers, b"x"), "f" * 64, a_document(an_entry("old"))), T0)
    decision = life.poll(FetchFailed("timeout", "\u4e00" * 1000), T0 + HOUR)
    assert len(decision.state.to_json()) <= 1000
    assert decision.state.etag == '"' * 256


def test_ids_do_not_depend_on_the_moment() -> None:
    """A re-poll, a replay or a retry gives the same story id."""
    one, two = Life(), Life()
    first = one.stories(fetched(an_entry("a")), T0)
    second = two.stories(fetched(an_entry("b"), an_entry("a")), T0 + 99 * HOUR)
    assert first[0].id in {story.id for story in second}
