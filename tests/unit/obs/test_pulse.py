"""The event loop's lag is shown, and said when it is long; the watchers leave nothing behind."""

from __future__ import annotations

import asyncio
import json
import signal
import threading
import time
from io import StringIO

from services.obs.metrics import Metrics
from services.obs.pulse import BEAT_S, LAG_S_MAX, Pulse


async def test_a_loop_that_was_held_up_is_shown_and_said_once(logged: StringIO) -> None:
    """The gauge has the last lag; the log has one line for many, with how often and how long at worst."""
    metrics, over = Metrics(), asyncio.Event()
    stopping = asyncio.create_task(over.wait())
    beating = asyncio.create_task(Pulse(metrics, 60.0).beat(stopping))
    for _ in range(2):
        await asyncio.wait({beating}, timeout=0.1)
        threading.Event().wait(BEAT_S + LAG_S_MAX + 0.1)  # blocks the loop
    await asyncio.wait({beating}, timeout=0.1)
    over.set()
    await beating
    assert metrics.value("tumen_loop_lag_seconds") > LAG_S_MAX
    lines = [json.loads(line) for line in logged.getvalue().splitlines()]
    assert [(line["event"], line["times"]) for line in lines] == [("loop.lagged", 1)]
    assert lines[0]["seconds"] > LAG_S_MAX


async def test_the_watchers_leave_nothing_behind() -> None:
    """After the stop no timer runs and no thread watches."""
    over = asyncio.Event()
    stopping = asyncio.create_task(over.wait())
    beating = asyncio.create_task(Pulse(Metrics(), 20.0).beat(stopping))
    await asyncio.wait({beating}, timeout=0.1)
    assert signal.getitimer(signal.ITIMER_PROF)[0] > 0
    over.set()
    await beating
    assert signal.getitimer(signal.ITIMER_PROF)[0] == 0
    deadline = time.monotonic() + 10
    while any(thread.name == "tumen-pulse" for thread in threading.enumerate()):
        assert time.monotonic() < deadline


async def test_without_a_bound_nothing_watches() -> None:
    """Zero measures the lag and ends nothing."""
    over = asyncio.Event()
    stopping = asyncio.create_task(over.wait())
    beating = asyncio.create_task(Pulse(Metrics(), 0.0).beat(stopping))
    await asyncio.wait({beating}, timeout=0.1)
    assert signal.getitimer(signal.ITIMER_PROF)[0] == 0
    assert not any(thread.name == "tumen-pulse" for thread in threading.enumerate())
    over.set()
    await beating
