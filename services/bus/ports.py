"""What the services know of the log: records in, messages out, exactly once.

Two adapters implement it, one contract suite holds both. The exceptions, as a tree::

    BusError                     something is wrong with the log; the message is one clear line
    +- LaneLost                  another owner took this lane: drop it quietly, never retry
    +- BusUnavailable            the log cannot be reached now; retrying later may help
    +- BusDamaged                corrupt, of a newer version or not a tumen database: do not retry
    +- MessageTooLarge           one message is over the log's limit; names topic, key and size
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeAlias

Headers: TypeAlias = tuple[tuple[str, bytes], ...]

# A transaction carries what is waiting, up to these bounds: large enough to spread its cost, small enough
# to classify within a second.
BATCH_RECORDS_MAX = 500
BATCH_BYTES_MAX = 4 * 1024 * 1024
# A live service measures how long its records take and has batches of these sizes.
BATCH_RECORDS_MIN = 20
BATCH_RECORDS_MOST = 5_000
BATCH_BYTES_MOST = 8 * 1024 * 1024


class BusError(Exception):
    """Something is wrong with the log."""


class LaneLost(BusError):  # noqa: N818 - an event of the group protocol, not a failure
    """Another owner took this lane; its uncommitted work is void."""


class BusUnavailable(BusError):  # noqa: N818
    """The log cannot be reached now."""


class BusDamaged(BusError):  # noqa: N818
    """The log cannot be used at all: corrupt, newer, or not ours."""


class MessageTooLarge(BusError):  # noqa: N818
    """One message is over the log's size limit; ``topic`` and ``key`` say which, where that is known."""

    def __init__(self, what: str, topic: str = "", key: str = "") -> None:
        """Take the one line, and whose message it was."""
        super().__init__(what)
        self.topic = topic
        self.key = key


class Message(NamedTuple):
    """A message to append. ``value=None`` is a tombstone."""

    topic: str
    partition: int
    key: str
    value: bytes | None
    headers: Headers = ()


class Record(NamedTuple):
    """A message as the log holds it. ``timestamp_ms`` is the wall clock at append, not event time.

    A named tuple, like Message: there are tens of thousands a second, and a frozen dataclass takes four times as long.
    """

    topic: str
    partition: int
    offset: int
    key: str
    value: bytes | None
    headers: Headers
    timestamp_ms: int


@dataclass(frozen=True, slots=True)
class Batch:
    """What a lane has to do next: records, and the offset that committing them reaches.

    ``next_offset`` is None for a batch without input (timers): its transaction leaves the offset alone.
    """

    records: tuple[Record, ...] = ()
    next_offset: int | None = None


NO_INPUT = Batch()


class Outbox(Protocol):
    """Collects what one transaction appends."""

    def send(self, message: Message) -> None:
        """Append one message if the transaction commits."""

    def send_all(self, messages: Iterable[Message]) -> None:
        """Append these messages, in order, if the transaction commits."""


class Lane(Protocol):
    """One input partition, owned by one member of a group at a time.

    A lane that was lost raises LaneLost from every call; a partition that comes back is a new Lane, whose owner
    restores state anew.
    """

    @property
    def topic(self) -> str:
        """The input topic."""

    @property
    def partition(self) -> int:
        """The input partition."""

    async def poll(self, records_max: int = BATCH_RECORDS_MAX, bytes_max: int = BATCH_BYTES_MAX) -> Batch:
        """Return the next records after the lane's position, without waiting; an empty batch when there are none.

        Polling twice without a transaction in between gives the same records again, perhaps followed by newer
        ones. A record larger than ``bytes_max`` comes alone. Offsets may have holes. What another process committed
        in the last hundredth of a second may not be seen yet.
        """

    @property
    def note(self) -> str:
        """The word kept with the committed offset: as it was when the lane was taken, or as this lane last left it."""

    def transaction(self, batch: Batch, note: str = "") -> AbstractAsyncContextManager[Outbox]:
        """Append what the outbox collects and move the offset, both or neither.

        The note is stored with the offset, in place of the last one: moving on without a note leaves none. Without
        input, a note is stored beside the offset as it is, and no note leaves both alone. Keep it short: Kafka takes
        4,096 bytes.

        Leaving the block commits; an exception inside it appends nothing. Raises LaneLost when ownership was lost,
        BusUnavailable when the outcome is "not now"; the caller may then poll and try again. A task that is cancelled
        while leaving the block does not know the outcome: it must restore its state before it goes on.
        """

    def restore(self, topic: str, partition: int | None = None) -> AsyncIterator[Record]:
        """Read a state topic's partition (the lane's own by default) to its end: the latest record of each key.

        In order of offset. Tombstoned keys do not appear, unless the tombstone is written while this is read.
        """


class Membership(Protocol):
    """A process's part in a consumer group."""

    @property
    def moving(self) -> bool:
        """Whether lanes are about to change hands: what takes longer than a transaction is not begun now."""

    def hold_while(self, busy: Callable[[], bool]) -> None:
        """Keep lanes from moving, for a bounded time, while ``busy`` says that work outside the log is not committed.

        The owner goes on calling ``lanes`` and committing meanwhile. Without it, lanes move at any moment.
        """

    async def lanes(self) -> Sequence[Lane]:
        """Return the lanes owned now, in (topic, partition) order; renews leases and rebalances when due.

        The same Lane object is returned for as long as ownership is uninterrupted.
        """

    async def wait(self, timeout_s: float) -> None:
        """Return when a lane has records to poll, the assignment may have changed, or the time is up.

        Level-triggered: returns at once while a lane has unread records.
        """

    async def close(self) -> None:
        """Leave the group: lanes are free for others at once."""


class Tail(Protocol):
    """A reader without a group: tables, the desk, ``tumen tail``."""

    async def poll(self, records_max: int = BATCH_RECORDS_MAX) -> Sequence[Record]:
        """Return the next records of the topics, in order per partition; empty when there are none now."""

    async def wait(self, timeout_s: float) -> None:
        """Return when there is something to poll or the time is up. Level-triggered."""

    async def close(self) -> None:
        """Release what the tail holds."""


class Bus(Protocol):
    """The log."""

    async def join(self, group: str, topics: Sequence[str]) -> Membership:
        """Join a consumer group on these input topics; every member of a group names the same ones.

        A group that is new to a partition begins at its start.
        """

    def read(self, topic: str, *, partition: int | None = None) -> AsyncIterator[Record]:
        """Read a topic from its start to the end seen at the call, tombstones included."""

    async def tail(self, topics: Sequence[str], *, start: bool = True) -> Tail:
        """Follow topics from their start, or from now on."""

    async def append(self, messages: Sequence[Message]) -> None:
        """Append messages, all or none, outside any group (imports, the command line, the desk).

        A cancelled call has appended all or none.
        """

    async def partitions(self, topic: str) -> int:
        """Return the topic's number of partitions."""

    async def ends(self, topic: str) -> Mapping[int, int]:
        """Return each partition's next offset, as it is now."""

    async def lag(self, group: str, topic: str) -> Mapping[int, int]:
        """Return for each partition how many records the group has not yet committed.

        Where compaction or retention left holes it is an upper bound; 0 always means that nothing is left.
        """

    async def close(self) -> None:
        """Release everything; memberships and tails are void afterwards."""
