"""Whose fault was it? What kills a process is counted where the process is not: in the note beside the offset. Pure.

A note is written before records are run, and whatever is committed normally leaves none. So a note that is found at a
take-over says that nothing was committed since::

    together 7 12 0 TOKEN    the records of offsets 7 to 11 were about to be run in one go
    alone 7 12 1 TOKEN       record 7 was about to be run by itself, having ended one process before
    rested 7 12 1 TOKEN      the same suspicion, but nobody was running anything

Only a death while one record alone was being run counts against it: a restart, a rebalance or a kill that hits a batch
makes its records suspects, and suspects are run one by one until one of them is the third death, or all have passed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

How = Literal["together", "alone", "rested"]

DEATHS_MAX = 3
"""A record that was the end of so many processes is not run again."""
NUMBERS_MAX = 20
"""Digits of a number in a note: more is no number of ours."""


@dataclass(frozen=True, slots=True)
class Note:
    """What was about to be done when it was written, and by which process."""

    how: How
    first: int
    end: int
    """The offset behind the last suspect."""
    deaths: int
    """How many processes ``first`` has ended, running alone."""
    token: str
    """Names the process that wrote it."""

    def __str__(self) -> str:
        """Return the note as it is kept."""
        return f"{self.how} {self.first} {self.end} {self.deaths} {self.token}"


@dataclass(frozen=True, slots=True)
class Suspicion:
    """One of the records in [first, end) may be deadly; ``deaths`` are those of ``first``, running alone."""

    first: int
    end: int
    deaths: int = 0

    def deaths_of(self, offset: int) -> int:
        """Return how many processes a record has ended."""
        return self.deaths if offset == self.first else 0


def read(text: str) -> Note | None:
    """Return a note; None for none, and for what another version may have left."""
    match text.split(" "):
        case [how, first, end, deaths, token] if how in get_args(How) and all(
            map(_number, (first, end, deaths))
        ):
            return Note(how, int(first), int(end), int(deaths), token)  # type: ignore[arg-type]  # asked above
    return None


def _number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= NUMBERS_MAX


def suspicion(text: str, token: str) -> Suspicion | None:
    """Return what a note that is found at a take-over means to the process of this token.

    A process that finds its own note lives, so nobody died of what it was doing.
    """
    note = read(text)
    if note is None or note.end <= note.first:
        return None
    own = note.token == token
    if note.how == "together" and own:
        return None
    died = note.how == "alone" and not own
    return Suspicion(note.first, note.end, note.deaths + died)
