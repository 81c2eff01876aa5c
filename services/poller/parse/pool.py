"""A pool of parsing processes: a document that hangs or kills its worker costs that worker, and nothing else."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import suppress
from typing import Protocol

from services.poller.model import Document
from services.poller.parse.frames import FRAME_MAX, LENGTH_BYTES, frame, pack_request, unpack_document

WALL_MAX_S = 40.0
"""A document: twice the worker's own CPU limit, for a busy machine."""
CLOSE_MAX_S = 2.0
WORKER = "services.poller.parse.worker"


class Parser(Protocol):
    """Reads documents."""

    async def parse(self, body: bytes, url: str, content_type: str) -> Document:
        """Return the document; one that cannot be read says so in ``error``."""

    async def close(self) -> None:
        """Release processes."""


class ParserPool:
    """Parses in up to ``workers`` processes, started when first needed and replaced when lost."""

    def __init__(self, workers: int, wall_max_s: float = WALL_MAX_S) -> None:
        """Take the number of processes and the time one document may take."""
        self._free = asyncio.Semaphore(workers)
        self._wall_max_s = wall_max_s
        self._idle: list[asyncio.subprocess.Process] = []

    async def parse(self, body: bytes, url: str, content_type: str) -> Document:
        """Return the document, or why its worker did not come back with it."""
        async with self._free:
            worker = await self._worker()
            try:
                async with asyncio.timeout(self._wall_max_s):
                    document = await _ask(worker, body, url, content_type)
            except TimeoutError:
                await _end(worker, at_once=True)
                return Document("unknown", error=f"parsing took more than {self._wall_max_s:g} s")
            except (EOFError, OSError, ValueError, KeyError, TypeError):
                # It is dying by itself: a signal from us now would hide what it died of.
                await _end(worker, at_once=False)
                return Document("unknown", error=f"parsing failed: the worker ended ({_exit_of(worker)})")
            except BaseException:
                await _end(worker, at_once=True)
                raise
            self._idle.append(worker)
            return document

    async def warm(self) -> None:
        """Start a worker before there is a document, so that the first one does not wait for it."""
        self._idle.append(await self._worker())

    async def close(self) -> None:
        """End the idle workers; a busy one ends with its ``parse``."""
        idle, self._idle = self._idle, []
        for worker in idle:
            await _end(worker, at_once=False)

    async def _worker(self) -> asyncio.subprocess.Process:
        while self._idle:
            worker = self._idle.pop()
            if worker.returncode is None:
                return worker
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            WORKER,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            # Nothing of our environment: it may hold secrets, and the worker reads hostile bytes.
            env={"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        )


async def _ask(worker: asyncio.subprocess.Process, body: bytes, url: str, content_type: str) -> Document:
    if worker.stdin is None or worker.stdout is None:  # pragma: no cover - both are pipes
        raise EOFError
    worker.stdin.write(frame(pack_request(url, content_type)))
    worker.stdin.write(frame(body))
    await worker.stdin.drain()
    length = int.from_bytes(await worker.stdout.readexactly(LENGTH_BYTES), "big")
    if length > FRAME_MAX:
        raise ValueError(length)
    return unpack_document(await worker.stdout.readexactly(length))


async def _end(worker: asyncio.subprocess.Process, *, at_once: bool) -> None:
    """End a worker: by closing its input, or, if that does not do, by SIGKILL."""
    if worker.stdin is not None:
        worker.stdin.close()
    if not at_once:
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_MAX_S):
                await worker.wait()
                return
    with suppress(ProcessLookupError):
        worker.kill()
    await worker.wait()


def _exit_of(worker: asyncio.subprocess.Process) -> str:
    code = worker.returncode
    if code is None or code >= 0:
        return f"exit {code}"
    with suppress(ValueError):
        return signal.Signals(-code).name
    return f"signal {-code}"
