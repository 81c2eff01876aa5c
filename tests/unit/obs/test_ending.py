"""A process that is to end ends: it says why if that goes quickly, and whatever saying it leads to."""

from __future__ import annotations

from threading import Event

import pytest

from services.obs import ending
from services.obs.ending import EXIT_RESTART, end


def test_the_last_words_come_before_the_end() -> None:
    """Whoever restarts the service finds the reason above the restart."""
    order: list[object] = []
    end(lambda: order.append("why"), order.append)
    assert order == ["why", EXIT_RESTART]


def test_words_that_nobody_takes_are_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread that says them is left where it hangs."""
    monkeypatch.setattr(ending, "SAY_S_MAX", 0.05)
    heard = Event()
    left: list[int] = []

    def hang() -> None:
        heard.wait()

    end(hang, left.append)
    assert left == [EXIT_RESTART]
    heard.set()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_words_that_fail_end_the_process_too() -> None:
    """A log that cannot be written keeps nobody alive."""
    left: list[int] = []

    def fail() -> None:
        raise OSError("stderr is closed")

    end(fail, left.append)
    assert left == [EXIT_RESTART]
