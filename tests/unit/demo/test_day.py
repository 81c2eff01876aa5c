"""The day holds what its story board promises."""

from __future__ import annotations

import tomllib
from collections import Counter
from datetime import timedelta
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

from schemas.subscriber import Subscriber
from services.demo.check import load_expected
from services.demo.load import DAY_FOLDER
from services.demo.model import DAY_START
from services.demo.world import SINK_HOST, World

WORLD = World.load()
EVENTS = {event.id: event for event in load_expected()}
ITEMS = {item.id: item for item in WORLD.items}
LANGUAGE = {feed.slug: feed.language.partition("-")[0] for feed in WORLD.feeds}


def test_size_of_the_day() -> None:
    """At least 40 outlets, 600 items, eight languages and all four formats."""
    assert len(WORLD.feeds) >= 40
    assert len(WORLD.items) >= 600
    assert len({LANGUAGE[item.feed] for item in WORLD.items}) >= 8
    assert {feed.format for feed in WORLD.feeds} == {"rss", "atom", "rdf", "json"}
    assert Counter(feed.encoding for feed in WORLD.feeds)["utf-8"] == len(WORLD.feeds) - 2


def test_every_host_is_invented() -> None:
    """No feed, item or subscriber points outside .example; no outlet's id stands twice."""
    urls = [url for feed in WORLD.feeds for url in (feed.url, feed.site)] + [i.link for i in WORLD.items]
    assert all((urlsplit(url).hostname or "").endswith(".example") for url in urls)
    assert len({urlsplit(feed.url).hostname for feed in WORLD.feeds}) == len(WORLD.feeds)
    assert len(ITEMS) == len(WORLD.items)


def test_backlog_is_what_the_first_poll_finds() -> None:
    """At midnight exactly 31 items are there, in three feeds, up to two years old; every other document is empty."""
    there = {feed.slug: len(WORLD.entries(feed, DAY_START)) for feed in WORLD.feeds}
    assert {slug: n for slug, n in there.items() if n} == {"paektu": 20, "defgrid": 7, "strait": 4}
    oldest = min(item.at for item in WORLD.items)
    assert timedelta(days=700) < DAY_START - oldest <= timedelta(days=731)
    assert set(EVENTS["backlog"].items) == {item.id for item in WORLD.items if item.at < DAY_START}


def test_twelve_reprints_in_six_languages() -> None:
    """Hanbit has the containers at 02:58; from 03:20 to 04:00 twelve outlets in six languages print it again."""
    first, *reprints = (ITEMS[name] for name in EVENTS["containers"].items)
    assert (first.feed, first.at) == ("hanbit", DAY_START + timedelta(hours=2, minutes=58))
    assert len({item.feed for item in reprints}) == 12
    assert len({LANGUAGE[item.feed] for item in reprints}) == 6
    span = {item.at - DAY_START for item in reprints}
    assert (min(span), max(span)) == (timedelta(hours=3, minutes=20), timedelta(hours=4))
    assert sum(bool(item.credit) for item in reprints) > len(reprints) / 2


def test_story_board_times() -> None:
    """Each event of the story board begins at its minute, at its outlet."""
    board = {
        "football": ("harbour", "01:05"),
        "zoo-lions": ("lutece", "01:05"),
        "angara-launch": ("volga", "01:05"),
        "rewrite": ("nordlicht", "04:30"),
        "imagery": ("potomac", "05:15"),
        "denial": ("vestnik", "09:40"),
        "missile-test": ("meridian", "10:05"),
        "ten-thousand": ("azure", "11:00"),
        "ship-at-rajin": ("hafen", "13:00"),
        "troops": ("alqamar", "16:00"),
        "debunk": ("meridian", "18:00"),
        "sanctions": ("puente", "20:00"),
    }
    found = {name: ITEMS[EVENTS[name].items[0]] for name in board}
    assert {name: (item.feed, f"{item.at:%H:%M}") for name, item in found.items()} == board


def test_expected_alerts_are_about_items_of_the_day() -> None:
    """Every event names existing items, no item stands in two events, and ten patterns of negatives are there."""
    named = [name for event in EVENTS.values() for name in event.items]
    assert set(named) <= set(ITEMS)
    assert len(set(named)) == len(named)
    negatives = tomllib.loads((DAY_FOLDER / "board" / "negatives.toml").read_text("utf-8"))["items"]
    assert len(negatives) == 10
    assert all(any(n["id"] in e.items and e.never for e in EVENTS.values()) for n in negatives)
    assert len({LANGUAGE[n["feed"]] for n in negatives}) >= 8


def test_two_ids_for_one_item() -> None:
    """Echo Valley prints one item twice, under two ids and one address."""
    twice = [item for item in WORLD.items if item.link.endswith("/orchard-frost")]
    assert len({item.guid for item in twice}) == 2


def test_a_title_longer_than_a_story_may_carry() -> None:
    """One title is over the cap of 1,000 code points."""
    assert sum(len(item.title) > 1_000 for item in WORLD.items) == 1


def test_feed_list_is_opml() -> None:
    """The feed list names every feed with what an operator would have written beside it."""
    outlines = ET.fromstring(WORLD.feed_list()).findall("./body/outline")
    assert [o.get("xmlUrl") for o in outlines] == list(WORLD.urls())
    vestnik = next(o for o in outlines if "vestnik" in (o.get("xmlUrl") or ""))
    assert (vestnik.get("label"), vestnik.get("trust"), vestnik.get("kind")) == (
        "state media RU",
        "D",
        "agency",
    )
    assert {o.get("fullText") for o in outlines} == {None, "candidates"}


def test_subscribers_can_be_read() -> None:
    """Three subscribers: the terminal, a sanctions desk with a secret, an archive that wants everything."""
    tables = tomllib.loads((DAY_FOLDER / "subscribers.toml").read_text("utf-8"))["subscribers"]
    readers = {s.id: s for s in map(Subscriber.model_validate, tables)}
    assert {name: s.match.severity_min for name, s in readers.items()} == {
        "console": 3,
        "sanctions-desk": 2,
        "archive": 1,
    }
    assert all(s.channel == "console:" or urlsplit(s.channel).hostname == SINK_HOST for s in readers.values())
    assert readers["sanctions-desk"].secret_ref == "env:TUMEN_DEMO_WEBHOOK_SECRET"
