"""A service that copies stories to verdicts, each with its number within its lane: work whose every fault shows.

In the test's own process (``member``), or alone: ``python -m tests.relay ADDRESS PREFIX [--freeze] [--own-ids]``.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from services.bus.kafka import KafkaBus
from services.bus.kafka.engine import Cluster
from services.bus.kafka.names import Names
from services.bus.loop import LaneService, Step
from services.bus.ports import BusUnavailable, Message
from services.bus.topics import FEED_STATE, STORIES, VERDICTS
from services.clock import SystemClock

if TYPE_CHECKING:
    from services.bus.ports import Lane, Record

ROOT = Path(__file__).parents[1]
GROUP = "relay"
COUNT = "count"
SESSION_S = 6.0
HEARTBEAT_S = 0.3
WAIT_S = 0.5
TOPICS = (STORIES.name, VERDICTS.name, FEED_STATE.name)


def cluster(address: str, prefix: str) -> Cluster:
    """Return the cluster of a relay."""
    return Cluster(address, Names(prefix, "relay"), session_s=SESSION_S, heartbeat_s=HEARTBEAT_S)


def copies(records: Iterable[Record], partition: int, count: int) -> list[Message]:
    """Return the verdicts on a lane's next records, ``count`` of which came before, and the new count."""
    messages = [
        Message(
            VERDICTS.name,
            0,
            record.key,
            record.value,
            (("number", f"{partition}/{number}".encode()),),
        )
        for number, record in enumerate(records, start=count + 1)
    ]
    total = str(count + len(messages)).encode()
    return [*messages, Message(FEED_STATE.name, partition, COUNT, total)]


class RelayStage:
    """Copies; its state is how many it has copied, restored at each take-over."""

    state_topics = (FEED_STATE.name,)

    def __init__(self, lane: Lane, before_commit: Callable[[], None] = lambda: None) -> None:
        """Begin at nothing; ``before_commit`` is called between poll and commit."""
        self._partition = lane.partition
        self._count = 0
        self._before_commit = before_commit

    def load(self, record: Record) -> None:
        """Take the count."""
        self._count = int(record.value or b"0")

    def step(self, records: Sequence[Record], now: datetime) -> Step:
        """Copy the records."""
        if not records:
            return Step()
        messages = copies(records, self._partition, self._count)
        self._before_commit()
        return Step(messages, lambda: self._adopt(len(records)))

    def _adopt(self, copied: int) -> None:
        self._count += copied

    def next_wakeup(self) -> datetime | None:
        """Return None: there are no timers."""
        return None


async def relay(
    place: Cluster,
    stop: asyncio.Event,
    before_commit: Callable[[], None] = lambda: None,
    moved: Callable[[int], None] = lambda _: None,
) -> None:
    """Be a member of the group until told to stop; a log that is away is waited for."""
    while not stop.is_set():
        try:
            async with AsyncExitStack() as stack:
                bus = await KafkaBus.open(place)
                stack.push_async_callback(bus.close)
                membership = await bus.join(GROUP, [STORIES.name])
                service = LaneService(
                    GROUP, membership, lambda lane: RelayStage(lane, before_commit), live=True
                )
                stack.push_async_callback(service.close)
                while not stop.is_set():
                    moved((await service.drain(SystemClock().now())).records)
                    await service.wait(WAIT_S)
        except BusUnavailable as error:
            sys.stderr.write(f"{error}\n")
            await asyncio.wait({asyncio.ensure_future(stop.wait())}, timeout=WAIT_S)


async def start(address: str, prefix: str, *options: str) -> asyncio.subprocess.Process:
    """Start a relay as its own process; it says on stdout how many records each drain has moved."""
    command = [sys.executable, "-m", "tests.relay", address, prefix, *options]
    return await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE
    )


def _freeze_once() -> Callable[[], None]:
    """Return what stops this process the first time it is called: between poll and commit."""
    frozen = asyncio.Event()

    def freeze() -> None:
        if not frozen.is_set():
            frozen.set()
            os.kill(os.getpid(), signal.SIGSTOP)

    return freeze


def use_own_ids() -> None:
    """Plant a bug: a transactional id that names the process, as a naive producer's does. It fences nobody."""
    shared = Names.transactional_id

    def own(names: Names, group: str, topic: str, partition: int) -> str:
        return f"{shared(names, group, topic, partition)}.{os.getpid()}"

    Names.transactional_id = own  # type: ignore[assignment,method-assign]


async def _main(given: argparse.Namespace) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)

    def say(records: int) -> None:
        sys.stdout.write(f"{records}\n")
        sys.stdout.flush()

    before_commit = _freeze_once() if given.freeze else lambda: None
    await relay(cluster(given.address, given.prefix), stop, before_commit, say)


def main() -> None:
    """Read the command line and relay."""
    parser = argparse.ArgumentParser()
    parser.add_argument("address")
    parser.add_argument("prefix")
    parser.add_argument("--freeze", action="store_true")
    parser.add_argument("--own-ids", action="store_true")
    given = parser.parse_args()
    if given.own_ids:
        use_own_ids()
    asyncio.run(_main(given))


if __name__ == "__main__":
    main()
