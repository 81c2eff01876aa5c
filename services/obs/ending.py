"""The end of a process that cannot go on: it says why to whoever listens, and ends all the same.

Nobody may be reading stderr: a pipe that is full holds up whoever writes to it, for ever. So the last line is written in
a thread of its own, and waited for only briefly.
"""

from __future__ import annotations

import os
from threading import Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

EXIT_RESTART = 75
"""EX_TEMPFAIL: start me again."""
SAY_S_MAX = 1.0
"""A line and its stacks are written in thousandths of a second, or not at all."""


def end(say: Callable[[], None], leave: Callable[[int], None] = os._exit) -> None:
    """Leave at once, whatever is under way, so that the process is started again; ``say`` has a moment before."""
    try:
        saying = Thread(target=say, name="tumen-last-words", daemon=True)
        saying.start()
        saying.join(SAY_S_MAX)
    finally:
        leave(EXIT_RESTART)
