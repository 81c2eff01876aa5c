"""A process that stands still says where and ends, so that it is started anew; one that was only stopped does not."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from schemas import Story
from services.bootstrap import open_bus
from services.bus.codec import encode
from services.bus.topics import STORIES
from services.runner import STOP_S_MAX
from tests.builders import a_story
from tests.live import LIVE_ENVIRONMENT

ROOT = Path(__file__).parents[2]
STALL_S = 2.0
BOUND_S = 60.0
"""Generous: a machine that is busy gives the timer of processor time its time late."""
RESTART = 75
PIPE_BUF = 4096


async def fill(bus: str) -> None:
    """Leave a story to be judged."""
    story: Story = a_story()
    async with open_bus(bus) as log:
        await log.append([encode(STORIES, story, partition=0, key=story.id, source="t", at=story.first_seen)])


async def start(how: str, bus: str, stderr: int = asyncio.subprocess.PIPE) -> asyncio.subprocess.Process:
    """Start a classifier that stalls."""
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.stalling_process", how, "classifier", "--bus", bus, "--health-port", "off",
        stdout=asyncio.subprocess.DEVNULL, stderr=stderr, cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", **LIVE_ENVIRONMENT, "TUMEN_HEALTH__STALL_TIMEOUT": f"{STALL_S:g}s"},
    )  # fmt: skip


def event(logged: str, name: str) -> dict[str, object]:
    """Return the line of an event."""
    lines = [json.loads(line) for line in logged.splitlines() if line.startswith("{")]
    return next(line for line in lines if line["event"] == name)


HOW = {
    "regex": (-signal.SIGPROF, "tests/stalling_process.py"),
    "wait": (RESTART, "tests/stalling_process.py"),
    "await": (RESTART, "in awaiting"),
}
"""The ways to stall, each with its exit code and a word of what is said."""


async def stall(how: str, folder: Path) -> tuple[int | None, str]:
    """Let a classifier stall; return its exit code and what it logged."""
    bus = f"sqlite:{folder}/{how}.db"
    await fill(bus)
    process = await start(how, bus)
    _, logged = await asyncio.wait_for(process.communicate(), len(HOW) * BOUND_S)
    return process.returncode, logged.decode()


@pytest.fixture(scope="module")
def stalled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int | None, str]]:
    """Let classifiers stall in every way at once: they mostly wait."""

    async def all_at_once() -> list[tuple[int | None, str]]:
        return await asyncio.gather(*(stall(how, tmp_path_factory.mktemp(how)) for how in HOW))

    return dict(zip(HOW, asyncio.run(all_at_once()), strict=True))


@pytest.mark.timeout(240)
@pytest.mark.parametrize("how", HOW)
def test_a_stalled_service_says_where_and_ends(how: str, stalled: dict[str, tuple[int | None, str]]) -> None:
    """Whether the loop computes in C, blocks, or a task waits for ever: the stack is on stderr, the exit is not 0."""
    (code, word), (ended, logged) = HOW[how], stalled[how]
    assert ended == code, logged
    assert word in logged
    if how == "await":
        line = event(logged, "process.stalled")
        assert (line["group"], line["lag"]) == ("classifier", 1)
        assert "awaiting" in str(line["traceback"])
    if how == "wait":
        assert event(logged, "loop.hung")["seconds"] == STALL_S


async def test_a_process_that_was_stopped_for_long_goes_on(tmp_path: Path) -> None:
    """SIGSTOP, or a machine that slept, is no hang: at the wake-up nothing ends, and SIGTERM is heard."""
    process = await start("not at all", f"sqlite:{tmp_path}/bus.db")
    assert process.stderr is not None
    lines: list[bytes] = []
    while not any(b"process.started" in line for line in lines):
        lines.append(await asyncio.wait_for(process.stderr.readline(), BOUND_S))
    process.send_signal(signal.SIGSTOP)
    await asyncio.wait({asyncio.get_running_loop().create_future()}, timeout=2 * STALL_S)
    process.send_signal(signal.SIGCONT)
    await asyncio.wait({asyncio.get_running_loop().create_future()}, timeout=STALL_S / 2)
    assert process.returncode is None
    process.send_signal(signal.SIGTERM)
    _, logged = await asyncio.wait_for(process.communicate(), BOUND_S)
    assert process.returncode == 0, logged.decode()
    assert event(logged.decode(), "process.stopped")


def clog(descriptor: int) -> None:
    """Fill a pipe, so that the next writer waits until somebody reads."""
    own = os.open(f"/proc/self/fd/{descriptor}", os.O_WRONLY | os.O_NONBLOCK)
    with suppress(BlockingIOError):
        while True:
            os.write(own, b"\n" * PIPE_BUF)
    with suppress(BlockingIOError):
        while True:
            os.write(own, b"\n")
    os.close(own)


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ("regex", -signal.SIGPROF),
        ("wait", RESTART),
        ("await", RESTART),
        pytest.param("close", RESTART, marks=pytest.mark.chaos),
    ],
)
async def test_a_stderr_that_nobody_reads_keeps_no_process(how: str, code: int, tmp_path: Path) -> None:
    """The last line has a moment: whoever should restart the service may be what does not read."""
    bus = f"sqlite:{tmp_path}/bus.db"
    await fill(bus)
    reading, writing = os.pipe()
    process = await start(how, bus, writing)
    with os.fdopen(reading, "rb") as pipe:
        while b"process.started" not in await asyncio.to_thread(pipe.readline):
            pass
        clog(writing)
        if how == "close":
            process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), BOUND_S) == code
        os.close(writing)


@pytest.mark.chaos
async def test_a_stop_that_comes_to_no_end_is_cut_off(tmp_path: Path) -> None:
    """Whatever hangs in closing: within ten seconds of SIGTERM the process says so and exits 75."""
    process = await start("close", f"sqlite:{tmp_path}/bus.db")
    assert process.stderr is not None
    lines: list[bytes] = []
    while not any(b"process.started" in line for line in lines):
        lines.append(await asyncio.wait_for(process.stderr.readline(), BOUND_S))
    process.send_signal(signal.SIGTERM)
    _, logged = await asyncio.wait_for(process.communicate(), STOP_S_MAX + 3)
    assert process.returncode == RESTART
    assert event(logged.decode(), "process.cut_off")["seconds"] == STOP_S_MAX


async def test_a_second_signal_ends_at_once(tmp_path: Path) -> None:
    """Whoever asks twice does not wait for anything: the process dies of the signal."""
    bus = f"sqlite:{tmp_path}/bus.db"
    await fill(bus)
    process = await start("await", bus)
    assert process.stderr is not None
    lines: list[bytes] = []
    while not any(b"process.started" in line for line in lines):
        lines.append(await asyncio.wait_for(process.stderr.readline(), BOUND_S))
    process.send_signal(signal.SIGTERM)
    while not any(b"process.stopping" in line for line in lines):
        lines.append(await asyncio.wait_for(process.stderr.readline(), BOUND_S))
    process.send_signal(signal.SIGTERM)
    await asyncio.wait_for(process.communicate(), BOUND_S)
    assert process.returncode == -signal.SIGTERM
