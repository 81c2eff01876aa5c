"""Fair shares of a group's partitions: pure decisions first, then real members with a clock in hand."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from services.bus.ports import Message
from services.bus.sqlite import SqliteBus
from services.bus.sqlite.groups import Lease, Plan, plan
from services.bus.topics import STORIES, VERDICTS

NOW_MS = 1_000_000
NAMES = ("ann", "bob", "cid", "dan", "eve")

ownerships = st.lists(st.sampled_from([None, *NAMES, "gone"]), min_size=1, max_size=16)
groups_of = st.lists(st.sampled_from(NAMES), min_size=1, max_size=5, unique=True)


def leases_of(owners: list[str | None]) -> list[Lease]:
    """Return leases that run for another second."""
    return [Lease(number, owner, 1, NOW_MS + 1_000, 0) for number, owner in enumerate(owners)]


def applied(leases: list[Lease], todo: Plan, me: str) -> list[Lease]:
    """Return the leases after a member has done as planned."""
    released = {lease.partition_id for lease in todo.release}
    claimed = {lease.partition_id for lease in todo.claim}
    return [
        replace(
            lease,
            owner=None
            if lease.partition_id in released
            else me
            if lease.partition_id in claimed
            else lease.owner,
        )
        for lease in leases
    ]


@given(ownerships, groups_of)
def test_members_that_look_in_turn_share_fairly_and_then_rest(
    owners: list[str | None], members: list[str]
) -> None:
    """After a few turns every partition has a living owner, shares differ by one at most, nobody moves any more."""
    leases = leases_of(owners)
    for _ in range(4):
        for me in members:
            leases = applied(leases, plan(leases, members, me, NOW_MS), me)
    shares = [sum(lease.owner == me for lease in leases) for me in members]
    assert sum(shares) == len(leases)
    assert max(shares) - min(shares) <= 1
    assert all(applied(leases, plan(leases, members, me, NOW_MS), me) == leases for me in members)


@given(ownerships, groups_of)
def test_nobody_takes_what_another_holds(owners: list[str | None], members: list[str]) -> None:
    """Only free partitions are claimed: without an owner, run out, or of a member that is gone."""
    for me in members:
        todo = plan(leases_of(owners), members, me, NOW_MS)
        assert all(lease.owner not in members for lease in todo.claim)
        assert all(lease.owner == me for lease in (*todo.keep, *todo.release))


def test_a_newcomer_does_not_push_out_the_only_owner() -> None:
    """One partition, two members: who has it keeps it, whatever the names."""
    leases = leases_of(["bob"])
    assert plan(leases, ["ann", "bob"], "ann", NOW_MS) == Plan((), (), ())
    assert plan(leases, ["ann", "bob"], "bob", NOW_MS).keep == tuple(leases)


def test_a_lease_that_ran_out_is_free() -> None:
    """Its owner may still be listed: time decides."""
    leases = [Lease(0, "bob", 1, NOW_MS, 0)]
    assert plan(leases, ["ann", "bob"], "ann", NOW_MS).claim == tuple(leases)


async def test_silence_past_the_lease_loses_the_partitions() -> None:
    """A member that says nothing for a lease's time is replaced; when it speaks again it gets its share back."""
    now = [NOW_MS]
    bus = await SqliteBus.open(":memory:", clock_ms=lambda: now[0], lease_s=10)
    silent, awake = await bus.join("g", [STORIES.name]), await bus.join("g", [STORIES.name])
    assert len(await silent.lanes()) == 4
    assert len(await awake.lanes()) == 4
    now[0] += 9_000
    assert len(await awake.lanes()) == 4
    now[0] += 1_001
    assert len(await awake.lanes()) == 8
    assert len(await silent.lanes()) == 0
    assert len(await awake.lanes()) == 4
    assert len(await silent.lanes()) == 4
    await bus.close()


async def test_an_owner_that_stays_busy_is_not_waited_for_past_half_a_lease() -> None:
    """What a newcomer should have is held back, for so long and no longer."""
    now = [NOW_MS]
    bus = await SqliteBus.open(":memory:", clock_ms=lambda: now[0], lease_s=10)
    busy = await bus.join("g", [STORIES.name])
    busy.hold_while(lambda: True)
    other = await bus.join("g", [STORIES.name])
    assert (len(await busy.lanes()), busy.moving, len(await other.lanes())) == (8, True, 0)
    now[0] += 4_900
    assert (len(await busy.lanes()), busy.moving, len(await other.lanes())) == (8, True, 0)
    now[0] += 100
    assert (len(await busy.lanes()), busy.moving, len(await other.lanes())) == (4, False, 4)
    await bus.close()


async def test_committing_renews_the_leases() -> None:
    """A drain that takes long keeps its lanes, although nobody asks for them meanwhile."""
    now = [NOW_MS]
    bus = await SqliteBus.open(":memory:", clock_ms=lambda: now[0], lease_s=10)
    busy = await bus.join("g", [STORIES.name])
    lane, other = (await busy.lanes())[:2]
    await bus.append([Message(STORIES.name, 0, str(n), b"") for n in range(8)])
    for _ in range(8):
        now[0] += 4_000
        batch = await lane.poll(1)
        async with lane.transaction(batch) as outbox:
            outbox.send(Message(VERDICTS.name, 0, "k", b""))
    standby = await bus.join("g", [STORIES.name])
    assert await standby.lanes() == ()
    assert (await other.poll()).records == ()
    await bus.close()
