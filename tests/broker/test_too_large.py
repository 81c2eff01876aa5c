"""An operator set a topic's limit low: what fits goes through, what does not is a head among the dead letters."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from schemas import FeedState, Story
from services.bus.ports import Message, MessageTooLarge
from services.bus.topics import FEED_STATE, STORIES
from tests.kafka_live import installation
from tests.live import newsroom

if TYPE_CHECKING:
    from pathlib import Path

    from services.bus.kafka.engine import Cluster
    from tests.kafka_broker import Broker

pytestmark = pytest.mark.broker

LIMIT_BYTES = 2_500
WIDE = "長" * 900
"""A headline of 2,700 bytes: its story is over the limit, three others are so together only."""
NARROW = ("One bridge opens", "Two bridges open", "Three bridges open")


async def low_limit(cluster: Cluster) -> None:
    """Make the topic of stories with a limit that is lower than the table's."""
    admin = AIOKafkaAdminClient(**cluster.client)
    await admin.start()
    try:
        limit = {"max.message.bytes": str(LIMIT_BYTES)}
        await admin.create_topics([NewTopic(cluster.names.topic(STORIES.name), 6, 1, topic_configs=limit)])
    finally:
        await admin.close()


async def test_a_story_that_the_brokers_refuse_does_not_hold_up_its_feed(
    broker: Broker, tmp_path: Path
) -> None:
    """The others are published, the feed's state is committed, the refused one is a dead letter that says so."""
    poller = {"allow_private": "true", "host_spacing": "0s"}
    async with newsroom() as room, installation(broker, "6s", poller, before=low_limit) as tumen:
        for title in (*NARROW[:2], WIDE, NARROW[2]):
            room.publish("gazette", title)
        await tumen.import_lists(room.list_of(["gazette"], tmp_path))
        process = await tumen.start("poller", "--once")
        _, logged = await process.communicate()
        assert process.returncode == 0, logged.decode()
        stories = await tumen.latest(STORIES, Story)
        (state,) = await tumen.latest(FEED_STATE, FeedState)
        (letter,) = [record async for record in tumen.bus.read(STORIES.dlq.name)]
        said = [json.loads(line) for line in logged.splitlines()]

    assert sorted(story.title for story in stories) == sorted(NARROW)
    assert state.status == "ok"
    headers = dict(letter.headers)
    assert headers["dlq-error-class"] == b"MessageTooLarge"
    assert int(headers["dlq-size"]) > LIMIT_BYTES
    assert letter.key not in {story.id for story in stories}
    assert [one["topic"] for one in said if one["event"] == "record.dead_lettered"] == [STORIES.name]


async def test_messages_that_are_too_large_together_go_one_by_one(broker: Broker) -> None:
    """Appending is all or none all the same; one that is too large by itself is named."""
    async with installation(broker, "6s", {}, before=low_limit) as tumen:
        await tumen.bus.append([Message(STORIES.name, 0, str(n), b"x" * 1_000) for n in range(5)])
        with pytest.raises(MessageTooLarge, match="2,600 bytes"):
            await tumen.bus.append(
                [Message(STORIES.name, 0, "a", b"x"), Message(STORIES.name, 0, "b", b"x" * 2_600)]
            )
        assert [record.key async for record in tumen.bus.read(STORIES.name)] == list("01234")
