"""What a note beside an offset says, and what it means to whoever takes the lane next."""

from __future__ import annotations

import pytest

from services.bus.attempts import Note, Suspicion, read, suspicion

ME, DEAD = "me", "dead"


@pytest.mark.parametrize("how", ["together", "alone", "rested"])
def test_a_note_is_read_as_it_was_written(how: str) -> None:
    """Nothing of it is lost on the bus."""
    note = Note(how, 7, 12, 2, DEAD)  # type: ignore[arg-type]  # the three words there are
    assert read(str(note)) == note


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "alone 1 2 3",
        "alone 1 2 3 t more",
        "asleep 1 2 3 t",
        "alone x 2 3 t",
        "alone 1 -2 3 t",
        f"alone {'9' * 30} 2 3 t",
        "alone 1 ² 3 t",
    ],
)
def test_what_is_no_note_says_nothing(text: str) -> None:
    """Another program, or a later version, may have left anything there."""
    assert read(text) is None
    assert suspicion(text, ME) is None


def test_a_death_in_a_batch_makes_its_records_suspects() -> None:
    """None of them is blamed yet."""
    found = suspicion(str(Note("together", 7, 12, 0, DEAD)), ME)
    assert found == Suspicion(7, 12)


def test_a_death_alone_is_held_against_the_record() -> None:
    """Against it, and not against the one behind it."""
    found = suspicion(str(Note("alone", 7, 12, 1, DEAD)), ME)
    assert found == Suspicion(7, 12, 2)
    assert [found.deaths_of(offset) for offset in (7, 8)] == [2, 0]


def test_who_finds_its_own_note_lives() -> None:
    """A lane lost and taken again by the same process has killed nobody."""
    assert suspicion(str(Note("together", 7, 12, 0, ME)), ME) is None
    assert suspicion(str(Note("alone", 7, 12, 1, ME)), ME) == Suspicion(7, 12, 1)


def test_a_process_that_ended_in_good_order_blames_nobody() -> None:
    """The suspicion stays as it was."""
    assert suspicion(str(Note("rested", 7, 12, 1, DEAD)), ME) == Suspicion(7, 12, 1)


def test_a_suspicion_of_nothing_is_none() -> None:
    """A batch that nobody died of is forgotten."""
    assert suspicion(str(Note("rested", 7, 7, 0, DEAD)), ME) is None
