"""Is there progress? Work that waits while nothing is committed, for too long, is a fault that a restart may end."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Any

TASKS_MAX = 100
"""Of a dump: more than five services and their lanes have."""
FRAMES_MAX = 12
"""Of one task's stack."""
THREAD_FRAMES_MAX = 40
"""Of one thread's, the innermost: the event loop's own are among them."""


@dataclass(slots=True)
class _Seen:
    done: int
    since_s: float = 0.0


class Standstill:
    """Adds up, for each group, how long it has had work and finished none. It is told of time, it reads no clock."""

    def __init__(self) -> None:
        """Begin with nothing seen."""
        self._groups: dict[str, _Seen] = {}

    def look(self, group: str, lag: int, done: int, elapsed_s: float) -> float:
        """Take how much waits and how much was ever done; return for how long the group has stood still."""
        seen = self._groups.setdefault(group, _Seen(done))
        if lag == 0 or done != seen.done:
            self._groups[group] = _Seen(done)
        else:
            seen.since_s += elapsed_s
        return self._groups[group].since_s

    def forgive(self, group: str) -> None:
        """Begin anew: the group had a reason."""
        self._groups.pop(group, None)


def task_stacks(loop: asyncio.AbstractEventLoop | None = None) -> str:
    """Return where each task of a loop (the running one) waits, through all that it awaits, bounded."""
    tasks = sorted(asyncio.all_tasks(loop), key=lambda task: task.get_name())
    lines = [line for task in tasks[:TASKS_MAX] for line in _stack(task)]
    if len(tasks) > TASKS_MAX:
        lines.append(f"... and {len(tasks) - TASKS_MAX} tasks more")
    return "\n".join(lines)


def _stack(task: asyncio.Task[Any]) -> Iterator[str]:
    yield f"{task.get_name()}:"
    waiting: object = task.get_coro()
    for _ in range(FRAMES_MAX):
        frame = getattr(waiting, "cr_frame", None) or getattr(waiting, "gi_frame", None)
        if frame is None:
            return
        yield f"  {frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_name}"
        waiting = getattr(waiting, "cr_await", None) or getattr(waiting, "gi_yieldfrom", None)


def thread_stacks() -> str:
    """Return where each thread is, the innermost call first, bounded; the main thread comes first."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    frames = sorted(sys._current_frames().items(), key=lambda item: item[0] != threading.main_thread().ident)  # noqa: SLF001
    lines: list[str] = []
    for number, innermost in frames[:TASKS_MAX]:
        lines.append(f"{names.get(number, number)}:")
        frame: FrameType | None = innermost
        for _ in range(THREAD_FRAMES_MAX):
            if frame is None:
                break
            lines.append(f"  {frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_name}")
            frame = frame.f_back
    return "\n".join(lines)
