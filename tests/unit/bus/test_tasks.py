"""What goes on beside prints no traceback when nobody is left to look at its failure."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator

import pytest

from services.bus.tasks import beside
from services.runner import race


@pytest.fixture
async def printed() -> list[str]:
    """Return what the loop would print."""
    found: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: found.append(context["message"]))
    return found


@pytest.fixture(autouse=True)
def no_collector() -> Iterator[None]:
    """Tasks go when a test says so."""
    gc.disable()
    yield
    gc.enable()


async def fail() -> None:
    """Fail at once."""
    raise OSError("the broker is gone")


async def fail_at_the_stop() -> None:
    """Fail when cancelled."""
    try:
        await asyncio.get_running_loop().create_future()
    finally:
        raise OSError("the broker is gone")


async def test_a_failure_that_nobody_waits_for_is_not_printed(printed: list[str]) -> None:
    """The stop of a process is no place for a traceback of what it had given up."""
    await asyncio.wait({beside(fail())})
    gc.collect()
    assert printed == []


async def test_whoever_waits_meets_the_failure() -> None:
    """It is looked at, not taken away."""
    with pytest.raises(OSError, match="the broker is gone"):
        await beside(fail())


async def test_a_drain_that_fails_while_it_is_cut_off_prints_nothing(printed: list[str]) -> None:
    """The stop came first; what a cancelled drain says then is of no use."""
    stopping = asyncio.create_task(asyncio.Event().wait())
    racing = asyncio.create_task(race(fail_at_the_stop(), stopping))
    await asyncio.wait({racing}, timeout=0.01)
    racing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await racing
    stopping.cancel()
    await asyncio.wait({stopping})
    del racing
    gc.collect()
    assert printed == []
