"""The world answers every question at every time, the same way each time, and its 304s tell the truth."""

from __future__ import annotations

import gzip
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.demo.answer import stored_gzip
from services.demo.model import DAY_END, DAY_START, Answer, DemoFeed
from services.demo.world import SINK_HOST, World

WORLD = World.load()
HEALTHY_MIN = 30
moments = st.integers(min_value=-60, max_value=25 * 60).map(lambda m: DAY_START + timedelta(minutes=m))
addresses = st.sampled_from(WORLD.urls())


def at(clock: str) -> datetime:
    """Return a moment of the day."""
    hours, minutes = clock.split(":")
    return DAY_START + timedelta(hours=int(hours), minutes=int(minutes))


def url_of(slug: str) -> str:
    """Return the address of an outlet's feed."""
    return next(feed.url for feed in WORLD.feeds if feed.slug == slug)


def header(answer: Answer, name: str) -> str | None:
    """Return one header of an answer."""
    return next((value for key, value in answer.headers if key.lower() == name.lower()), None)


@given(url=addresses, now=moments)
def test_same_question_same_bytes(url: str, now: datetime) -> None:
    """Two worlds loaded apart give the same answer to the same question, whatever was asked before."""
    assert World(WORLD.feeds, WORLD.items).respond(url, now, {}) == WORLD.respond(url, now, {})


@given(
    url=st.text(max_size=60), now=moments, headers=st.dictionaries(st.text(max_size=20), st.text(max_size=20))
)
def test_world_is_total(url: str, now: datetime, headers: dict[str, str]) -> None:
    """Any address with any headers gets an answer; one that the world does not know is not found."""
    assert WORLD.respond(url, now, headers).status == 404
    assert WORLD.respond_post(url, now, headers, b"").status == 404


@pytest.mark.parametrize("feed", WORLD.feeds, ids=lambda feed: feed.slug)
def test_changes_are_all_the_changes(feed: DemoFeed) -> None:
    """On a grid of minutes the answer changes at the listed moments and at no other."""
    moments = WORLD.changes(feed.url)
    assert moments[0] == DAY_START
    before = None
    for minute in range(24 * 60):
        now = DAY_START + timedelta(minutes=minute)
        answer = WORLD.respond(feed.url, now, {})
        assert (answer != before) == (now in moments), now
        before = answer


@given(url=addresses, earlier=moments, later=moments)
def test_not_modified_is_honest(url: str, earlier: datetime, later: datetime) -> None:
    """Validators of one answer get a 304 later exactly when the body is still the same."""
    first = WORLD.respond(url, earlier, {})
    now = WORLD.respond(url, later, {})
    if (etag := header(first, "etag")) and first.status == 200 and now.status == 200:
        asked = WORLD.respond(url, later, {"if-none-match": etag})
        assert (asked.status == 304) == (first.body == now.body)
        assert header(asked, "etag") == header(now, "etag")
    if (
        (seen := header(first, "last-modified"))
        and first.status == 200
        and now.status == 200
        and earlier <= later
    ):
        asked = WORLD.respond(url, later, {"If-Modified-Since": seen})
        assert (asked.status == 304) == (first.body == now.body)


def test_unusable_dates_are_ignored() -> None:
    """A date that is none, or one without a zone, gets the document."""
    for date in ("nonsense", "Wed, 13 May 2026 00:00:00 -0000"):
        assert WORLD.respond(url_of("wisla"), at("12:00"), {"If-Modified-Since": date}).status == 200


def test_etag_wins_over_date() -> None:
    """If-None-Match that does not fit gets the document, whatever If-Modified-Since says."""
    url = url_of("harbour")
    asked = {"If-None-Match": '"old"', "If-Modified-Since": "Wed, 13 May 2026 00:00:00 GMT"}
    assert WORLD.respond(url, at("12:00"), asked).status == 200


def test_baltic_wire_is_down_and_comes_back() -> None:
    """At 04:05 Baltic Wire answers 503 with Retry-After, even to a conditional request; at 04:40 it is back."""
    url = url_of("baltic")
    etag = header(WORLD.respond(url, at("04:04"), {}), "etag") or ""
    down = WORLD.respond(url, at("04:05"), {"If-None-Match": etag})
    assert (down.status, header(down, "Retry-After")) == (503, "900")
    assert WORLD.respond(url, at("04:40"), {}).status == 200


@pytest.mark.parametrize(
    ("slug", "status", "fault"),
    [
        ("stillwater", 304, None),
        ("oldmill", 404, None),
        ("ferncliff", 410, None),
        ("ironbridge", 500, None),
        ("fogbank", 0, "timeout"),
        ("carousel", 0, "redirects"),
        ("driftwood", 0, "dns"),
    ],
)
def test_broken_feeds_stay_broken(slug: str, status: int, fault: str | None) -> None:
    """Each broken kind is broken in its own way all day."""
    for clock in ("00:00", "11:11", "23:59"):
        answer = WORLD.respond(url_of(slug), at(clock), {})
        assert (answer.status, answer.fault) == (status, fault)


def test_broken_documents() -> None:
    """A consent page, an empty body, a body over the limit and a document that breaks off."""
    now = at("12:00")
    page, empty, huge, cut = (
        WORLD.respond(url_of(slug), now, {}) for slug in ("quarry", "millpond", "ledgerhall", "saltmarsh")
    )
    assert (header(page, "content-type") or "").startswith("text/html")
    assert empty.body == b""
    assert len(huge.body) > 8 * 1024 * 1024
    assert b"<item>" in cut.body
    assert b"</rss>" not in cut.body


def test_dnipro_desk_falls_silent() -> None:
    """After 14:00 the Dnipro Desk changes nothing any more, and still answers."""
    url = url_of("dnipro")
    assert max(WORLD.changes(url)) < at("14:00")
    assert WORLD.respond(url, at("23:00"), {}).status == 200


def test_gzip_only_when_asked() -> None:
    """A server that can compress does so for a client that asks; the content is the same."""
    url = url_of("potomac")
    plain = WORLD.respond(url, at("09:00"), {})
    packed = WORLD.respond(url, at("09:00"), {"Accept-Encoding": "gzip, deflate"})
    assert header(plain, "content-encoding") is None
    assert header(packed, "content-encoding") == "gzip"
    assert gzip.decompress(packed.body) == plain.body


@given(st.binary(max_size=200_000))
def test_stored_gzip_is_gzip(data: bytes) -> None:
    """What is stored comes back."""
    assert gzip.decompress(stored_gzip(data)) == data


def test_webhook_sink_has_a_bad_half_hour() -> None:
    """The sink answers 503 with Retry-After from 05:00 to 05:30, and 200 before and after."""
    url = f"https://{SINK_HOST}/archive"
    answers = [
        WORLD.respond_post(url, at(clock), {}, b"{}") for clock in ("04:59", "05:00", "05:29", "05:30")
    ]
    assert [answer.status for answer in answers] == [200, 503, 503, 200]
    assert header(answers[1], "retry-after") == "300"


def test_enough_healthy_feeds() -> None:
    """At noon at least thirty feeds answer 200 with a document that is whole."""
    whole = [
        feed
        for feed in WORLD.feeds
        if WORLD.respond(feed.url, at("12:30"), {}).status == 200
        and not any(b.effect in ("html", "empty", "truncate", "oversized") for b in feed.behaviour)
    ]
    assert len(whole) >= HEALTHY_MIN


def test_nothing_lies_outside_the_day() -> None:
    """Every change lies in the day, so that a tape of the changes holds it whole; an unknown address has one."""
    assert WORLD.changes("https://nowhere.example/") == (DAY_START,)
    assert all(DAY_START <= m < DAY_END for url in WORLD.urls() for m in WORLD.changes(url))
