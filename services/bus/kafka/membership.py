"""A part in a consumer group: the group says which partitions, the transactional ids say whose they are.

The group's consumer never reads. What a rebalance takes and gives back in between is not noticed: the lane stays,
and if another member had it meanwhile, the next commit is fenced.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.structs import OffsetAndMetadata

from services.bus.kafka import producers
from services.bus.kafka.engine import ASK_S, CLOSE_S
from services.bus.kafka.faults import bounded
from services.bus.kafka.lanes import KafkaLane
from services.bus.kafka.reader import Reader
from services.bus.ports import BusUnavailable
from services.bus.tasks import beside

if TYPE_CHECKING:
    from services.bus.kafka.engine import Engine

# A first assignment waits for the members that are there to come back: a heartbeat, or a dead one's session.
JOIN_S = 30.0
# A rebalance waits so much of a session for what its members have under way; a member that comes back later is dropped.
HOLD_SHARE = 0.5
HOLD_LOOK_S = 0.02
# The group's own consumer never polls, so the client's watchdog of polls means nothing here.
NO_POLL_LIMIT_MS = 2**31 - 1


def sticky_assignor() -> type[StickyPartitionAssignor]:
    """Return an assignor of one member's own: the client keeps what a member had in the class, for all groups at once."""
    own = {"member_assignment": None, "_latest_partition_movements": None}
    return type("MemberAssignor", (StickyPartitionAssignor,), own)


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # the client ships no types
    """Tells the membership what it was assigned; raises nothing, for the client would swallow it."""

    def __init__(self, membership: KafkaMembership) -> None:
        self._membership = membership

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:  # noqa: ARG002
        """Let what cannot be repeated come to its end; lanes go on, for whoever is given one fences it."""
        await self._membership.settle()

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Take the new assignment."""
        self._membership.adopt(frozenset(assigned))


class KafkaMembership:
    """The lanes of one member."""

    def __init__(self, engine: Engine, group: str, topics: Sequence[str]) -> None:
        """Take the group and the input topics; ``join`` comes next."""
        self.engine = engine
        self.group = engine.names.group(group)
        self.number = 0
        """Counts assignments."""
        self.places = [place for topic in topics for place in engine.of_topic(topic)]
        self.reader: Reader
        self.name = group
        self._topics = tuple(topics)
        self._assigned: frozenset[TopicPartition] = frozenset()
        self._seen = 0
        self._lanes: dict[TopicPartition, KafkaLane] = {}
        self._barred: dict[TopicPartition, float] = {}
        self._turn = asyncio.Lock()
        self._closed = False
        self._busy: Callable[[], bool] = lambda: False
        self._moving = False
        cluster = engine.cluster
        self._consumer = AIOKafkaConsumer(
            group_id=self.group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            session_timeout_ms=int(cluster.session_s * 1_000),
            heartbeat_interval_ms=int(cluster.heartbeat_s * 1_000),
            max_poll_interval_ms=NO_POLL_LIMIT_MS,
            partition_assignment_strategy=(sticky_assignor(),),
            **cluster.client,
        )

    async def join(self) -> None:
        """Join the group and wait for the first assignment."""
        try:
            self.reader = await Reader.open(self.engine, dict.fromkeys(self.places))
            names = [self.engine.names.topic(topic) for topic in self._topics]
            self._consumer.subscribe(names, listener=_Listener(self))
            async with bounded(JOIN_S, f"group {self.group}"):
                await self._consumer.start()
        except BaseException:
            await self.close()
            raise

    @property
    def moving(self) -> bool:
        """Whether the group is sharing the partitions out anew, or has, and the owner has not asked what it got."""
        return self._moving or self._seen != self.number

    def hold_while(self, busy: Callable[[], bool]) -> None:
        """Let a rebalance wait, for half a session at most, while the owner is busy."""
        self._busy = busy

    async def settle(self) -> None:
        """Before partitions may move: wait for the owner; the client keeps the member alive meanwhile."""
        self._moving = True
        now = asyncio.get_running_loop().time
        deadline = now() + self.engine.cluster.session_s * HOLD_SHARE
        while self._busy() and not self._closed and now() < deadline:
            await self.engine.bell.heard(HOLD_LOOK_S)

    def adopt(self, assigned: frozenset[TopicPartition]) -> None:
        """Take note of an assignment: pauses were thrown away with the old one."""
        self._consumer.pause(*assigned)
        self._assigned = assigned
        self._barred.clear()
        self._moving = False
        self.number += 1
        self._tell()
        self.engine.bell.ring()

    def _tell(self) -> None:
        """Say which partitions are this member's, as far as it knows; of one that has left, none."""
        if self._closed:
            return
        names, owned = self.engine.names, self._assigned - self._barred.keys()
        self.engine.signals.owns(
            self.name, [(names.own_topic(place.topic), int(place.partition)) for place in owned]
        )

    def reached(self, place: TopicPartition) -> int:
        """Return the offset before which nothing is left to commit, if the partition is this member's; else 0."""
        lane = self._lanes.get(place)
        if lane is None or lane.lost:
            return 0
        buffer = self.reader.buffers[place]
        return buffer[0].offset if buffer else self.reader.positions[place]

    def was_lost(self, lane: KafkaLane, *, fenced: bool) -> None:
        """Read no more for a lane; one that another member took is not taken back before a new assignment says so.

        A member that was stopped still believes its old assignment: without the bar it would fence the rightful owner.
        """
        self.reader.leave(lane.place)
        if fenced and lane.proven_at == self.number:
            self._barred[lane.place] = asyncio.get_running_loop().time() + self.engine.cluster.session_s
            self._tell()
        self.engine.bell.ring()

    async def lanes(self) -> Sequence[KafkaLane]:
        """Return the lanes owned now; new ones are taken over first."""
        async with self._turn:
            while self._news() and not self._closed:
                await self._reconcile()
        return [self._lanes[place] for place in sorted(self._lanes) if not self._lanes[place].lost]

    def _missing(self) -> list[TopicPartition]:
        """Return the partitions that are assigned and have no lane, and may be taken."""
        now = asyncio.get_running_loop().time()
        return [
            place
            for place in sorted(self._assigned)
            if (place not in self._lanes or self._lanes[place].lost) and self._barred.get(place, 0.0) <= now
        ]

    def _news(self) -> bool:
        return self._seen != self.number or bool(self._missing())

    async def _reconcile(self) -> None:
        number, assigned = self.number, self._assigned
        for place, lane in tuple(self._lanes.items()):
            if place not in assigned:
                lane.lose()
                del self._lanes[place]
        taken = await asyncio.gather(*map(self._take, self._missing()), return_exceptions=True)
        for failed in taken:
            if isinstance(failed, BaseException):
                raise failed
        self._seen = number

    async def _take(self, place: TopicPartition) -> None:
        """Take a lane over, and hold it at once: whoever is cancelled while others are taken loses none of them."""
        lane = await self._take_over(place)
        if self._closed:
            lane.lose()
        else:
            self._lanes[place] = lane

    async def _take_over(self, place: TopicPartition) -> KafkaLane:
        """Fence the predecessor, then ask what it committed, then read from there: in this order only."""
        topic = self.engine.names.own_topic(place.topic)
        transactional_id = self.engine.names.transactional_id(self.name, topic, place.partition)
        producer = await producers.start(self.engine, transactional_id)
        try:
            async with bounded(ASK_S, f"group {self.group}: committed offsets"):
                committed = await self._committed(place)
        except BaseException:
            self.engine.later(producers.discard(producer))
            raise
        self.reader.seek(place, committed.offset)
        if self._barred.pop(place, None) is not None:
            self._tell()
        if (before := self._lanes.get(place)) is not None:
            self.engine.signals.rebuilt(self.name, before.fate)
        return KafkaLane(self, place, producer, committed)

    async def _committed(self, place: TopicPartition) -> OffsetAndMetadata:
        """Return offset and note; the start where there is none."""
        held = await self.engine.standing(self.group, place)
        return held if held.offset >= 0 else OffsetAndMetadata(0, "")

    async def wait(self, timeout_s: float) -> None:
        """Wait for records, an assignment or the time."""
        if self._closed:
            raise BusUnavailable("the member has left its group")
        await self.reader.wait(self._owned, lambda: self._closed or self._news(), timeout_s)

    def _owned(self) -> list[TopicPartition]:
        return [place for place, lane in self._lanes.items() if not lane.lost]

    async def close(self) -> None:
        """Leave the group, once what is being committed has an outcome."""
        if self._closed:
            return
        self._closed = True
        for lane in self._lanes.values():
            lane.lose()
        self.engine.signals.owns(self.name, ())
        self.engine.bell.ring()
        leaving = {beside(self._consumer.stop())}
        if hasattr(self, "reader"):
            leaving.add(beside(self.reader.close()))
        await asyncio.wait(leaving, timeout=CLOSE_S)
