"""A classifier of its own that stalls at its first story: ``python -m tests.stalling_process HOW ARGUMENT…``.

``regex`` computes in C and lets nobody else run, ``wait`` blocks the event loop idly, ``await`` waits for what never comes,
``close`` never comes to its end; anything else works well.
"""

from __future__ import annotations

import asyncio
import re
import sys
from threading import Event
from typing import TYPE_CHECKING, Any

from services.bus.loop import LaneService
from services.classifier.stage import ClassifierStage
from services.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from services.bus.loop import Progress, Step
    from services.bus.ports import Lane, Record

step = ClassifierStage.step
ENDLESS = "a" * 64 + "b"


def stalling(block: Callable[[], object]) -> Callable[[ClassifierStage, Sequence[Record], datetime], Step]:
    """Return a step that stalls as soon as it has records."""

    def stalled(self: ClassifierStage, records: Sequence[Record], now: datetime) -> Step:
        if records:
            block()
        return step(self, records, now)

    return stalled


async def awaiting(self: LaneService, lane: Lane, *_: Any) -> Progress:
    """Wait for what never comes."""
    return await asyncio.get_running_loop().create_future()  # type: ignore[no-any-return]


async def closing(self: LaneService) -> None:
    """Never have closed."""
    await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    match sys.argv.pop(1):
        case "regex":
            ClassifierStage.step = stalling(lambda: re.match(r"(a+)+$", ENDLESS))  # type: ignore[method-assign, assignment]
        case "wait":
            ClassifierStage.step = stalling(lambda: Event().wait())  # type: ignore[method-assign, assignment]
        case "close":
            LaneService.close = closing  # type: ignore[method-assign]
        case "await":
            LaneService._drain_lane = awaiting  # type: ignore[method-assign, assignment]
        case _:
            pass
    main()
