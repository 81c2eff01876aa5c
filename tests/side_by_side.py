"""Which tests may run at once where several processes share them (`make test`, pytest-xdist).

A file stays together: its broker is booted once, and what hurts that broker runs in order. All chaos stays together,
too: it wants the machine's cores, and beside it run tests that mostly wait.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

from xdist.scheduler import LoadScopeScheduling

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pytest

CHAOS = "chaos"
CHAOTIC = (CHAOS, "storm")
"""One of these words is in the name of a file of chaos."""
RANKS = (CHAOS, "timeout", "broker", "browser")
"""What begins first, by marker: a long test that begins last is waited for with a core idle.

A bound of its own (``timeout``) has mostly what takes longer than others.
"""


def share(nodeid: str) -> str:
    """Return the name of what a test belongs to: one process runs it all."""
    path = nodeid.partition("::")[0]
    return CHAOS if any(word in PurePath(path).name for word in CHAOTIC) else path


def rank(markers: Iterable[str]) -> int:
    """Return the place of a test with these markers: the smallest begins first."""
    found = frozenset(markers)
    return next((place for place, name in enumerate(RANKS) if name in found), len(RANKS))


def longest_first(items: list[pytest.Item]) -> None:
    """Sort tests by their rank; within one they stay as they were shuffled."""
    items.sort(key=lambda item: rank(mark.name for mark in item.iter_markers()))


class SideBySide(LoadScopeScheduling):  # type: ignore[misc]  # it ships no types
    """Gives whoever has nothing to do the next share."""

    def _split_scope(self, nodeid: str) -> str:
        return share(nodeid)
