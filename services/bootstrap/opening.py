"""Opening the log that a URL names."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from services.bus.ports import BusDamaged
from services.bus.sqlite import SqliteBus

SQLITE = "sqlite:"
MEMORY = ":memory:"


@asynccontextmanager
async def open_bus(url: str, *, must_exist: bool = False, durable: bool = True) -> AsyncIterator[SqliteBus]:
    """Open the log of ``sqlite:PATH`` or ``sqlite::memory:``; BusDamaged says what is wrong with a URL.

    ``must_exist`` is for readers: a mistyped path must not make an empty log.
    """
    path = sqlite_path(url)
    if must_exist and path != MEMORY and not _exists(path):
        message = f"{path}: there is no such log; name it with --bus or TUMEN_BUS"
        raise BusDamaged(message)
    bus = await SqliteBus.open(path, durable=durable)
    try:
        yield bus
    finally:
        await bus.close()


def _exists(path: str) -> bool:
    return Path(path).exists()


def sqlite_path(url: str) -> str:
    """Return the path in a bus URL."""
    if url.startswith(SQLITE) and url != SQLITE:
        return url.removeprefix(SQLITE)
    message = f"not a log this version can open: {url!r}; write sqlite:PATH"
    raise BusDamaged(message)
