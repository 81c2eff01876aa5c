"""Where a group stands: a coordinator that cannot say so yet must not read as a group that never began."""

from __future__ import annotations

from collections.abc import Sequence

from aiokafka import TopicPartition
from aiokafka.structs import OffsetAndMetadata

from services.bus.kafka.engine import Cluster, Engine

PLACES = [TopicPartition("tumen.stories.v1", number) for number in range(2)]


class Loading:
    """An admin client whose coordinator is loading at first: the answer is an error and names no place."""

    def __init__(self, times: int) -> None:
        """Load for so many questions."""
        self.times = times

    async def list_consumer_group_offsets(
        self, _group: str, *, partitions: Sequence[TopicPartition]
    ) -> dict[TopicPartition, OffsetAndMetadata]:
        """Answer."""
        self.times -= 1
        if self.times >= 0:
            return {}
        return {place: OffsetAndMetadata(7, "note") for place in partitions}


async def test_a_coordinator_that_is_loading_is_asked_again() -> None:
    """Otherwise a lane that is taken over just then would begin at the start, and everything would be done twice."""
    engine = Engine(Cluster("127.0.0.1:1"))
    loading = Loading(3)
    engine.admin.list_consumer_group_offsets = loading.list_consumer_group_offsets
    held = await engine.committed("g", PLACES)
    assert held == dict.fromkeys(PLACES, OffsetAndMetadata(7, "note"))
    assert loading.times < 0
    await engine.stop()
