"""What every chaos on the log needs: a feed that appends each record once, workers, and the audit of what readers see."""

from __future__ import annotations

import asyncio
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from services.bus.kafka import KafkaBus
from services.bus.ports import BusUnavailable, Message
from services.bus.topics import FEED_EVENTS, FEED_STATE, STORIES, VERDICTS
from tests import kafka_process
from tests.chaos_audit import once, relayed
from tests.kafka_bus import make_topics
from tests.kafka_calls import Calls
from tests.pause import nap

if TYPE_CHECKING:
    from services.bus.kafka.engine import Cluster
    from services.bus.ports import Record

SHARDS = 6
STEP = 240
"""Records of one append; they go to every partition, so that it is a transaction."""
TOPICS = (STORIES.name, VERDICTS.name, FEED_STATE.name, FEED_EVENTS.name)
DECIDER = [Message(FEED_EVENTS.name, partition, "decider", b"") for partition in (0, 1)]
CATCH_UP_S = 90.0
RETRY_S = 0.5
LOOK_S = 0.1
END_S = 30.0


async def prepared(cluster: Cluster) -> KafkaBus:
    """Make the topics, and return a log to feed and to audit."""
    await make_topics(cluster, TOPICS, shards=SHARDS)
    return await KafkaBus.open(cluster)


class Feed:
    """Appends numbered records until told to stop, each exactly once, whatever becomes of an append."""

    def __init__(self, bus: KafkaBus, per_s: float, calls: Calls) -> None:
        """Take the log; ``run`` begins."""
        self.total = 0
        self._bus = bus
        self._per_s = per_s
        self._calls = calls

    async def run(self, over: asyncio.Event) -> None:
        """Append at a pace, as long as it is not over."""
        while not over.is_set():
            numbers = range(self.total, self.total + STEP)
            await self._once([Message(STORIES.name, n % SHARDS, str(n), str(n).encode()) for n in numbers])
            self.total += STEP
            await nap(STEP / self._per_s)

    async def reached(self, total: int) -> None:
        """Wait until so many records were appended."""
        async with asyncio.timeout(CATCH_UP_S):
            while self.total < total:
                await nap(LOOK_S)

    async def _once(self, messages: list[Message]) -> None:
        """Append; after an outcome nobody knows, another transaction has it decided, and then the log is asked."""
        try:
            return await self._append(messages)
        except BusUnavailable:
            await nap(RETRY_S)
        while True:
            try:
                await self._append(DECIDER)
                if not await self._there(messages[0]):
                    await self._append(messages)
            except BusUnavailable:
                await nap(RETRY_S)
            else:
                return None

    async def _append(self, messages: list[Message]) -> None:
        await self._calls.of("append", self._bus.append(messages))

    async def _there(self, message: Message) -> bool:
        records = self._bus.read(message.topic, partition=message.partition)
        return any([record.key == message.key async for record in records])


class Workers:
    """Processes that copy what is fed; each writes down how long its calls took."""

    def __init__(self, address: str, prefix: str, folder: Path, count: int = 3) -> None:
        """Start them."""
        self.calls = [folder / f"calls-{number}" for number in range(count)]
        self.processes = [kafka_process.start(address, prefix, path) for path in self.calls]

    def cpu_s(self) -> float:
        """Return the processor time that all have used until now."""
        return sum(_cpu_ticks(process) for process in self.processes) / 100

    async def finish(self) -> None:
        """Have them leave; none may have died before, and each ends well and in time."""
        assert [process.poll() for process in self.processes] == [None] * len(self.processes)
        for process in self.processes:
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            assert await asyncio.to_thread(process.wait, END_S) == 0

    def end(self) -> None:
        """End every worker by its own process."""
        for process in self.processes:
            process.kill()
            process.wait()


def _cpu_ticks(process: subprocess.Popen[bytes]) -> int:
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


async def settled(bus: KafkaBus) -> None:
    """Wait until the workers have committed everything."""
    deadline = asyncio.get_running_loop().time() + CATCH_UP_S
    while (lag := await _lag(bus)) is None or any(lag.values()):
        assert asyncio.get_running_loop().time() < deadline, lag
        await nap(RETRY_S)


async def _lag(bus: KafkaBus) -> dict[int, int] | None:
    try:
        return dict(await bus.lag(kafka_process.GROUP, STORIES.name))
    except BusUnavailable:
        return None


async def audit(bus: KafkaBus, total: int) -> None:
    """Read as any consumer does, committed records only, and compare."""
    stories = [record async for record in bus.read(STORIES.name)]
    verdicts = [record async for record in bus.read(VERDICTS.name)]
    check(stories, verdicts, total)


def check(stories: Sequence[Record], verdicts: Sequence[Record], total: int) -> None:
    """Every record once; numbers of a lane without gap or repetition, in the order of its input."""
    fed = once("stories", map(str, range(total)), [story.key for story in stories])
    faults = [*fed, *relayed(stories, verdicts)]
    assert not faults, "\n".join(faults)
