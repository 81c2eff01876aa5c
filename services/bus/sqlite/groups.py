"""Consumer groups: who owns which partition, until when, and how far they have come.

Members share partitions by leases. Whoever claims a partition raises its epoch; every commit checks owner and
epoch under the write lock, so an owner that slept past its lease cannot commit once another has taken over.
Everything that touches the database runs inside the caller's transaction, in the worker's thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.bus.ports import LaneLost
from services.bus.sqlite.identity import surely_dead
from services.bus.sqlite.query import first, rows

if TYPE_CHECKING:
    import apsw

RENEWALS_PER_LEASE = 3
"""A lease is renewed this often: two renewals may be late before it runs out."""
LOOK_MS_MAX = 1_000
"""Who has company looks this often whether a process was killed: its partitions need not wait for the lease."""


@dataclass(frozen=True, slots=True)
class Lease:
    """One partition of a group as the database has it."""

    partition_id: int
    owner: str | None
    epoch: int
    until_ms: int
    position: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What one member should do about the leases of its group."""

    keep: tuple[Lease, ...]
    release: tuple[Lease, ...]
    claim: tuple[Lease, ...]


@dataclass(frozen=True, slots=True)
class Holding:
    """What a member owns after a rebalance, and when it should look again."""

    leases: tuple[Lease, ...]
    generation: int
    next_ms: int
    surplus: bool
    """Whether it has more than its share still."""


@dataclass(frozen=True, slots=True)
class Member:
    """One member of a group: who, in which group, on which partitions, for how long at a time."""

    group: str
    identity: str
    partition_ids: tuple[int, ...]
    lease_ms: int


def plan(leases: Sequence[Lease], members: Sequence[str], me: str, now_ms: int) -> Plan:
    """Return what ``me`` keeps, gives up and takes for every member to own its fair share.

    Shares differ by one at most, and the larger ones go to those who hold most: nobody loses a partition only
    to another's name.
    """
    held = dict.fromkeys(members, 0)
    for lease in leases:
        if lease.owner in held and (lease.until_ms > now_ms or lease.owner == me):
            held[lease.owner] += 1
    ranking = sorted(members, key=lambda member: (-held[member], member))
    small, rest = divmod(len(leases), len(members))
    share = small + (ranking.index(me) < rest)
    mine = [lease for lease in leases if lease.owner == me]
    free = [
        lease
        for lease in leases
        if lease.owner != me and (lease.owner not in held or lease.until_ms <= now_ms)
    ]
    return Plan(tuple(mine[:share]), tuple(mine[share:]), tuple(free[: max(0, share - len(mine))]))


def rebalance(connection: apsw.Connection, member: Member, now_ms: int, *, release: bool = True) -> Holding:
    """Renew what the member owns, give up what is too much (unless it may not yet), claim what is free."""
    until_ms = now_ms + member.lease_ms
    changed = _announce(connection, member, until_ms)
    gone = _bury(connection, member, now_ms)
    leases = _leases(connection, member)
    alive = rows(connection, "SELECT identity FROM members WHERE group_name = ?", (member.group,))
    todo = plan(leases, [identity for (identity,) in alive], member.identity, now_ms)
    _own(connection, member, [lease.partition_id for lease in todo.claim], until_ms)
    released = todo.release if release else ()
    _release(connection, member, [lease.partition_id for lease in released])
    if changed or gone or released or todo.claim:
        _next_generation(connection, member.group)
    owned = _owned(connection, member)
    held = {lease.partition_id for lease in owned}
    others = [
        lease.until_ms for lease in leases if lease.partition_id not in held and lease.until_ms > now_ms
    ]
    renewal_ms = member.lease_ms // RENEWALS_PER_LEASE
    pause_ms = renewal_ms if len(alive) == 1 else min(renewal_ms, LOOK_MS_MAX)
    next_ms = min([now_ms + pause_ms, *others])
    return Holding(owned, _generation(connection, member.group), next_ms, released != todo.release)


def _owned(connection: apsw.Connection, member: Member) -> tuple[Lease, ...]:
    return tuple(lease for lease in _leases(connection, member) if lease.owner == member.identity)


def _announce(connection: apsw.Connection, member: Member, until_ms: int) -> bool:
    """Say that the member lives, and extend its leases; return whether it is new to the group."""
    row = (member.group, member.identity)
    known = first(connection, "SELECT 1 FROM members WHERE group_name = ? AND identity = ?", row)
    connection.executemany(
        "INSERT OR IGNORE INTO leases (group_name, partition_id) VALUES (?, ?)",
        [(member.group, id_) for id_ in member.partition_ids],
    )
    connection.execute("INSERT OR IGNORE INTO groups (name) VALUES (?)", (member.group,))
    connection.execute("INSERT OR IGNORE INTO members VALUES (?, ?, 0)", row)
    renew(connection, member, until_ms)
    return known is None


def renew(connection: apsw.Connection, member: Member, until_ms: int) -> None:
    """Extend the member and all it owns."""
    row = (until_ms, member.group, member.identity)
    connection.execute("UPDATE members SET until_ms = ? WHERE group_name = ? AND identity = ?", row)
    connection.execute("UPDATE leases SET until_ms = ? WHERE group_name = ? AND owner = ?", row)


def _bury(connection: apsw.Connection, member: Member, now_ms: int) -> bool:
    """Remove members whose time is up or whose process is gone, and free what they owned."""
    members = rows(connection, "SELECT identity, until_ms FROM members WHERE group_name = ?", (member.group,))
    gone = [
        (member.group, identity)
        for identity, until_ms in members
        if identity != member.identity and (until_ms <= now_ms or surely_dead(identity))
    ]
    connection.executemany("DELETE FROM members WHERE group_name = ? AND identity = ?", gone)
    connection.executemany("UPDATE leases SET owner = NULL WHERE group_name = ? AND owner = ?", gone)
    return bool(gone)


def _leases(connection: apsw.Connection, member: Member) -> list[Lease]:
    leases = rows(
        connection,
        "SELECT partition_id, owner, epoch, until_ms, position, metadata FROM leases WHERE group_name = ? ORDER BY partition_id",
        (member.group,),
    )
    mine = frozenset(member.partition_ids)
    return [Lease(*row) for row in leases if row[0] in mine]


def _own(connection: apsw.Connection, member: Member, partition_ids: Sequence[int], until_ms: int) -> None:
    connection.executemany(
        "UPDATE leases SET owner = ?, epoch = epoch + 1, until_ms = ? WHERE group_name = ? AND partition_id = ?",
        [(member.identity, until_ms, member.group, id_) for id_ in partition_ids],
    )


def _release(connection: apsw.Connection, member: Member, partition_ids: Sequence[int]) -> None:
    connection.executemany(
        "UPDATE leases SET owner = NULL WHERE group_name = ? AND partition_id = ?",
        [(member.group, id_) for id_ in partition_ids],
    )


def _next_generation(connection: apsw.Connection, group: str) -> None:
    """Tell the other members that a look is worthwhile."""
    connection.execute("UPDATE groups SET generation = generation + 1 WHERE name = ?", (group,))


def _generation(connection: apsw.Connection, group: str) -> int:
    generation = connection.execute("SELECT generation FROM groups WHERE name = ?", (group,)).get
    return int(generation)


def leave(connection: apsw.Connection, member: Member) -> int:
    """Free everything the member owns, at once; return the group's new generation."""
    row = (member.group, member.identity)
    connection.execute("DELETE FROM members WHERE group_name = ? AND identity = ?", row)
    connection.execute("UPDATE leases SET owner = NULL WHERE group_name = ? AND owner = ?", row)
    _next_generation(connection, member.group)
    return _generation(connection, member.group)


def demand(connection: apsw.Connection, member: Member, partition_id: int, epoch: int) -> int:
    """Return the committed position of a partition the member owns in this epoch, or raise LaneLost."""
    row = (member.group, partition_id)
    found = first(
        connection, "SELECT owner, epoch, position FROM leases WHERE group_name = ? AND partition_id = ?", row
    )
    if found is None or found[:2] != (member.identity, epoch):
        message = f"group {member.group}: another owner took this partition"
        raise LaneLost(message)
    return int(found[2])


def advance(connection: apsw.Connection, member: Member, partition_id: int, position: int, note: str) -> None:
    """Move the committed position, and the word that is kept with it."""
    connection.execute(
        "UPDATE leases SET position = ?, metadata = ? WHERE group_name = ? AND partition_id = ?",
        (position, note, member.group, partition_id),
    )


def positions(connection: apsw.Connection, group: str) -> dict[int, int]:
    """Return the committed position of every partition the group has ever owned."""
    query = "SELECT partition_id, position FROM leases WHERE group_name = ?"
    return dict(rows(connection, query, (group,)))
