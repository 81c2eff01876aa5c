"""The demo day as a stranger meets it: how long it takes, how soon it speaks, how much memory it holds."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Iterable
from time import perf_counter

from bench.figures import Figure

DAY_S_MAX = 15.0
FIRST_ALERT_S_MAX = 3.0
RESIDENT_MIB_MAX = 400.0
START_S_MAX = 3.0
SPEAKS = b"The desk is on"
COMMAND = [sys.executable, "-m", "services", "demo", "--exit"]
EMPTY = [sys.executable, "-c", "import asyncio, json"]


def whole_s(command: list[str]) -> float:
    """Return the wall seconds of a process."""
    begun = perf_counter()
    subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return perf_counter() - begun


def play() -> tuple[float, float, float]:
    """Play the day; return seconds to the first alert, seconds in all, and the largest process in MiB."""
    begun = perf_counter()
    process = subprocess.Popen(COMMAND, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    process.stdout.readline()
    first = perf_counter() - begun
    process.stdout.read()
    if process.wait():
        raise subprocess.CalledProcessError(process.returncode, COMMAND)
    return first, perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def start_s() -> float:
    """Return the seconds from ``make run`` (everything set up) until it says where the desk is."""
    subprocess.run(["make", "-s", ".venv/.run"], check=True, stderr=subprocess.DEVNULL)
    begun = perf_counter()
    environment = {**os.environ, "ARGS": ""}  # noqa: TID251 - a bench hands its own on
    process = subprocess.Popen(
        ["make", "-s", "run"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment
    )
    assert process.stderr is not None
    while (line := process.stderr.readline()) and SPEAKS not in line:
        pass
    taken = perf_counter() - begun
    subprocess.run(["pkill", "-INT", "-P", str(process.pid)], check=False)
    process.communicate()
    return taken


def main() -> Iterable[Figure]:
    """Measure, beside an empty Python process."""
    bare = whole_s(EMPTY)
    first, whole, resident = play()
    yield Figure("demo day at full speed", whole, "s", bare, DAY_S_MAX, "at most")
    yield Figure("demo day: first alert after start", first, "s", bare, FIRST_ALERT_S_MAX, "at most")
    yield Figure("demo day: largest process", resident, "MiB", None, RESIDENT_MIB_MAX, "at most")
    yield Figure("second make run: until it speaks", start_s(), "s", bare, START_S_MAX, "at most")
