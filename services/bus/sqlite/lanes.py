"""A member of a consumer group, and the partitions it owns."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from time import monotonic
from typing import TYPE_CHECKING

from services.bus.ports import (
    BATCH_BYTES_MAX,
    BATCH_RECORDS_MAX,
    NO_INPUT,
    Batch,
    BusUnavailable,
    LaneLost,
    Message,
    Outbox,
    Record,
)
from services.bus.sqlite import groups, reading

if TYPE_CHECKING:
    from services.bus.sqlite.engine import Engine
    from services.bus.sqlite.groups import Lease, Member
    from services.bus.sqlite.store import Place, Rows, Store

MS_PER_S = 1_000
HELD_LOOK_MS = 50
"""Whose partitions are held back looks this often whether they may go."""


class SqliteOutbox:
    """Collects messages, ready to be written; nothing is locked meanwhile."""

    def __init__(self, store: Store) -> None:
        """Start empty."""
        self.rows: Rows = {}
        self._store = store

    def send(self, message: Message) -> None:
        """Append one message if the transaction commits."""
        self._store.prepare(self.rows, message)

    def send_all(self, messages: Iterable[Message]) -> None:
        """Append these messages, in order, if the transaction commits."""
        for message in messages:
            self._store.prepare(self.rows, message)


class SqliteLane:
    """One owned partition. ``position`` is where the next poll begins; the database has the committed one."""

    def __init__(self, membership: SqliteMembership, place: Place, lease: Lease) -> None:
        """Take what was claimed."""
        self._membership = membership
        self._engine = membership.engine
        self._place = place
        self._epoch = lease.epoch
        self._position = lease.position
        self._note = lease.note
        self.lost = False

    @property
    def topic(self) -> str:
        """The input topic."""
        return self._place.topic

    @property
    def partition(self) -> int:
        """The input partition."""
        return self._place.partition

    @property
    def note(self) -> str:
        """The word kept with the committed offset."""
        return self._note

    @property
    def epoch(self) -> int:
        """The number of the claim by which this lane is owned."""
        return self._epoch

    @property
    def unread(self) -> bool:
        """Whether there may be records to poll, as far as this process knows."""
        return self._position < self._engine.store.ends[self._place.id]

    async def poll(self, records_max: int = BATCH_RECORDS_MAX, bytes_max: int = BATCH_BYTES_MAX) -> Batch:
        """Return the next records; an unchanged partition is empty without a query."""
        self._demand()
        if not self.unread and self._engine.fresh():
            return NO_INPUT
        return await self._engine.run(lambda: self._poll(records_max, bytes_max))

    def _poll(self, records_max: int, bytes_max: int) -> Batch:
        self._engine.look()
        store = self._engine.store
        store.patiently(self._demand_lease)
        end = store.ends[self._place.id]
        records = store.fetch(self._place, self._position, end, records_max, bytes_max)
        if not records:  # what was there has been compacted or has expired
            self._position = max(self._position, end)
            return NO_INPUT
        return Batch(tuple(records), records[-1].offset + 1)

    @asynccontextmanager
    async def transaction(self, batch: Batch, note: str = "") -> AsyncIterator[Outbox]:
        """Commit the outbox and the offset at the end of the block, in one call of the worker."""
        self._demand()
        outbox = SqliteOutbox(self._engine.store)
        yield outbox
        if batch.next_offset is not None or outbox.rows or note:
            await self._heard(batch, outbox.rows, note)

    async def _heard(self, batch: Batch, rows: Rows, note: str) -> None:
        """Commit, and tell how it went."""
        signals, group = self._engine.signals, self._membership.member.group
        begun = monotonic()
        try:
            await self._engine.run(lambda: self._commit(batch, rows, note))
        except LaneLost:
            signals.fenced(group)
            raise
        except Exception:
            signals.aborted(group)
            raise
        messages = sum(len(added) for added in rows.values())
        signals.committed(group, monotonic() - begun, len(batch.records), messages)

    def _commit(self, batch: Batch, rows: Rows, note: str) -> None:
        self._engine.write(lambda now_ms: self._write(batch, rows, note, now_ms))
        if batch.next_offset is not None or note:
            self._note = note
        if batch.next_offset is not None:
            self._position = batch.next_offset

    def _write(self, batch: Batch, rows: Rows, note: str, now_ms: int) -> dict[int, int]:
        store = self._engine.store
        committed = self._demand_lease()
        if batch.next_offset is not None:
            first = batch.records[0].offset if batch.records else batch.next_offset
            if first < committed:
                message = f"{self.topic}/{self.partition}: offset {first} was committed before"
                raise ValueError(message)
        if batch.next_offset is not None or note:
            reach = committed if batch.next_offset is None else batch.next_offset
            groups.advance(store.connection, self._membership.member, self._place.id, reach, note)
        self._membership.renew_if_due(now_ms)
        return store.append(rows, now_ms)

    def _demand(self) -> None:
        if self.lost:
            message = f"{self.topic}/{self.partition} has another owner now"
            raise LaneLost(message)

    def _demand_lease(self) -> int:
        """Return the committed position, or find out that the lane was lost (in the worker's thread)."""
        self._demand()
        try:
            return groups.demand(
                self._engine.store.connection, self._membership.member, self._place.id, self._epoch
            )
        except LaneLost:
            self.lost = True
            raise

    async def restore(self, topic: str, partition: int | None = None) -> AsyncIterator[Record]:
        """Read the latest record of each key of a state topic."""
        self._demand()
        place = self._engine.store.place(topic, self.partition if partition is None else partition)
        begun, count = monotonic(), 0
        async for record in reading.latest(self._engine, place):
            yield record
            count += 1
            self._demand()
        self._engine.signals.restored(self._membership.member.group, monotonic() - begun, count)


class SqliteMembership:
    """A part in a consumer group: renews its leases when asked for lanes, when waiting and when committing."""

    def __init__(self, engine: Engine, member: Member) -> None:
        """Take the member's name and partitions; ``rebalance`` comes next."""
        self.engine = engine
        self.member = member
        self._places = {place.id: place for place in engine.store.places.values()}
        self._lanes: dict[int, SqliteLane] = {}
        self._generation = -1
        self._rebalance_at_ms = 0
        self._renew_at_ms = 0
        self._closed = False
        self._busy: Callable[[], bool] = lambda: False
        self._moves_at_ms: int | None = None
        """When what is held back is given up, busy or not."""

    @property
    def moving(self) -> bool:
        """Whether partitions are held back that others should have."""
        return self._moves_at_ms is not None

    def hold_while(self, busy: Callable[[], bool]) -> None:
        """Give nothing up, for half a lease at most, while the owner is busy."""
        self._busy = busy

    async def lanes(self) -> Sequence[SqliteLane]:
        """Return the lanes owned now; costs nothing while no renewal is due."""
        if self._due():
            await self.rebalance()
        return tuple(lane for lane in self._lanes.values() if not lane.lost)

    def _due(self) -> bool:
        news = self.engine.store.generations.get(self.member.group, self._generation)
        return (
            news != self._generation
            or self.engine.clock_ms() >= self._rebalance_at_ms
            or any(lane.lost for lane in self._lanes.values())
        )

    async def rebalance(self) -> bool:
        """Renew, give up, claim; return whether the assignment changed."""
        late = self._moves_at_ms is not None and self.engine.clock_ms() >= self._moves_at_ms
        release = late or not self._busy()
        changed = await self.engine.run(lambda: self._rebalance(release=release))
        if changed:
            self.tell()
        return changed

    def tell(self) -> None:
        """Say which partitions are this member's."""
        owned = [(lane.topic, lane.partition) for lane in self._lanes.values()]
        self.engine.signals.owns(self.member.group, owned)

    def _rebalance(self, *, release: bool) -> bool:
        if self._closed:
            return False
        with self.engine.store.writing() as connection:
            now_ms = self.engine.clock_ms()
            holding = groups.rebalance(connection, self.member, now_ms, release=release)
        self._generation = holding.generation
        self.engine.announce(self.member.group, holding.generation)
        self._rebalance_at_ms = holding.next_ms
        if not holding.surplus:
            self._moves_at_ms = None
        else:
            self._rebalance_at_ms = min(now_ms + HELD_LOOK_MS, holding.next_ms)
            self._moves_at_ms = self._moves_at_ms or now_ms + self.member.lease_ms // 2
        self._renew_at_ms = now_ms + self.member.lease_ms // groups.RENEWALS_PER_LEASE
        return self._adopt(holding.leases)

    def _adopt(self, leases: Sequence[Lease]) -> bool:
        """Keep the lanes whose ownership is uninterrupted, make the new ones, mark the others lost."""
        before = self._lanes
        lanes: dict[int, SqliteLane] = {}
        for lease in leases:
            lane = before.get(lease.partition_id)
            if lane is None or lane.lost or lane.epoch != lease.epoch:
                lane = SqliteLane(self, self._places[lease.partition_id], lease)
            lanes[lease.partition_id] = lane
        for id_, lane in before.items():
            lane.lost = lane.lost or lanes.get(id_) is not lane
        self._lanes = lanes
        return lanes != before

    def renew_if_due(self, now_ms: int) -> None:
        """Extend the leases inside a transaction that commits anyway: a long drain keeps what it owns."""
        if now_ms >= self._renew_at_ms:
            groups.renew(self.engine.store.connection, self.member, now_ms + self.member.lease_ms)
            self._renew_at_ms = now_ms + self.member.lease_ms // groups.RENEWALS_PER_LEASE

    async def wait(self, timeout_s: float) -> None:
        """Wait for records, a rebalance or the time; leases are renewed meanwhile."""
        if self._closed:
            raise BusUnavailable("the member has left its group")
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while not self._closed:
            if self._due() and await self.rebalance():
                return
            renewal_s = (self._rebalance_at_ms - self.engine.clock_ms()) / MS_PER_S
            left = deadline - loop.time()
            await self.engine.wait_until(
                lambda: self._closed or self._unread() or self._due(), min(left, renewal_s)
            )
            if self._unread() or loop.time() >= deadline:
                return

    def _unread(self) -> bool:
        return any(lane.unread for lane in self._lanes.values())

    async def close(self) -> None:
        """Leave the group."""
        if not self._closed:
            await self.engine.run(self.leave)
            self.tell()

    def leave(self) -> None:
        """Free the leases (in the worker's thread)."""
        if self._closed:
            return
        self._closed = True
        for lane in self._lanes.values():
            lane.lost = True
        self._lanes = {}
        with self.engine.store.writing() as connection:
            generation = groups.leave(connection, self.member)
        self.engine.announce(self.member.group, generation)
