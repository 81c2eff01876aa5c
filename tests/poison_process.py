"""A worker that some records kill: ``python -m tests.poison_process BUS_URL PREFIX``.

It relays stories to verdicts. A title may crash the interpreter, hang it, or exhaust it; what is no JSON is undecodable.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from services.bus.codec import dead_letter
from services.bus.kafka import KafkaBus
from services.bus.kafka.engine import Cluster
from services.bus.kafka.names import Names
from services.bus.loop import LaneService, Step
from services.bus.ports import BusUnavailable, Message
from services.bus.sqlite import SqliteBus
from services.bus.topics import VERDICTS
from services.clock import SystemClock
from services.obs.metrics import Metrics
from services.obs.records import RecordReports
from services.runner import run, stop_on_signals

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.bus.ports import Bus, Record

ROOT = Path(__file__).parents[1]
GROUP = "relay"
SESSION_S = 1.5
HEARTBEAT_S = 0.3
STORIES_TOPIC = "tumen.stories.v1"
ABORT, SEGFAULT, HANG, RAISE = "abort!", "segfault!", "hang!", "raise!"
CRASHING = (ABORT, SEGFAULT)
NOW = datetime(2026, 5, 12, 12, tzinfo=UTC)


def start(url: str, prefix: str) -> subprocess.Popen[bytes]:
    """Start a worker; one that is about to hang says so on stdout."""
    command = [sys.executable, "-m", "tests.poison_process", url, prefix]
    return subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )


def cluster(url: str, prefix: str) -> Cluster:
    """Return how the workers reach the cluster: the dead are noticed soon."""
    names = Names(prefix, "poison")
    return Cluster(url.removeprefix("kafka://"), names, session_s=SESSION_S, heartbeat_s=HEARTBEAT_S)


async def opened(url: str, prefix: str) -> KafkaBus | SqliteBus:
    """Open the log of a URL."""
    if url.startswith("kafka://"):
        return await KafkaBus.open(cluster(url, prefix))
    return await SqliteBus.open(url.removeprefix("sqlite:"), lease_s=SESSION_S)


class RelayStage:
    """Copies titles; some of them are the end of the process."""

    state_topics: Sequence[str] = ()

    def load(self, record: Record) -> None:
        """Take nothing."""

    def next_wakeup(self) -> None:
        """Have no timers."""

    def step(self, records: Sequence[Record], now: datetime) -> Step:
        """Copy each record, or send it to the dead letters, or die."""
        del now
        return Step([self._relay(record) for record in records])

    def _relay(self, record: Record) -> Message:
        try:
            title = json.loads(record.value or b"")["title"]
        except ValueError as error:
            return dead_letter(
                record, group=GROUP, stage=GROUP, error=str(error), error_class="Undecodable", attempts=1
            )
        match title:
            case "abort!":
                os.abort()
            case "segfault!":
                os.kill(os.getpid(), signal.SIGSEGV)
            case "hang!":
                os.write(1, b"hanging")
                signal.pause()
            case "raise!":
                raise ZeroDivisionError(title)
            case _:
                pass
        where = (("from", f"{record.partition}/{record.offset}".encode()),)
        return Message(VERDICTS.name, 0, record.key, record.value, where)


async def work(bus: Bus, stop: asyncio.Event) -> None:
    """Run the service as a live process does."""
    service = LaneService(
        GROUP,
        await bus.join(GROUP, [STORIES_TOPIC]),
        lambda _: RelayStage(),
        live=True,
        reports=RecordReports(GROUP, Metrics()),
    )
    try:
        await run(service, SystemClock(), stop, lambda *_: None)
    finally:
        await service.close()


async def main(url: str, prefix: str) -> None:
    """Open, work, close."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    stop = asyncio.Event()
    stop_on_signals(stop)
    try:
        bus = await opened(url, prefix)
    except BusUnavailable as error:
        sys.exit(str(error))
    try:
        await work(bus, stop)
    finally:
        await bus.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
