"""Standing still is counted per group, and only while there is work."""

from __future__ import annotations

import asyncio

from services.obs.standstill import FRAMES_MAX, TASKS_MAX, Standstill, task_stacks


def test_only_work_that_waits_and_is_not_done_stands_still() -> None:
    """Progress, or nothing to do, begins anew; each group counts for itself."""
    watch = Standstill()
    assert watch.look("a", 5, 10, 1.0) == 1.0
    assert watch.look("a", 9, 10, 2.0) == 3.0
    assert watch.look("b", 9, 0, 1.0) == 1.0
    assert watch.look("a", 9, 11, 1.0) == 0.0
    assert watch.look("a", 8, 11, 4.0) == 4.0
    assert watch.look("a", 0, 11, 1.0) == 0.0
    watch.look("b", 9, 0, 1.0)
    watch.forgive("b")
    watch.forgive("never seen")
    assert watch.look("b", 9, 0, 1.0) == 1.0


async def test_the_dump_shows_where_each_task_waits_and_is_bounded() -> None:
    """The innermost function is named, not only the outermost; a thousand tasks do not fill the log."""
    never = asyncio.get_running_loop().create_future()

    async def deep(levels: int) -> None:
        await (deep(levels - 1) if levels else never)

    tasks = [asyncio.create_task(deep(0), name=f"task {number:03}") for number in range(TASKS_MAX + 5)]
    bottomless = asyncio.create_task(deep(2 * FRAMES_MAX), name="a bottomless task")
    await asyncio.wait({never}, timeout=0)
    dump = task_stacks()
    for task in (*tasks, bottomless):
        task.cancel()
    assert dump.count("in deep") == FRAMES_MAX + sum(
        f"task {number:03}:" in dump for number in range(TASKS_MAX)
    )
    assert "tests/unit/obs/test_standstill.py:" in dump
    assert dump.count(":\n") == TASKS_MAX
    assert "tasks more" in dump
