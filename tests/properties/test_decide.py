"""Decisions over any life of a feed: no story twice, no early request, state always small."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from schemas import FeedSeen, FeedState
from services.poller.decide import decide
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
from services.poller.politeness import freshness, next_due, retry_after
from services.text.times import moment
from tests.builders import a_feed

T0 = datetime(2026, 5, 12, tzinfo=UTC)
SETTINGS = PollerSettings()
NAMES = st.sampled_from(["", "a", "b", "c", "https://x.example/1", "http://x.example/1?utm_source=y"])
ENTRIES = st.builds(
    Entry,
    guid=NAMES,
    url=st.sampled_from(["", "https://x.example/1", "https://x.example/2", "https://x.example/"]),
    title=st.sampled_from(["", "One", "one ", "Two 2"]),
    summary=st.sampled_from(["", "text", "text 3"]),
    published=st.sampled_from(
        [None, T0, T0 - timedelta(days=40), T0 + timedelta(days=4000), datetime(1, 1, 2, tzinfo=UTC)]
    ),
)
DOCUMENTS = st.builds(
    Document,
    format=st.sampled_from(["rss", "atom", "html"]),
    entries=st.lists(ENTRIES, max_size=6).map(tuple),
    complete=st.booleans(),
    asks=st.sampled_from([None, timedelta(minutes=1), timedelta(days=9000)]),
)
HEADERS = st.lists(
    st.tuples(
        st.sampled_from(["ETag", "Last-Modified", "Cache-Control", "Expires", "Date", "Retry-After"]),
        st.sampled_from(
            [
                "max-age=60",
                "max-age=99999999999",
                '"x"',
                "0",
                "-1",
                "120",
                "Tue, 12 May 2026 06:00:00 GMT",
                "\xff",
            ]
        )
        | st.text(max_size=300),
    ),
    max_size=4,
).map(tuple)
RESPONSES = st.builds(
    Response,
    url=st.just("https://x.example/f"),
    status=st.sampled_from([200, 304, 403, 410, 429, 503]),
    headers=HEADERS,
)
OUTCOMES: st.SearchStrategy[Outcome] = st.one_of(
    st.builds(
        Fetched, response=RESPONSES, body_sha256=st.sampled_from(["1" * 64, "2" * 64]), document=DOCUMENTS
    ),
    st.builds(Fetched, response=RESPONSES, body_sha256=st.just("1" * 64), document=st.none()),
    st.builds(NotModified, response=RESPONSES),
    st.builds(FetchFailed, kind=st.just("timeout"), detail=st.text(max_size=400)),
    st.builds(FetchFailed, kind=st.just("http_error"), detail=st.just("HTTP"), response=RESPONSES),
)
LIVES = st.lists(st.tuples(OUTCOMES, st.integers(1, 400)), min_size=1, max_size=12)


@given(LIVES)
def test_a_revision_is_published_once(life: list[tuple[Outcome, int]]) -> None:
    """Over any life of a feed, (story, revision) is unique and revisions count up by one."""
    feed, state, seen, now = a_feed(), None, None, T0
    revisions = dict[str, int]()
    for outcome, hours in life:
        decision = decide(feed, state, seen, outcome, now, SETTINGS)
        for story in decision.stories:
            assert story.revision == revisions.get(story.id, 0) + 1
            revisions[story.id] = story.revision
        state, seen = decision.state, decision.seen or seen
        now += timedelta(hours=hours)


@given(LIVES)
def test_the_same_outcome_again_says_nothing(life: list[tuple[Outcome, int]]) -> None:
    """A re-poll of the same document publishes nothing."""
    feed, now = a_feed(), T0
    state: FeedState | None = None
    seen: FeedSeen | None = None
    for outcome, hours in life:
        first = decide(feed, state, seen, outcome, now, SETTINGS)
        state, seen = first.state, first.seen or seen
        again = decide(feed, state, seen, outcome, now + timedelta(hours=1), SETTINGS)
        assert again.stories == ()
        now += timedelta(hours=hours)


@given(LIVES)
def test_the_next_request_is_never_early_and_the_state_is_small(life: list[tuple[Outcome, int]]) -> None:
    """At least the interval and what the server asked (capped); under a kilobyte; every string on the wire form."""
    feed, state, seen, now = a_feed(), None, None, T0
    for outcome, hours in life:
        decision = decide(feed, state, seen, outcome, now, SETTINGS)
        state, seen = decision.state, decision.seen or seen
        wait = moment(state.due_at) - now
        assert wait >= SETTINGS.interval
        response = outcome.response
        if (
            response is not None
            and isinstance(outcome, FetchFailed)
            and (asked := retry_after(response, now))
        ):
            assert wait >= min(asked, SETTINGS.interval_max)
        if response is not None and decision.outcome == "not_modified" and (fresh := freshness(response)):
            assert wait >= min(fresh, SETTINGS.interval_max)
        assert len(state.to_json()) <= 1_000
        FeedState.model_validate_json(state.to_json())
        if seen is not None:
            FeedSeen.model_validate_json(seen.to_json())
        now += timedelta(hours=hours)


@given(OUTCOMES, st.integers(0, 10**9))
def test_the_schedule_is_total(outcome: Outcome, failures: int) -> None:
    """Any number of failures, any header: a moment and a reason."""
    feed = a_feed()
    state = FeedState(
        id=feed.id,
        polled_at="2026-05-12T00:00:00.000Z",
        due_at="2026-05-12T00:00:00.000Z",
        reason="",
        failures=failures,
    )
    due = next_due(feed, state, outcome, T0, SETTINGS)
    assert T0 + SETTINGS.interval <= due.at <= T0 + timedelta(days=8)
    assert due.reason
