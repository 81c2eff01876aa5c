"""What goes on beside whoever began it: its failure may come when nobody is left to look at it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def beside(work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """Begin work; who waits for it meets its failure, and if nobody does, no traceback is printed at some later time."""
    task = asyncio.create_task(work)
    task.add_done_callback(seen)
    return task


def seen(future: asyncio.Future[Any]) -> None:
    """Look at a failure, if there is one."""
    if future.done() and not future.cancelled():
        future.exception()
