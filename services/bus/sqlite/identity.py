"""Who holds a lease: a name that tells, on the same machine, whether its process still lives.

A lease of a process that was killed is free at once; only one that is stopped or elsewhere must run out.
"""

from __future__ import annotations

import os
import platform
import secrets
from pathlib import Path

_PROC = Path("/proc")
_DEAD_STATES = "ZX"


def new_identity() -> str:
    """Return ``place:pid:started:random`` of this process."""
    return f"{_place()}:{os.getpid()}:{_started(os.getpid())}:{secrets.token_hex(6)}"


def surely_dead(identity: str) -> bool:
    """Return whether the process of an identity is known to be gone; False where it cannot be known."""
    place, _, rest = identity.partition(":")
    pid, _, rest = rest.partition(":")
    started, _, _ = rest.partition(":")
    if place != _place() or not pid.isdecimal():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return bool(started) and _started(int(pid)) != started


def _place() -> str:
    """Return what must be equal for two process ids to be comparable: the boot and the pid namespace."""
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        namespace = str((_PROC / "self/ns/pid").readlink())
        return f"{boot}/{namespace.removeprefix('pid:')}"
    except OSError:
        return platform.node().replace(":", "-")


def _started(pid: int) -> str:
    """Return the process's start in clock ticks; "dead" for one that only waits to be reaped; "" if unknown."""
    try:
        stat = (_PROC / str(pid) / "stat").read_text()
    except OSError:
        return ""
    fields = stat.rpartition(")")[2].split()
    return "dead" if fields[0] in _DEAD_STATES else fields[19]
