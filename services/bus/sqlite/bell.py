"""The bell that wakes tasks waiting for records, from any thread."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress


class Bell:
    """Wakes every task that listens."""

    def __init__(self) -> None:
        """Start with nobody listening."""
        self._lock = threading.Lock()
        self._waiting: set[asyncio.Future[None]] = set()

    def listen(self) -> asyncio.Future[None]:
        """Return a future that the next ring, or ``stop_listening``, completes."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        with self._lock:
            self._waiting.add(future)
        return future

    def stop_listening(self, future: asyncio.Future[None]) -> None:
        """Forget a future."""
        with self._lock:
            self._waiting.discard(future)
        _complete(future)

    def ring(self) -> None:
        """Wake everybody who listens now."""
        with self._lock:
            woken, self._waiting = self._waiting, set()
        for future in woken:
            with suppress(RuntimeError):  # its loop is closed
                future.get_loop().call_soon_threadsafe(_complete, future)


def _complete(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
