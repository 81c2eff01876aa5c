"""What every adapter tells of its work: transactions, fences, restores, and which partitions are whose."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from services.bus.kafka import KafkaBus
from services.bus.ports import LaneLost, Message
from services.bus.sqlite import SqliteBus
from services.bus.topics import STORIES, STORYLINES, VERDICTS
from tests.kafka_bus import a_cluster, make_topics

if TYPE_CHECKING:
    from pathlib import Path

    from services.bus.ports import Bus, Lane
    from services.bus.signals import Fate, Place, Signals

SOON_S = 20.0
LEASE_S = 1.0
Opener = Callable[["Signals"], Awaitable["Bus"]]


@dataclass
class Heard:
    """Remembers what it is told."""

    told: list[tuple[object, ...]] = field(default_factory=list)
    owned: dict[str, set[Place]] = field(default_factory=dict)

    def committed(self, group: str, seconds: float, records: int, messages: int) -> None:
        """Remember a transaction; how long it took is only held to be possible."""
        assert 0 <= seconds < SOON_S
        self.told.append(("committed", group, records, messages))

    def aborted(self, group: str) -> None:
        """Remember a failed transaction."""
        self.told.append(("aborted", group))

    def fenced(self, group: str) -> None:
        """Remember a refused transaction."""
        self.told.append(("fenced", group))

    def rebuilt(self, group: str, fate: Fate) -> None:
        """Remember a lane taken anew."""
        self.told.append(("rebuilt", group, fate))

    def restored(self, group: str, seconds: float, records: int) -> None:
        """Remember a restore."""
        assert 0 <= seconds < SOON_S
        self.told.append(("restored", group, records))

    def owns(self, group: str, places: Collection[Place]) -> None:
        """Remember what is owned now."""
        self.owned[group] = set(places)


@pytest.fixture(params=["sqlite", pytest.param("kafka", marks=pytest.mark.broker)])
async def open_bus(request: pytest.FixtureRequest, tmp_path: Path) -> Opener:
    """Return an opener of the bus under test; the buses of one test share its topics."""
    if request.param == "kafka":
        cluster = a_cluster(request.getfixturevalue("broker"))
        await make_topics(cluster)
        return lambda signals: KafkaBus.open(cluster, signals)
    return lambda signals: SqliteBus.open(str(tmp_path / "bus.db"), signals, durable=False, lease_s=LEASE_S)


async def relay(lane: Lane, records_max: int = 100) -> None:
    """Copy what a lane has to the verdicts."""
    batch = await lane.poll(records_max)
    if batch.records:
        async with lane.transaction(batch) as outbox:
            outbox.send_all(Message(VERDICTS.name, 0, r.key, r.value) for r in batch.records for _ in "ab")


def stories(*partitions: int) -> list[Message]:
    """Return a story for each partition."""
    return [Message(STORIES.name, partition, "k", b"x") for partition in partitions]


async def test_transactions_and_restores_are_told(open_bus: Opener) -> None:
    """A commit says how many records and messages it had, a restore how many records it read."""
    heard = Heard()
    bus = await open_bus(heard)
    await bus.append([*stories(0, 0, 0), Message(STORYLINES.name, 0, "s", b"x")])
    lane = next(lane for lane in await (await bus.join("g", [STORIES.name])).lanes() if lane.partition == 0)
    assert [record.key async for record in lane.restore(STORYLINES.name, 0)] == ["s"]
    await relay(lane)
    await bus.close()
    assert heard.told == [("restored", "g", 1), ("committed", "g", 3, 6)]


async def test_each_partition_is_told_to_be_one_members(open_bus: Opener) -> None:
    """A second member takes half; both say so at once, and a member that leaves has none."""
    ours, theirs = Heard(), Heard()
    one, other = await open_bus(ours), await open_bus(theirs)
    first = await one.join("g", [STORIES.name])
    await first.lanes()
    everything = {(STORIES.name, partition) for partition in range(8)}
    assert ours.owned == {"g": everything}
    second = await other.join("g", [STORIES.name])
    async with asyncio.timeout(SOON_S):
        while not (len(ours.owned["g"]) == len(theirs.owned.get("g", ())) == 4):
            await asyncio.gather(first.lanes(), second.lanes())
            await asyncio.gather(first.wait(0.1), second.wait(0.1))
    assert ours.owned["g"] | theirs.owned["g"] == everything
    await first.close()
    assert ours.owned == {"g": set()}
    await other.close()
    await one.close()
    assert theirs.owned == {"g": set()}


async def test_a_refused_transaction_is_told(open_bus: Opener) -> None:
    """Whoever lost a partition without knowing it hears so at the commit, as a fence."""
    ours = Heard()
    one, other = await open_bus(ours), await open_bus(Heard())
    await one.append(stories(*range(8)))
    first = await one.join("g", [STORIES.name])
    begun = [(lane, await lane.poll()) for lane in await first.lanes()]
    second = await other.join("g", [STORIES.name])
    async with asyncio.timeout(SOON_S):
        while not await second.lanes():
            await second.wait(0.1)
    for lane, batch in begun:
        try:
            async with lane.transaction(batch):
                pass
        except LaneLost:
            break
    await other.close()
    await one.close()
    assert ("fenced", "g") in ours.told


async def test_lag_counts_what_was_polled_and_not_committed(open_bus: Opener) -> None:
    """A record that is being worked on is not done; one that was committed leaves nothing behind."""
    bus = await open_bus(Heard())
    await bus.append(stories(0, 0, 0))
    lane = next(lane for lane in await (await bus.join("g", [STORIES.name])).lanes() if lane.partition == 0)
    await lane.poll(2)
    assert (await bus.lag("g", STORIES.name))[0] == 3
    await relay(lane, 2)
    assert (await bus.lag("g", STORIES.name))[0] == 1
    await relay(lane)
    assert (await bus.lag("g", STORIES.name))[0] == 0
    await bus.close()
