"""One alone, or many side by side: while a suspect is run, nothing else of the process may take its blame."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Aisle:
    """Shared by the services of one process."""

    def __init__(self) -> None:
        """Begin empty."""
        self._running = 0
        self._wanting = 0
        """How many want to be alone, or are."""
        self._turn = asyncio.Lock()
        self._free = asyncio.Event()
        self._empty = asyncio.Event()

    @asynccontextmanager
    async def together(self) -> AsyncIterator[None]:
        """Run beside others, once nobody wants to be alone."""
        while self._wanting:
            await self._free.wait()
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1
            if not self._running:
                self._empty.set()

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Run when everybody else has finished, and let nobody begin meanwhile."""
        self._wanting += 1
        self._free.clear()
        try:
            async with self._turn:
                while self._running:
                    self._empty.clear()
                    await self._empty.wait()
                yield
        finally:
            self._wanting -= 1
            if not self._wanting:
                self._free.set()
