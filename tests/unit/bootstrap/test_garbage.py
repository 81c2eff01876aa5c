"""A live process does not look through its word lists at every collection."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from services.bootstrap import garbage


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Give the collector back as it was."""
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


def test_what_was_loaded_is_left_alone_and_new_garbage_is_not() -> None:
    """Objects of before are frozen; a cycle made afterwards is still collected."""
    garbage.settle()
    assert gc.get_freeze_count() > 0
    assert gc.get_threshold() == garbage.GENERATIONS
    cycle: list[object] = []
    cycle.append(cycle)
    del cycle
    assert gc.collect() > 0
