"""The parsing processes: real ones, killed, hung and orphaned."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.poller.model import Document, Entry
from services.poller.parse.frames import frame, pack_document, pack_request, unpack_document
from services.poller.parse.pool import WORKER, ParserPool
from tests.fakes import an_item, an_rss

GOOD = an_rss(an_item("a"))
COSTLY = b"<rss><channel><item><description>" + b"&lt;" * 1_500_000 + b"</description></item></channel></rss>"


@pytest.fixture
async def pool() -> AsyncIterator[ParserPool]:
    """Return a pool of one process."""
    pool = ParserPool(1)
    yield pool
    await pool.close()


async def title(pool: ParserPool) -> str:
    """Parse the good document."""
    document = await pool.parse(GOOD, "https://outlet.example/feed", "")
    return document.entries[0].title


async def test_documents_are_read_in_one_process_after_another(pool: ParserPool) -> None:
    """The process is kept; questions asked at once wait for their turn."""
    assert await asyncio.gather(*(title(pool) for _ in range(5))) == ["Title of a"] * 5
    assert len(pool._idle) == 1


async def test_a_warm_pool_has_its_worker_before_the_first_document(pool: ParserPool) -> None:
    """What was started early is what reads the first document."""
    await pool.warm()
    (worker,) = pool._idle

    assert await title(pool) == "Title of a"
    assert pool._idle == [worker]


async def test_a_killed_worker_is_replaced(pool: ParserPool) -> None:
    """It costs nothing but itself, also when it died while idle."""
    await title(pool)
    pool._idle[0].kill()
    await pool._idle[0].wait()
    assert await title(pool) == "Title of a"


async def test_a_worker_that_dies_over_a_document_names_it(pool: ParserPool) -> None:
    """The document is reported, the next one is read."""
    await title(pool)
    worker = pool._idle[0]
    worker.send_signal(signal.SIGSTOP)
    parsing = asyncio.create_task(title_or_error(pool))
    while pool._idle:
        await asyncio.wait({parsing}, timeout=0.01)
    worker.kill()
    assert "SIGKILL" in await parsing
    assert await title(pool) == "Title of a"


async def title_or_error(pool: ParserPool) -> str:
    """Parse the good document, whatever comes of it."""
    document = await pool.parse(GOOD, "", "")
    return document.error or document.entries[0].title


async def test_a_hung_worker_is_killed_in_time() -> None:
    """A stopped process stands for any parser that does not come back."""
    pool = ParserPool(1)
    await title(pool)
    pool._idle[0].send_signal(signal.SIGSTOP)
    pool._wall_max_s = 0.2
    assert "took more than 0.2 s" in await title_or_error(pool)
    pool._wall_max_s = 30
    assert await title(pool) == "Title of a"
    await pool.close()


async def test_a_cancelled_question_leaves_no_half_answered_process(pool: ParserPool) -> None:
    """The next question must not get the answer of the last."""
    await title(pool)
    pool._idle[0].send_signal(signal.SIGSTOP)
    parsing = asyncio.create_task(title_or_error(pool))
    while pool._idle:
        await asyncio.wait({parsing}, timeout=0.01)
    parsing.cancel()
    await asyncio.gather(parsing, return_exceptions=True)
    assert await title(pool) == "Title of a"


def limited(settings: str) -> subprocess.CompletedProcess[bytes]:
    """Ask a worker with other limits for a costly document."""
    code = f"from services.poller.parse import worker; {settings}; worker.main()"
    request = frame(pack_request("https://outlet.example/", "")) + frame(COSTLY)
    return subprocess.run(
        [sys.executable, "-c", code], input=request, capture_output=True, check=False, timeout=60
    )


def test_a_document_that_costs_too_much_time_kills_its_worker() -> None:
    """The system's limit on CPU time ends what no Python code could interrupt."""
    assert limited("worker.CPU_MAX_S = 0").returncode == -signal.SIGXCPU


def test_a_document_that_costs_too_much_memory_is_refused() -> None:
    """The worker says so and lives on."""
    in_use = "int(open('/proc/self/statm').read().split()[0]) * worker.resource.getpagesize()"
    done = limited(f"worker.MEMORY_MAX_BYTES = {in_use} + 20_000_000")
    assert done.returncode == 0
    assert unpack_document(done.stdout[4:]).error == "parsing needs too much memory"


def test_a_worker_ends_when_its_parent_does(tmp_path: Path) -> None:
    """However the parent died: its end of the pipe closes."""
    code = (
        "import subprocess, sys, os, signal\n"
        f"child = subprocess.Popen([sys.executable, '-m', {WORKER!r}], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)\n"
        "print(child.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    parent = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=20
    )
    child = int(parent.stdout)
    for _ in range(200):
        if not alive(child):
            return
        subprocess.run([sys.executable, "-c", "pass"], check=True)
    os.kill(child, signal.SIGKILL)
    pytest.fail("the worker outlived its parent")


def alive(pid: int) -> bool:
    """Tell whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_worker_answers_on_its_pipes_alone() -> None:
    """A cut request ends it without an answer; a whole one is answered."""
    request = frame(pack_request("https://outlet.example/", "text/xml")) + frame(GOOD)
    done = subprocess.run(
        [sys.executable, "-m", WORKER], input=request + b"\0\0", capture_output=True, check=True, timeout=20
    )
    length = int.from_bytes(done.stdout[:4], "big")
    assert length == len(done.stdout) - 4
    assert unpack_document(done.stdout[4:]).entries[0].title == "Title of a"


def test_a_document_survives_the_pipe() -> None:
    """Every field comes out as it went in."""
    document = Document("rss", "t", "en", (Entry("g", authors=("a",), text="x"),), warnings=("w",))
    assert unpack_document(pack_document(document)) == document
