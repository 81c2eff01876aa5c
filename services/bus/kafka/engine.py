"""What the parts of one bus share: the address, the names, the ends of partitions, and what it committed itself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupLoadInProgressError, KafkaError, TopicAuthorizationFailedError

from services.bus.kafka import offsets
from services.bus.kafka.bell import Bell
from services.bus.kafka.faults import bounded, told, translated
from services.bus.kafka.names import Names
from services.bus.kafka.security import Security
from services.bus.ports import BusDamaged, BusUnavailable, MessageTooLarge
from services.bus.signals import SILENT
from services.bus.tasks import beside
from services.bus.topics import TOPICS

if TYPE_CHECKING:
    from aiokafka.structs import OffsetAndMetadata

    from services.bus.ports import Message
    from services.bus.signals import Signals

T = TypeVar("T")

# A story may carry a million code points, four bytes each at worst, and its envelope; the same limit as SQLite's.
MESSAGE_BYTES_MAX = 16 * 1024 * 1024
# What key, headers and framing may add before the broker counts.
REQUEST_BYTES_MAX = MESSAGE_BYTES_MAX + 1024 * 1024
# One question to the cluster: several retries of a lost leader fit, and a drain is still told within seconds.
ASK_S = 8.0
REQUEST_MS = 6_000
# Each step of leaving; with Kafka away there are four of them, and SIGTERM promises an end within ten seconds.
CLOSE_S = 1.5
RETRY_MS = 30
RETRY_S = 0.03
# A topic is made before every broker knows it.
SPREAD_S = 1.0
# What was known this long ago is good enough to call a partition empty without asking.
FRESH_S = 0.01
# Markers of a commit are written after its answer: how long to wait until one's own records can be read.
VISIBLE_S = 2.0
VISIBLE_LOOK_S = 0.002
ENDS = "how far the log goes"
"""What is asked for, in words of the lines that people read."""
UNDECIDED = "a transaction without an outcome hides what was committed"
"""For some seconds that is normal. For longer: docs/kafka.md, "One broker alone"."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """How to reach the cluster, and how members of its groups behave."""

    address: str
    names: Names = field(default_factory=Names)
    session_s: float = 10.0
    """A process that is killed or stopped loses its partitions after this; the same as SQLite's lease."""
    heartbeat_s: float = 1.0
    """How soon members notice that somebody came or left; a session has several."""
    security: Security = field(default_factory=Security)

    @property
    def client(self) -> dict[str, Any]:
        """The options that every client takes."""
        servers = self.address.split(",")
        return {
            "bootstrap_servers": servers,
            "request_timeout_ms": REQUEST_MS,
            "retry_backoff_ms": RETRY_MS,
            "client_id": "tumen",
            **self.security.client,
        }


@dataclass(slots=True)
class _Question:
    """What is asked about the ends of the same places, by one after the other, and how it failed last."""

    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    failure: BusUnavailable | None = None


class Engine:
    """The shared parts. ``ends`` are last stable offsets, as last seen; ``floors`` what this process committed."""

    def __init__(self, cluster: Cluster, signals: Signals = SILENT) -> None:
        """Make the clients; ``start`` connects them."""
        self.cluster = cluster
        self.signals = signals
        self.names = cluster.names
        self.bell = Bell()
        self.closing = False
        self.ends: dict[TopicPartition, int] = {}
        self.floors: dict[TopicPartition, int] = {}
        self.commits: dict[tuple[str, TopicPartition], int] = {}
        self._checked: dict[TopicPartition, float] = {}
        self._questions: dict[frozenset[TopicPartition], _Question] = {}
        self._partitions: dict[str, int] = {}
        self._places: dict[tuple[str, int], TopicPartition] = {}
        self.narrow: set[str] = set()
        """Topics whose brokers refused a batch: their messages go one by one, so that the one at fault is known."""
        self._leaving: set[asyncio.Task[None]] = set()
        # A consumer that never fetches: its questions do not queue behind a fetch that waits for records.
        self.control = AIOKafkaConsumer(group_id=None, isolation_level="read_committed", **cluster.client)
        # Its ends count what has no outcome yet.
        self.undecided = AIOKafkaConsumer(group_id=None, isolation_level="read_uncommitted", **cluster.client)
        self.admin = AIOKafkaAdminClient(**cluster.client)

    async def start(self) -> None:
        """Connect, and learn which topics there are."""
        try:
            async with bounded(ASK_S, f"kafka://{self.cluster.address}"):
                await self.control.start()
                await self.undecided.start()
                await self.admin.start()
                await self.refresh_topics()
        except BusUnavailable as error:
            await self.stop()
            raise told(error) from error.__cause__
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Disconnect, beside those who still leave: producers have connections of their own."""
        closing = {beside(close()) for close in (self.control.stop, self.undecided.stop, self.admin.close)}
        await asyncio.wait(closing | self._leaving, timeout=CLOSE_S)

    def later(self, work: Coroutine[Any, Any, None]) -> None:
        """Let something end beside everything else; ``stop`` waits for it."""
        task = beside(work)
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def refresh_topics(self) -> None:
        """Ask which of the table's topics there are, and how many partitions they have."""
        described = await self.admin.describe_topics([self.names.topic(name) for name in TOPICS])
        for topic in described:
            if topic["error_code"] == TopicAuthorizationFailedError.errno:
                raise translated(TopicAuthorizationFailedError(topic["topic"]), "topics", "Describe")
        self._partitions = {
            self.names.own_topic(topic["topic"]): len(topic["partitions"])
            for topic in described
            if not topic["error_code"]
        }
        self._places = {
            (name, partition): TopicPartition(self.names.topic(name), partition)
            for name, partitions in self._partitions.items()
            for partition in range(partitions)
        }

    @property
    def topics(self) -> Mapping[str, int]:
        """The topics of the table that are on the cluster, and their partitions."""
        return self._partitions

    async def demand(self, topics: Collection[str]) -> None:
        """Raise unless these topics are there; what was made a moment ago counts."""
        now = asyncio.get_running_loop().time
        deadline = now() + SPREAD_S
        while any(topic not in self._partitions for topic in topics):
            async with bounded(ASK_S, "topics"):
                await self.refresh_topics()
            if now() >= deadline:
                break
            await self.bell.heard(RETRY_S)
        for topic in topics:
            self._demand(topic)

    def _demand(self, topic: str) -> None:
        if topic not in self._partitions:
            message = (
                f"topic {self.names.topic(topic)} is not on kafka://{self.cluster.address}: "
                "run `tumen topics create`, or set the kafka.topic_prefix that its topics have"
            )
            raise BusDamaged(message)

    def place(self, topic: str, partition: int) -> TopicPartition:
        """Return the place of a partition; ValueError for one that does not exist."""
        if (place := self._places.get((topic, partition))) is not None:
            return place
        self._demand(topic)
        message = f"no partition {partition} of topic {topic!r} on kafka://{self.cluster.address}"
        raise ValueError(message)

    def of_topic(self, topic: str) -> list[TopicPartition]:
        """Return the places of a topic, in order."""
        self._demand(topic)
        return [self.place(topic, partition) for partition in range(self._partitions[topic])]

    def prepare(self, message: Message) -> TopicPartition:
        """Return where a message goes, or say what is wrong with it."""
        place = self._places.get((message.topic, message.partition))
        if place is None:
            place = self.place(message.topic, message.partition)
        message.key.encode()  # what has no UTF-8 is the caller's fault: here it is his error, later a failed commit
        value = message.value
        if value is not None and len(value) > MESSAGE_BYTES_MAX:
            problem = (
                f"{message.topic} {message.key}: {len(value):,} bytes, the limit is {MESSAGE_BYTES_MAX:,}"
            )
            raise MessageTooLarge(problem, message.topic, message.key)
        return place

    def publish(self, reached: Mapping[TopicPartition, int]) -> None:
        """Remember what this process committed: its readers must not miss it."""
        for place, end in reached.items():
            self.floors[place] = max(end, self.floors.get(place, 0))

    def saw(self, ends: Mapping[TopicPartition, int | None]) -> None:
        """Take note of ends that came with records: as good as asked for now."""
        now = asyncio.get_running_loop().time()
        for place, end in ends.items():
            if end is not None:
                self.ends[place] = max(end, self.ends.get(place, 0))
                self._checked[place] = now

    async def look(self, places: Collection[TopicPartition]) -> None:
        """Make ``ends`` fresh for these places; own commits are waited for, for a moment.

        Whoever waited while the same was asked mostly finds that it was done for him, however long it took. Where there
        was no answer, there is none for him either: a service with many lanes learns within one question that Kafka is
        away.
        """
        came = asyncio.get_running_loop().time()
        if not self.stale(places, came):
            return
        question = self._questions.setdefault(frozenset(places), _Question())
        before = question.failure
        async with question.turn:
            if question.failure is not None and question.failure is not before:
                raise BusUnavailable(str(question.failure)) from question.failure
            try:
                await self._look(places, came)
            except BusUnavailable as error:
                question.failure = error
                raise

    def stale(self, places: Collection[TopicPartition], at: float | None = None) -> list[TopicPartition]:
        """Return the places whose end is not known well enough for a moment (now), or hides what this process committed."""
        moment = asyncio.get_running_loop().time() if at is None else at
        return [
            place for place in places if moment - self._checked.get(place, 0.0) > FRESH_S or self._late(place)
        ]

    async def _look(self, places: Collection[TopicPartition], came: float) -> None:
        now = asyncio.get_running_loop().time
        stale = self.stale(places, came)
        deadline = now() + VISIBLE_S
        while stale:
            asked = now()
            async with bounded(ASK_S, ENDS):
                self._learn(await self.control.end_offsets(stale), asked)
            stale = [place for place in stale if self._late(place)]
            if not stale or now() >= deadline:
                return
            await self.bell.heard(VISIBLE_LOOK_S)

    def _learn(self, ends: Mapping[TopicPartition, int], asked: float) -> None:
        """Take an answer; where something newer was heard while it was on its way, it can only add to that."""
        for place, end in ends.items():
            heard = self._checked.get(place, 0.0)
            self.ends[place] = end if heard <= asked else max(end, self.ends[place])
            self._checked[place] = max(heard, asked)

    def _late(self, place: TopicPartition) -> bool:
        return self.ends.get(place, 0) < self.floors.get(place, 0)

    async def look_behind_own(self, places: Collection[TopicPartition]) -> None:
        """Make ``ends`` fresh, own commits included: what is read as state must not be old."""
        await self.look(places)
        if late := [place for place in places if self._late(place)]:
            message = f"{late[0].topic}/{late[0].partition}: {UNDECIDED}"
            raise BusUnavailable(message)

    async def look_behind_all(self, place: TopicPartition) -> None:
        """Make ``ends`` fresh, and behind all that is there now: a state must be whole, whoever wrote the last of it."""
        async with bounded(ASK_S, ENDS):
            self.publish(await self.undecided.end_offsets([place]))
        await self.look_behind_own([place])

    async def committed(
        self, group: str, places: Collection[TopicPartition]
    ) -> dict[TopicPartition, OffsetAndMetadata]:
        """Return the offset and note of each place; -1 where the group has committed nothing.

        A coordinator that is still loading answers with an error and no places. The client passes that over, which
        reads as if nothing had ever been committed: it is asked again.
        """

        async def ask() -> dict[TopicPartition, OffsetAndMetadata]:
            held: dict[TopicPartition, OffsetAndMetadata] = await self.admin.list_consumer_group_offsets(
                group, partitions=list(places)
            )
            if any(place not in held for place in places):
                raise GroupLoadInProgressError
            return held

        return await self.patiently(f"group {group}: committed offsets", ask)

    async def standing(self, group: str, place: TopicPartition) -> OffsetAndMetadata:
        """Return where a group stands on a partition that was just taken over: no transaction may change it any more.

        The predecessor's was decided by the take-over. A broker that lost the decision (docs/kafka.md, "One broker
        alone") would have the lane do again what was done.
        """
        now = asyncio.get_running_loop().time
        deadline = now() + VISIBLE_S
        while True:
            held = await self.patiently(
                f"group {group}: committed offsets", lambda: offsets.stable(self.admin, group, [place])
            )
            if (offset := held[place]) is not None:
                return offset
            if now() >= deadline:
                message = f"{place.topic}/{place.partition}: {UNDECIDED} of group {group}"
                raise BusUnavailable(message)
            await self.bell.heard(RETRY_S)

    async def patiently(self, what: str, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask the admin client, again while the cluster is finding its coordinators and leaders."""
        async with bounded(ASK_S, what):
            while True:
                try:
                    return await ask()
                except KafkaError as error:
                    if not error.retriable:
                        raise
                await self.bell.heard(RETRY_S)
