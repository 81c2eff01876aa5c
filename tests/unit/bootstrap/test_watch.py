"""The watch over progress: what stands still is ended, and a log that answers nothing does not silence the watch."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from io import StringIO
from typing import TYPE_CHECKING, cast

import pytest

from services.bootstrap import watch as module
from services.bootstrap.tally import Tally
from services.bootstrap.watch import Standing, Watch
from services.bus.ports import BusUnavailable
from services.bus.topics import STORIES
from services.obs.ending import EXIT_RESTART
from services.obs.metrics import Metrics
from tests.live import until

if TYPE_CHECKING:
    from services.bootstrap.opening import Log

STALL_S = 0.4
CLASSIFIER = "classifier"


class StillLog:
    """A log in which three records wait, and whose upkeep is whatever a test makes of it."""

    def __init__(self) -> None:
        """Begin without trouble."""
        self.upkeep: Callable[[], asyncio.Future[None] | None] = lambda: None
        self.looks = 0

    async def maintain(self) -> None:
        """Do what the test wants."""
        self.looks += 1
        if (waiting := self.upkeep()) is not None:
            await waiting

    async def lag(self, group: str, topic: str) -> Mapping[int, int]:
        """Have three records left."""
        return {0: 3}


class Watched:
    """A process under watch that notes how it would have ended."""

    def __init__(self) -> None:
        """Own one partition."""
        self.log = StillLog()
        self.tally = Tally(Metrics())
        self.tally.owns(CLASSIFIER, [(STORIES.name, 0)])
        self.standing = Standing(asyncio.Event())
        self.left: list[int] = []
        self.watch = Watch(cast("Log", self.log), [CLASSIFIER], self.tally, self.standing, STALL_S)
        self.watch.leave = self.left.append

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Keep watch during the block."""
        over = asyncio.Event()
        stopping = asyncio.create_task(over.wait())
        keeping = asyncio.create_task(self.watch.keep(stopping))
        try:
            yield
        finally:
            over.set()
            await asyncio.wait_for(keeping, 5)


@pytest.fixture
async def watched(monkeypatch: pytest.MonkeyPatch) -> Watched:
    """Return a process that is not yet watched; a log may be silent for as long as records may wait."""
    monkeypatch.setattr(module, "SILENCE_S_MIN", STALL_S)
    return Watched()


def never() -> asyncio.Future[None]:
    """Return what does not come."""
    return asyncio.get_running_loop().create_future()


async def test_records_that_wait_while_none_is_committed_end_the_process(
    watched: Watched, logged: StringIO
) -> None:
    """The line names the group and how much waits."""
    async with watched.kept():
        await until(lambda: bool(watched.left))
    assert set(watched.left) == {EXIT_RESTART}
    line = json.loads(logged.getvalue().splitlines()[0])
    assert (line["event"], line["group"], line["lag"]) == ("process.stalled", CLASSIFIER, 3)


async def test_a_log_that_never_answers_ends_the_process(watched: Watched, logged: StringIO) -> None:
    """A look that does not return is no reason to look no more: the services hang in the same log."""
    watched.log.upkeep = never
    async with watched.kept():
        await until(lambda: bool(watched.left))
    assert watched.log.looks == 1, "a look that takes long is waited for, not begun anew"
    line = json.loads(logged.getvalue().splitlines()[0])
    assert line["event"] == "process.stalled"
    assert "group" not in line
    assert "in maintain" in line["traceback"]


async def test_whoever_commits_does_not_hang(watched: Watched, logged: StringIO) -> None:
    """Upkeep may take its time on a large log while the services go on."""
    watched.log.upkeep = never
    async with watched.kept():
        for _ in range(20):
            watched.tally.committed(CLASSIFIER, 0.1, 1, 1)
            await asyncio.wait({never()}, timeout=STALL_S / 5)
    assert watched.left == []
    assert logged.getvalue() == ""


async def test_an_outage_that_is_said_is_waited_for(watched: Watched, logged: StringIO) -> None:
    """A log that is away is no standstill, whether the watch meets it by a failure or by waiting."""
    watched.standing.notice(CLASSIFIER, "Kafka does not answer")
    pending = [never]

    def away() -> asyncio.Future[None]:
        if pending:
            return pending.pop()()
        raise BusUnavailable("Kafka does not answer")

    for _ in range(2):
        watched.log.upkeep = away
        async with watched.kept():
            await asyncio.wait({never()}, timeout=3 * STALL_S)
    assert watched.log.looks > 2
    assert watched.left == []
