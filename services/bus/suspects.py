"""Records that may be deadly, run one by one: the I/O around ``attempts``.

A batch that failed, or that a process was running when it ended, is not run as a batch again. Each of its records has
a transaction of its own, whose note names the next one, so that a death is the death of one record. At the third the
record goes to the dead letters without being run. What the bus does (away, lane lost) is never held against a record.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol
from uuid import uuid4

from services.bus.attempts import DEATHS_MAX, Note, Suspicion, read, suspicion
from services.bus.codec import as_reference, dead_letter
from services.bus.ports import NO_INPUT, Batch, BusError, MessageTooLarge

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from services.bus.aisle import Aisle
    from services.bus.loop import Stage
    from services.bus.ports import Lane, Message, Record

# While suspects are run everybody else of the process waits: about a second on Kafka.
ISOLATED_MAX = 200

Spot = tuple[str, int]


class TryAgain(Exception):  # noqa: N818 - an instruction to the drain, which knows what to do differently
    """What failed is now known: take the lane's records again."""


class Reports(Protocol):
    """Who counts and logs."""

    def dead_lettered(self, record: Record, error_class: str, error: str, attempts: int) -> None:
        """Say that a record went to the dead letters."""

    def suspected(self, topic: str, partition: int, offset: int, deaths: int, error: str) -> None:
        """Say that records from an offset on are run one by one, and why."""


class NoReports:
    """Says nothing."""

    def dead_lettered(self, record: Record, error_class: str, error: str, attempts: int) -> None:
        """Say nothing."""

    def suspected(self, topic: str, partition: int, offset: int, deaths: int, error: str) -> None:
        """Say nothing."""


@dataclass(frozen=True, slots=True)
class _Fate:
    """Why a record is not run but sent to the dead letters, and how."""

    error_class: str
    error: str
    attempts: int
    by_reference: bool = False


@dataclass(frozen=True, slots=True)
class _Trial:
    """One suspect's turn: where its transaction takes the offset, and the note that it leaves."""

    record: Record
    reach: int
    deaths: int
    end: int
    note: Note | None


class Suspects:
    """What one service knows of records that are not to be trusted."""

    def __init__(self, name: str, aisle: Aisle, reports: Reports) -> None:
        """Begin without suspicion; the token names this process in its notes."""
        self._name = name
        self._aisle = aisle
        self._reports = reports
        self._token = uuid4().hex[:12]
        self._found: dict[Spot, Suspicion] = {}
        self._fates: dict[tuple[Spot, int], _Fate] = {}
        self._lanes: set[Lane] = set()
        self._fresh: set[Lane] = set()
        """Those from which nothing has been committed since they were taken."""

    def take(self, lane: Lane) -> None:
        """Look at what the last owner left beside the offset."""
        self._lanes.add(lane)
        self._fresh.add(lane)
        if (found := suspicion(lane.note, self._token)) is not None:
            self._found[_spot(lane)] = found
            self._reports.suspected(
                lane.topic, lane.partition, found.first, found.deaths, self._left_by(read(lane.note))
            )

    def _left_by(self, note: Note | None) -> str:
        """Say what became of whoever left a note that raises suspicion."""
        if note is not None and note.token == self._token:
            return "this process took the partition anew before it had committed this"
        if note is not None and note.how == "rested":
            return "an earlier process suspected this and had not committed it"
        return "a process ended before it had committed this"

    def keep(self, lanes: Collection[Lane]) -> None:
        """Forget lanes that are no longer owned, and what was suspected there: the next owner finds the note."""
        self._lanes.intersection_update(lanes)
        self._fresh.intersection_update(lanes)
        spots = set(map(_spot, lanes))
        self._found = {spot: found for spot, found in self._found.items() if spot in spots}
        self._fates = {key: fate for key, fate in self._fates.items() if key[0] in spots}

    async def among(self, lane: Lane, batch: Batch) -> bool:
        """Tell whether a batch begins with suspects; the first batch after a take-over leaves a note."""
        spot = _spot(lane)
        if not batch.records or batch.next_offset is None:
            return False
        first = batch.records[0].offset
        if spot in self._found and self._found[spot].end <= first:
            del self._found[spot]
        if lane in self._fresh and spot not in self._found:
            if len(batch.records) == 1:  # alone by nature
                self._found[spot] = Suspicion(first, batch.next_offset)
            else:
                await _leave(lane, Note("together", first, batch.next_offset, 0, self._token))
        self._fresh.discard(lane)
        return spot in self._found

    @asynccontextmanager
    async def together(self, lane: Lane, batch: Batch) -> AsyncIterator[None]:
        """Run a batch as one; when that fails and it was not the bus, its records are suspects."""
        async with self._aisle.together():
            try:
                yield
            except Exception as error:
                if _of_the_bus(error) or batch.next_offset is None or not batch.records:
                    raise
                first = batch.records[0].offset
                self._found[_spot(lane)] = Suspicion(first, batch.next_offset)
                self._reports.suspected(lane.topic, lane.partition, first, 0, _said(error))
                raise TryAgain from error

    async def isolate(
        self, lane: Lane, stage: Stage, batch: Batch, now: datetime, demand: Callable[[], None]
    ) -> tuple[int, int]:
        """Run the suspects of a batch one by one, nobody else meanwhile; return how many records and messages.

        ``demand`` is asked when it is this lane's turn: it raises if nothing should be begun any more.
        """
        found = self._found[_spot(lane)]
        suspects = [record for record in batch.records if record.offset < found.end][:ISOLATED_MAX]
        messages = 0
        async with self._aisle.alone():
            demand()
            for trial in self._trials(batch, suspects, found):
                messages += await self._try(lane, stage, trial, now)
        return len(suspects), messages

    def _trials(self, batch: Batch, suspects: Sequence[Record], found: Suspicion) -> Iterable[_Trial]:
        """Yield each suspect with the note that its commit leaves: who is next, or that there are more."""
        for record, following in zip(suspects, (*suspects[1:], None), strict=True):
            last = record is batch.records[-1] and batch.next_offset is not None
            reach = batch.next_offset if last and batch.next_offset is not None else record.offset + 1
            note = None
            if following is not None:
                note = Note("alone", following.offset, found.end, 0, self._token)
            elif reach < found.end:
                note = Note("rested", reach, found.end, 0, self._token)
            yield _Trial(record, reach, found.deaths_of(record.offset), found.end, note)

    async def _try(self, lane: Lane, stage: Stage, trial: _Trial, now: datetime) -> int:
        """Run one suspect, or send it to the dead letters; return how many messages that made."""
        record, key = trial.record, (_spot(lane), trial.record.offset)
        fate = self._fates.get(key)
        if fate is None and trial.deaths >= DEATHS_MAX:
            died = f"{trial.deaths} processes ended while they ran this record alone"
            fate = _Fate("ProcessDied", died, trial.deaths)
        messages: Sequence[Message] = ()
        adopt: Callable[[], None] = _nothing
        if fate is None:
            await _leave(lane, Note("alone", record.offset, trial.end, trial.deaths, self._token))
            try:
                step = stage.step([record], now)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is this record's; the third time says so
                fate = await self._failed(lane, trial, error)
            else:
                messages, adopt = step.messages, step.adopt
        if fate is not None:
            messages = [self._letter(record, fate)]
        try:
            async with lane.transaction(
                Batch((record,), trial.reach), str(trial.note) if trial.note else ""
            ) as outbox:
                outbox.send_all(messages)
        except MessageTooLarge as error:
            self._fates[key] = _smaller(fate, error)
            raise TryAgain from error
        self._passed(lane, trial)
        adopt()
        if fate is not None:
            self._fates.pop(key, None)
            self._reports.dead_lettered(record, fate.error_class, fate.error, fate.attempts)
        return len(messages)

    async def _failed(self, lane: Lane, trial: _Trial, error: Exception) -> _Fate:
        """Count an exception of the stage like a death: twice it ends the process, the third time the record."""
        deaths = trial.deaths + 1
        if deaths >= DEATHS_MAX:
            return _Fate(type(error).__name__, _said(error), deaths)
        offset = trial.record.offset
        self._reports.suspected(lane.topic, lane.partition, offset, deaths, _said(error))
        self._found[_spot(lane)] = Suspicion(offset, trial.end, deaths)
        await _leave(lane, Note("rested", offset, trial.end, deaths, self._token))
        raise error

    def _letter(self, record: Record, fate: _Fate) -> Message:
        letter = dead_letter(
            record,
            group=self._name,
            stage=self._name,
            error=fate.error,
            error_class=fate.error_class,
            attempts=fate.attempts,
        )
        if fate.by_reference:
            return as_reference(letter, f"{record.topic}/{record.partition}/{record.offset}")
        return letter

    def _passed(self, lane: Lane, trial: _Trial) -> None:
        """Go on with the next suspect; behind the last one there is no suspicion."""
        if trial.note is None:
            self._found.pop(_spot(lane), None)
        else:
            self._found[_spot(lane)] = Suspicion(trial.note.first, trial.note.end)

    async def rest(self) -> None:
        """Take back the trials that its notes say are under way: this process ends in good order.

        A batch stays suspect: it may be what keeps this process from doing anything but ending.
        """
        for lane in self._lanes:
            note = read(lane.note)
            if note is None or note.token != self._token or note.how != "alone":
                continue
            with suppress(BusError):  # the lane is another's, or the bus is away: one more suspicion, no harm
                await _leave(lane, replace(note, how="rested"))


def _spot(lane: Lane) -> Spot:
    return lane.topic, lane.partition


def _of_the_bus(error: Exception) -> bool:
    """Tell whether an error is the log's and says nothing about a record."""
    return isinstance(error, BusError) and not isinstance(error, MessageTooLarge)


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def _smaller(fate: _Fate | None, error: MessageTooLarge) -> _Fate:
    """Return what to do with a record whose output, or whose dead letter, is too large."""
    if fate is None:
        return _Fate("MessageTooLarge", str(error), 1)
    if fate.by_reference:
        raise error
    return replace(fate, by_reference=True)


def _nothing() -> None:
    """Adopt nothing."""


async def _leave(lane: Lane, note: Note) -> None:
    """Write a note beside the offset, unless it is there."""
    if lane.note != str(note):
        async with lane.transaction(NO_INPUT, str(note)):
            pass
