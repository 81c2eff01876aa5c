"""A bad source text is named with its file and entry, and all bad ones are named at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.demo.load import day_moment, load_feeds
from services.demo.model import DAY_START, DayError
from services.demo.world import World

FEED = """
[[feeds]]
slug = "{slug}"
title = "Quay News"
url = "https://{slug}.example/rss"
site = "https://{slug}.example/"
format = "rss"
language = "en"
country = "GB"
kind = "newspaper"
trust = "C"
description = "News of the quay"
"""


@pytest.fixture
def day(tmp_path: Path) -> Path:
    """Return a folder with one outlet and no items."""
    (tmp_path / "items").mkdir()
    (tmp_path / "board").mkdir()
    (tmp_path / "feeds.toml").write_text(FEED.format(slug="quay"), "utf-8")
    return tmp_path


def test_times_of_the_day() -> None:
    """A clock time is of the day; with days before it, of the backlog; anything else is refused."""
    assert (day_moment("07:42") - DAY_START).total_seconds() == (7 * 60 + 42) * 60
    assert day_moment("-3d 14:00") < DAY_START
    for bad in ("7:42", "24:00", "12:60", "", "-3d", 7):
        with pytest.raises(ValueError, match="not a time of the day"):
            day_moment(bad)


def test_every_bad_item_is_named(day: Path) -> None:
    """Missing title, bad time, unknown key and doubled id are all told, each with file and id."""
    (day / "items" / "quay.toml").write_text(
        '[[items]]\nid = "a"\nat = "07:00"\nsummary = "s"\n'
        '[[items]]\nid = "b"\nat = "25:00"\ntitle = "t"\nsummary = "s"\n'
        '[[items]]\nid = "c"\nat = "07:00"\ntitle = "t"\nsummary = "s"\ncolour = "red"\n'
        '[[items]]\nid = "d"\nat = "07:00"\ntitle = "t"\nsummary = "s"\n'
        '[[items]]\nid = "d"\nat = "07:00"\ntitle = "t\\u001b"\nsummary = "s"\n'
        '[[items]]\nid = "d"\nat = "07:00"\ntitle = "t"\nsummary = "s"\n',
        "utf-8",
    )
    with pytest.raises(DayError) as caught:
        World.load(day)
    lines = str(caught.value).splitlines()
    assert [line.split(": ")[:3] for line in lines[:3]] == [
        ["items/quay.toml", "a", "title"],
        ["items/quay.toml", "b", "at"],
        ["items/quay.toml", "c", "colour"],
    ]
    assert "cannot stand in XML" in lines[3]
    assert lines[4] == "id d stands twice"


def test_a_board_item_names_its_outlet(day: Path) -> None:
    """An entry without an outlet, or of one that is not there, is refused."""
    (day / "board" / "x.toml").write_text(
        '[[items]]\nid = "a"\nat = "07:00"\ntitle = "t"\nsummary = "s"\n'
        '[[items]]\nid = "b"\nfeed = "moon"\nat = "07:00"\ntitle = "t"\nsummary = "s"\n',
        "utf-8",
    )
    with pytest.raises(DayError, match=r"board/x\.toml: a: feed is missing") as caught:
        World.load(day)
    assert "board/x.toml: b: no outlet moon" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[[items]]\nid = ", "items/quay.toml: Invalid value"),
        ("[[entries]]\nid = 'a'\n", r"items/quay.toml: only \[\[items\]\] is known, found entries"),
    ],
)
def test_unreadable_toml_is_named(day: Path, text: str, told: str) -> None:
    """Broken TOML says file and place; a table of the wrong name is refused."""
    (day / "items" / "quay.toml").write_text(text, "utf-8")
    with pytest.raises(DayError, match=told):
        World.load(day)


def test_bad_feeds_are_named(day: Path) -> None:
    """An unknown format, a host outside .example, a doubled slug and a behaviour of two minds are refused."""
    good = FEED.format(slug="quay")
    (day / "feeds.toml").write_text(
        good
        + good
        + good.replace('"rss"\nl', '"gopher"\nl')
        + good.replace("quay.example/rss", "quay.test/rss"),
        "utf-8",
    )
    with pytest.raises(DayError) as caught:
        load_feeds(day)
    text = str(caught.value)
    assert all(part in text for part in ("quay: format", "quay: url", "slug quay stands twice", "url https"))
    (day / "feeds.toml").write_text(good + "behaviour = [{ html = true, empty = true }]\n", "utf-8")
    with pytest.raises(DayError, match="exactly one effect, found html, empty"):
        load_feeds(day)
