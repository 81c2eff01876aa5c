"""One alone, or many side by side."""

from __future__ import annotations

import asyncio

import pytest

from services.bus.aisle import Aisle


class Walker:
    """Walks the aisle; stays in it until told to leave."""

    def __init__(self, aisle: Aisle, *, alone: bool) -> None:
        """Set out."""
        self.inside = asyncio.Event()
        self.leave = asyncio.Event()
        self._way = aisle.alone() if alone else aisle.together()
        self.task = asyncio.ensure_future(self._walk())

    async def _walk(self) -> None:
        async with self._way:
            self.inside.set()
            await self.leave.wait()

    async def out(self) -> None:
        """Leave."""
        self.leave.set()
        await self.task


async def turns() -> None:
    """Give every task its turns."""
    for _ in range(5):
        await asyncio.wait([asyncio.ensure_future(_nothing())])


async def _nothing() -> None:
    """Give other tasks a turn."""


async def test_many_walk_side_by_side() -> None:
    """Nobody waits for anybody."""
    aisle = Aisle()
    walkers = [Walker(aisle, alone=False) for _ in range(3)]
    await turns()
    assert all(walker.inside.is_set() for walker in walkers)
    await asyncio.gather(*(walker.out() for walker in walkers))


async def test_who_wants_to_be_alone_waits_and_is() -> None:
    """Those inside finish, nobody enters meanwhile, and then all go on."""
    aisle = Aisle()
    first, second = Walker(aisle, alone=False), Walker(aisle, alone=False)
    await turns()
    one, other = Walker(aisle, alone=True), Walker(aisle, alone=True)
    late = Walker(aisle, alone=False)
    await turns()
    await first.out()
    await turns()
    assert [walker.inside.is_set() for walker in (one, other, late)] == [False, False, False]
    await second.out()
    await turns()
    assert [walker.inside.is_set() for walker in (one, other, late)] == [True, False, False]
    await one.out()
    await other.inside.wait()
    await other.out()
    await late.inside.wait()
    await late.out()


async def test_who_gives_up_leaves_the_aisle_free() -> None:
    """A walk that is cancelled, waiting or inside, blocks nobody."""
    aisle = Aisle()
    inside = Walker(aisle, alone=False)
    await turns()
    waiting = Walker(aisle, alone=True)
    await turns()
    waiting.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting.task
    free = Walker(aisle, alone=False)
    await turns()
    assert free.inside.is_set()
    for walker in (inside, free):
        walker.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await walker.task
    last = Walker(aisle, alone=True)
    await turns()
    assert last.inside.is_set()
    await last.out()
