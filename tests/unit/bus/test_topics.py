"""The table of topics is the contract's."""

from __future__ import annotations

import pytest

from services.bus.topics import DAY_MS, PRIMARY, SHARDED, STORIES, TOPICS, resolve


def test_every_topic_is_as_the_contract_says() -> None:
    """Names, partitions, cleanup and retention: other programs rely on them."""
    table = {
        topic.short: (topic.partitions, topic.cleanup, (topic.retention_ms or 0) // DAY_MS)
        for topic in PRIMARY
    }
    assert table == {
        "feeds": (SHARDED, "compact", 0),
        "feed-state": (SHARDED, "compact", 0),
        "feed-seen": (SHARDED, "compact", 0),
        "stories": (SHARDED, "delete", 14),
        "feed-events": (SHARDED, "delete", 90),
        "verdicts": (1, "delete", 90),
        "storylines": (1, "compact", 0),
        "storyline-members": (1, "compact", 0),
        "alerts": (1, "keep", 0),
        "deliveries": (1, "compact,delete", 400),
        "subscribers": (1, "compact", 0),
        "silences": (1, "compact", 0),
        "feedback": (1, "keep", 0),
    }


def test_dead_letters_age_like_their_topic_but_within_90_days() -> None:
    """What could not be read is kept long enough to look at, and no longer."""
    days = {topic.short: (topic.dlq.retention_ms or 0) // DAY_MS for topic in PRIMARY}
    assert days["stories"] == 14
    assert {kept for name, kept in days.items() if name != "stories"} == {90}
    assert all(topic.dlq.partitions == 1 and topic.dlq.cleanup == "delete" for topic in PRIMARY)


def test_names_may_be_short() -> None:
    """People type short names, with or without dlq; programs the full ones."""
    assert resolve("stories") is STORIES
    assert resolve("tumen.stories.v1") is STORIES
    assert resolve("stories.dlq").name == resolve("tumen.stories.v1.dlq").name == "tumen.stories.v1.dlq"
    assert len(TOPICS) == 2 * len(PRIMARY)


def test_an_unknown_name_lists_the_known() -> None:
    """A typing error is answered with what there is."""
    with pytest.raises(KeyError, match=r"unknown topic 'storys'; known: feeds, feed-state.*"):
        resolve("storys")
