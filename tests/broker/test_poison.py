"""One record in a hundred cannot be read, one in a hundred kills whoever runs it: all and only those are dead letters."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest

from services.bus.ports import BusUnavailable, Message
from services.bus.topics import STORIES, VERDICTS
from tests import poison_process
from tests.kafka_broker import running
from tests.kafka_bus import make_topics
from tests.poison_process import ABORT, GROUP, HANG, RAISE, SEGFAULT

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from services.bus.kafka import KafkaBus
    from services.bus.ports import Record
    from services.bus.sqlite import SqliteBus

SHARDS = 4
WORKERS = 2
RECORDS = 300
EACH = RECORDS // 100
SEED = 20260512
DONE_S = 100.0
LOOK_S = 0.2
PREFIX = "poison"
QUICK = "group.min.session.timeout.ms=1000"
BAD_BYTES = b"\xff{ no story"


def value(kind: str, number: int) -> bytes:
    """Return a story's bytes."""
    if kind == "undecodable":
        return BAD_BYTES
    return json.dumps({"title": kind or f"story {number}", "number": number}).encode()


def poisoned(kinds: list[str]) -> list[Message]:
    """Return the stories, some of them bad: which ones, the seed says."""
    draw = random.Random(SEED)
    bad = dict(zip(draw.sample(range(RECORDS), len(kinds)), kinds, strict=True))
    return [
        Message(
            STORIES.name,
            n % SHARDS,
            f"{bad.get(n) or 'good'}-{n}",
            value(bad.get(n, ""), n),
            (("ce_id", b"%d" % n),),
        )
        for n in range(RECORDS)
    ]


class Supervisor:
    """Starts workers again when they end, and kills those that hang."""

    def __init__(self, url: str) -> None:
        """Start them."""
        self._url = url
        self.ends: Counter[int] = Counter()
        self.workers = [self._start() for _ in range(WORKERS)]

    def _start(self) -> subprocess.Popen[bytes]:
        worker = poison_process.start(self._url, PREFIX)
        assert worker.stdout
        os.set_blocking(worker.stdout.fileno(), False)
        return worker

    def look(self) -> None:
        """Replace the dead, and kill who hangs, as a watchdog does."""
        for number, worker in enumerate(self.workers):
            assert worker.stdout
            if worker.stdout.read():
                worker.kill()
                worker.wait()
            if (code := worker.poll()) is not None:
                worker.stdout.close()
                self.ends[code] += 1
                self.workers[number] = self._start()

    def end(self) -> None:
        """End every worker by its own process."""
        for worker in self.workers:
            worker.kill()
            with worker:
                worker.wait()


async def until_done(bus: KafkaBus | SqliteBus, supervisor: Supervisor) -> None:
    """Supervise until everything is committed."""
    clock = asyncio.get_running_loop().time
    deadline = clock() + DONE_S
    while True:
        try:
            lag = sum((await bus.lag(GROUP, STORIES.name)).values())
        except BusUnavailable:
            lag = -1
        if not lag:
            return
        supervisor.look()
        assert clock() < deadline, f"{lag} left; {supervisor.ends}"
        await asyncio.wait({asyncio.get_running_loop().create_future()}, timeout=LOOK_S)


def audit(stories: list[Record], verdicts: list[Record], letters: list[Record]) -> None:
    """All and only the bad ones are dead letters; everything else is there once, in the order of its partition."""
    bad = [story for story in stories if not story.key.startswith("good")]
    assert sorted(letter.key for letter in letters) == sorted(story.key for story in bad)
    originals = {story.key: story for story in stories}
    for letter in letters:
        story, headers = originals[letter.key], dict(letter.headers)
        assert letter.value == story.value
        assert headers["ce_id"] == dict(story.headers)["ce_id"]
        assert headers["dlq-original-topic"] == STORIES.name.encode()
        assert headers["dlq-original-partition"] == b"%d" % story.partition
        assert headers["dlq-original-offset"] == b"%d" % story.offset
        assert headers["dlq-original-timestamp"] == b"%d" % story.timestamp_ms
        assert headers["dlq-group"] == headers["dlq-stage"] == GROUP.encode()
        assert headers["dlq-version"]
        assert headers["dlq-error-message"]
        kind = letter.key.partition("-")[0]
        error_class, attempts = {
            "undecodable": (b"Undecodable", b"1"),
            RAISE: (b"ZeroDivisionError", b"3"),
        }.get(kind, (b"ProcessDied", b"3"))
        assert (headers["dlq-error-class"], headers["dlq-attempts"]) == (error_class, attempts)
    wanted: dict[int, list[str]] = defaultdict(list)
    for story in stories:
        if story.key.startswith("good"):
            wanted[story.partition].append(story.key)
    got: dict[int, list[str]] = defaultdict(list)
    for verdict in verdicts:
        got[int(dict(verdict.headers)["from"].split(b"/")[0])].append(verdict.key)
    assert got == wanted


async def poison(bus: KafkaBus | SqliteBus, url: str, kinds: list[str]) -> Counter[int]:
    """Append the stories, let the workers at them, audit; return how the workers ended."""
    await bus.append(poisoned(kinds))
    supervisor = Supervisor(url)
    try:
        await until_done(bus, supervisor)
    finally:
        supervisor.end()
    audit(
        [record async for record in bus.read(STORIES.name)],
        [record async for record in bus.read(VERDICTS.name)],
        [record async for record in bus.read(STORIES.dlq.name)],
    )
    sys.stdout.write(f"workers ended: {dict(supervisor.ends)}\n")
    return supervisor.ends


@pytest.fixture
async def on_kafka() -> AsyncIterator[tuple[KafkaBus | SqliteBus, str]]:
    """Boot a broker that notices the dead soon."""
    with running(QUICK) as broker:
        url = f"kafka://{broker.address}"
        await make_topics(
            poison_process.cluster(url, PREFIX),
            (STORIES.name, VERDICTS.name, STORIES.dlq.name),
            shards=SHARDS,
        )
        bus = await poison_process.opened(url, PREFIX)
        yield bus, url
        await bus.close()


@pytest.mark.broker
@pytest.mark.timeout(180)
async def test_poison_on_kafka(on_kafka: tuple[KafkaBus | SqliteBus, str]) -> None:
    """Undecodable bytes, aborts and segmentation faults, on real Apache Kafka with real processes."""
    kinds = ["undecodable"] * EACH + [ABORT] * (EACH - 1) + [SEGFAULT]
    ends = await poison(*on_kafka, kinds)
    assert ends[-signal.SIGABRT] >= 3 * (EACH - 1)
    assert ends[-signal.SIGSEGV] >= 3


@pytest.mark.chaos
@pytest.mark.timeout(120)
async def test_poison_on_sqlite(tmp_path: Path) -> None:
    """The same on a file; and one that hangs until the watchdog kills, and one that raises."""
    url = f"sqlite:{tmp_path / 'poison.db'}"
    bus = await poison_process.opened(url, PREFIX)
    try:
        ends = await poison(bus, url, ["undecodable"] * EACH + [ABORT, SEGFAULT, HANG, RAISE])
    finally:
        await bus.close()
    assert ends[-signal.SIGABRT] >= 3
    assert ends[-signal.SIGKILL] >= 3
