"""Reading topics whole, as models."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, TypeVar

from schemas import Story
from schemas.common import Wire
from services.bus.codec import Undecodable, decode
from services.bus.topics import STORIES

if TYPE_CHECKING:
    from services.bus.ports import Bus
    from services.bus.topics import Topic

M = TypeVar("M", bound=Wire)


async def latest(bus: Bus, topic: Topic, model: type[M]) -> AsyncIterator[M]:
    """Read a topic's messages, the newest of each key where it is compacted; what cannot be read is left out."""
    kept: dict[str, M | None] = {}
    async for record in bus.read(topic.name):
        key = record.key if topic.compacted else f"{record.partition}/{record.offset}"
        try:
            kept[key] = None if record.value is None else decode(record, model)
        except Undecodable:
            continue
    for message in kept.values():
        if message is not None:
            yield message


async def find_story(bus: Bus, story_id: str) -> Story | None:
    """Return the newest revision of a story on the log, or None."""
    found = None
    async for record in bus.read(STORIES.name):
        if record.key == story_id and record.value is not None:
            found = decode(record, Story)
    return found
