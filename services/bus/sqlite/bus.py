"""SqliteBus: the port on one SQLite file."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence

from services.bus.ports import BusError, Message, Record
from services.bus.signals import SILENT, Signals
from services.bus.sqlite import groups, reading, upkeep
from services.bus.sqlite.bell import Bell
from services.bus.sqlite.engine import Engine
from services.bus.sqlite.groups import Member
from services.bus.sqlite.identity import new_identity
from services.bus.sqlite.lanes import MS_PER_S, SqliteMembership
from services.bus.sqlite.schema import MEMORY, open_database
from services.bus.sqlite.store import Rows, Store
from services.bus.sqlite.tails import SqliteTail
from services.bus.sqlite.upkeep import Upkeep
from services.bus.sqlite.worker import Worker
from services.bus.topics import SQLITE_SHARDS
from services.clock import SystemClock

# A process that is stopped keeps its partitions this long; one that was killed loses them at once.
LEASE_S = 10.0
# How long to insist on a lock that another process holds, before saying so.
BUSY_S = 10.0


def wall_clock_ms() -> int:
    """Return the machine's time in milliseconds since 1970."""
    return int(SystemClock().now().timestamp() * MS_PER_S)


class SqliteBus:
    """The log on one SQLite file, or in memory for one process."""

    def __init__(self, engine: Engine) -> None:
        """Take the parts; ``open`` makes them."""
        self._engine = engine
        self._identity = new_identity()
        self._memberships: list[SqliteMembership] = []
        self._closed = False

    @classmethod
    async def open(  # noqa: PLR0913 - each is a choice of whoever runs the process
        cls,
        path: str,
        signals: Signals = SILENT,
        *,
        shards: int = SQLITE_SHARDS,
        durable: bool = True,
        clock_ms: Callable[[], int] = wall_clock_ms,
        lease_s: float = LEASE_S,
        busy_s: float = BUSY_S,
    ) -> SqliteBus:
        """Open or create the log at a path, or ``:memory:``.

        ``shards`` counts for topics that the file does not hold yet. ``durable=False`` leaves writing to the
        operating system: for databases that are thrown away.
        """
        worker = Worker(f"tumen-bus {path}")

        def start() -> Store:
            connection = open_database(path, shards=shards, durable=durable, busy_s=busy_s)
            store = Store(connection, path, busy_s=busy_s, closing=worker.closing.is_set)
            store.refresh()
            return store

        try:
            store = await worker.run(start)
        except BaseException:
            await worker.close(lambda: None)
            raise
        engine = Engine(worker, store, Bell(), clock_ms, int(lease_s * MS_PER_S), path == MEMORY, signals)
        worker.watch = engine.look
        return cls(engine)

    async def join(self, group: str, topics: Sequence[str]) -> SqliteMembership:
        """Join a consumer group; members of one group name the same topics."""
        engine = self._engine
        ids = tuple(place.id for topic in topics for place in engine.store.of_topic(topic))
        membership = SqliteMembership(engine, Member(group, new_identity(), ids, engine.lease_ms))
        self._memberships.append(membership)
        await membership.rebalance()
        return membership

    async def read(self, topic: str, *, partition: int | None = None) -> AsyncIterator[Record]:
        """Read a topic, partition after partition, to the ends seen at the call."""
        engine = self._engine
        await engine.run(engine.look)
        places = engine.store.of_topic(topic)
        ends = {
            place: engine.store.ends[place.id] for place in places if partition in {None, place.partition}
        }
        for place, end in ends.items():
            async for record in reading.whole(engine, place, end):
                yield record

    async def tail(self, topics: Sequence[str], *, start: bool = True) -> SqliteTail:
        """Follow topics from their start, or from now on."""
        store = self._engine.store
        await self._engine.run(self._engine.look)
        places = [place for topic in topics for place in store.of_topic(topic)]
        return SqliteTail(self._engine, {place: 0 if start else store.ends[place.id] for place in places})

    async def append(self, messages: Sequence[Message]) -> None:
        """Append messages, all or none."""
        rows: Rows = {}
        for message in messages:
            self._engine.store.prepare(rows, message)
        if rows:
            await self._engine.run(lambda: self._engine.append(rows))

    async def partitions(self, topic: str) -> int:
        """Return the topic's number of partitions in this database."""
        return len(self._engine.store.of_topic(topic))

    async def ends(self, topic: str) -> Mapping[int, int]:
        """Return each partition's next offset."""
        await self._engine.run(self._engine.look)
        store = self._engine.store
        return {place.partition: store.ends[place.id] for place in store.of_topic(topic)}

    async def lag(self, group: str, topic: str) -> Mapping[int, int]:
        """Return what the group has not committed; where compaction left holes, at most so much."""
        places = self._engine.store.of_topic(topic)

        def count() -> Mapping[int, int]:
            self._engine.look()
            store = self._engine.store
            positions = store.patiently(lambda: groups.positions(store.connection, group))
            lags = {}
            for place in places:
                first = store.first_offset(place, positions.get(place.id, 0))
                lags[place.partition] = 0 if first is None else store.ends[place.id] - first
            return lags

        return await self._engine.run(count)

    async def maintain(self) -> Upkeep:
        """Compact, expire and checkpoint in small steps; call it every few seconds, one process will act."""
        engine = self._engine
        if not await engine.run(lambda: upkeep.take_duty(engine.store, self._identity, engine.clock_ms())):
            return Upkeep(on_duty=False)
        removed = 0
        for _ in range(upkeep.STEPS_MAX):
            count = await engine.run(lambda: upkeep.step(engine.store, engine.clock_ms()))
            removed += count
            if not count:
                break
        await engine.run(lambda: upkeep.checkpoint(engine.store))
        return Upkeep(on_duty=True, removed=removed)

    async def close(self) -> None:
        """Leave every group, then close the file."""
        if self._closed:
            return
        self._closed = True
        await self._engine.worker.close(self._leave)
        for membership in self._memberships:
            membership.tell()
        self._engine.bell.ring()  # whoever still waits need not wait for nothing

    def _leave(self) -> None:
        store = self._engine.store
        try:
            for membership in self._memberships:
                membership.leave()
            with store.writing() as connection:
                upkeep.drop_duty(connection, self._identity)
        except BusError:
            return  # a lock or a disk is in the way: leases run out by themselves
        finally:
            store.connection.close(force=True)
