"""What a keyword alert would have sent is counted fairly: by names, an item once, in the languages of the day."""

from __future__ import annotations

import pytest

from services.demo.keyword import keyword_alerts, names_both
from tests.builders import a_story


@pytest.mark.parametrize(
    "title",
    [
        "North Korea and Russia open a joint zoo",
        "Pyongyang thanks the Kremlin",
        "북한, 러시아에 감사",
        "北朝鮮、ロシアに謝意",
        "朝鲜感谢俄罗斯",
        "北韓感謝俄羅斯",
        "КНДР благодарит Москву",
        "Північна Корея дякує росіянам",
        "كوريا الشمالية تشكر روسيا",
        "Nordkorea dankt Russland",
        "La Corée du Nord remercie Moscou",
        "Corea del Norte agradece a Rusia",
        "La Corea del Nord ringrazia la Russia",
        "Korea Północna dziękuje Rosji",
        "Nordkorea tackar Ryssland",
    ],
)
def test_both_names_in_one_item_make_a_message(title: str) -> None:
    """Whatever it is about: that is what a keyword alert does."""
    assert names_both(a_story(title=title, summary=""))


@pytest.mark.parametrize(
    "title", ["North Korea opens a zoo", "Russia opens a zoo", "Rain in Oslo", "Prussian blue"]
)
def test_one_name_alone_makes_none(title: str) -> None:
    """The comparison counts no message that such an alert would not send."""
    assert not names_both(a_story(title=title, summary=""))


def test_the_names_may_stand_in_different_fields() -> None:
    """A keyword alert reads title, summary and text as one."""
    assert names_both(
        a_story(title="Pyongyang opens a zoo", summary="", text="The animals came from Moscow.")
    )


def test_an_item_is_one_message() -> None:
    """Its revisions are not sent again, and what was old when a feed was added is not sent at all."""
    stories = [
        a_story("one"),
        a_story("one", revision=2, change="major"),
        a_story("two"),
        a_story("three", arrival="backfill"),
        a_story("four", title="Rain in Oslo", summary=""),
    ]
    assert keyword_alerts(stories) == 2
