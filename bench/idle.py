"""All five services in one process with nothing to do: what they cost."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from bench.figures import Figure

IDLE_PERCENT_MAX = 3.0
SETTLE_S = 6.0
SPAN_S = 10.0
TICK_S = 1 / os.sysconf("SC_CLK_TCK")
BARE = "import asyncio; asyncio.run(asyncio.Event().wait())"


def cpu_s(pid: int) -> float:
    """Return the user and system seconds of a process so far (proc(5), fields 14 and 15)."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK_S


def idle_percent(command: list[str]) -> float:
    """Return the percentage of one core that a process takes once it has settled."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        time.sleep(SETTLE_S)
        before, begun = cpu_s(process.pid), time.perf_counter()
        time.sleep(SPAN_S)
        return 100 * (cpu_s(process.pid) - before) / (time.perf_counter() - begun)
    finally:
        process.terminate()
        process.wait()


def main() -> Iterable[Figure]:
    """Measure, beside an event loop that waits for nothing."""
    if not Path("/proc/self/stat").exists():
        return
    with tempfile.TemporaryDirectory() as folder:
        run = ["run", "--bus", f"sqlite:{folder}/idle.db", "--health-port", "0"]
        tumen = idle_percent([sys.executable, "-m", "services", *run])
    bare = idle_percent([sys.executable, "-c", BARE])
    yield Figure(
        "five services idle in one process", tumen, "% of a core", bare or None, IDLE_PERCENT_MAX, "at most"
    )
