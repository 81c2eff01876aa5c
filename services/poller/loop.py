"""Due -> fetch -> parse -> decide -> publish: the poller as a service.

Fetches run beside the loop, and nobody waits for a stalled one. What an answer leads to is decided when it is
committed, with the state of that moment: stories, feed-state, feed-seen and feed-events in one transaction of the
feed's lane.
"""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from services.bus.loop import Progress, Step, commit
from services.bus.ports import BATCH_BYTES_MAX, NO_INPUT, BusUnavailable, LaneLost, MessageTooLarge
from services.bus.topics import STORIES
from services.obs.metrics import Metrics
from services.poller.lane import POLLER, Answer, FeedLane
from services.poller.model import Failure, Fetched, FetchFailed, NotModified, Request
from services.poller.politeness import request_headers
from services.poller.report import count_standing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from schemas.feed import Feed
    from schemas.feed_state import FeedState
    from services.bus.ports import Lane, Membership
    from services.poller.fetch import Fetcher
    from services.poller.lane import Judged
    from services.poller.model import Outcome, PollerSettings, Response
    from services.poller.parse.pool import Parser
    from services.poller.schedule import Turn

LANDING_S = 4.0
"""Who is told to leave waits so long for its requests in flight: what it commits, nobody has to ask again."""
FETCHES_MAX = 100
"""In flight at once, over all hosts: sockets and bodies held in memory."""
_OK, _NOT_MODIFIED = 200, 304


class Poller:
    """The service. ``ordered`` (virtual time): every drain waits for all that is due and publishes it in order."""

    name = POLLER

    def __init__(  # noqa: PLR0913 - the parts that bootstrap wires
        self,
        membership: Membership,
        fetcher: Fetcher,
        parser: Parser,
        settings: PollerSettings,
        *,
        ordered: bool,
        start_spread: timedelta = timedelta(0),
        metrics: Metrics | None = None,
    ) -> None:
        """Take a membership on the feeds topic; fetcher and parser stay their maker's to close."""
        self._membership = membership
        self._fetcher = fetcher
        self._parser = parser
        self._settings = settings
        self._ordered = ordered
        self._start_spread = start_spread
        self._metrics = metrics or Metrics()
        self._lanes: dict[Lane, FeedLane] = {}
        self._flying: dict[asyncio.Task[Answer], FeedLane] = {}
        self._refused: set[str] = set()
        """Stories that the log has refused as too large; each goes to the dead letters at its next turn."""
        self._anew = False
        """Whether a lane failed in the last drain: the next one takes it again, if it is still ours."""
        self._drained: tuple[datetime, float] | None = None
        """The moment of the last drain, and the loop's time then; None: it did not end well."""
        membership.hold_while(self._busy)

    def _busy(self) -> bool:
        """Tell whether a server was asked and its answer is not committed."""
        return bool(self._flying) or any(lane.answers for lane in self._lanes.values())

    async def drain(self, now: datetime) -> Progress:
        """Read the feed list, commit what has been answered, ask whose turn it is."""
        self._drained = None
        await self._own_lanes(now)
        total = Progress() if self._ordered else await self._publish(now)  # news does not wait for the list
        for lane in tuple(self._lanes.values()):
            total += await self._read_feeds(lane, now)
        total += await self._publish(now)
        self._ask(now)
        while self._ordered and self._flying:
            await asyncio.wait(self._flying)
            total += await self._publish(now)
            self._ask(now)
        self._drained = now, asyncio.get_running_loop().time()
        return total

    async def _own_lanes(self, now: datetime) -> None:
        """Drop lanes that were lost, restore those that were gained, side by side: reading is mostly waiting."""
        owned = await self._membership.lanes()
        self._anew = False
        for lane in self._lanes.keys() - set(owned):
            self._forget(self._lanes[lane])
        gained = [
            FeedLane(lane, self._settings, self._metrics, self._refused)
            for lane in owned
            if lane not in self._lanes
        ]
        restores = (feeds.restore(now, self._start_spread) for feeds in gained)
        outcomes = await asyncio.gather(*restores, return_exceptions=True)
        for feeds, failed in zip(gained, outcomes, strict=True):
            if failed is None:
                self._lanes[feeds.lane] = feeds
        for failed in outcomes:
            if failed is not None and not isinstance(failed, LaneLost):
                raise failed
            self._anew = self._anew or failed is not None

    def _forget(self, lane: FeedLane) -> None:
        """Drop a lane and its requests quietly: they are another owner's now."""
        self._lanes.pop(lane.lane, None)
        for task in [task for task, owner in self._flying.items() if owner is lane]:
            self._flying.pop(task)
            task.cancel()

    async def _read_feeds(self, feeds: FeedLane, now: datetime) -> Progress:
        """Commit what the records of the feeds topic lead to, and adopt it."""
        total = Progress()
        try:
            while (batch := await feeds.lane.poll()).records:
                step = feeds.take_feeds(batch.records, now)
                await commit(feeds.lane, batch, step)
                total += Progress(len(batch.records), len(step.messages))
        except LaneLost:
            self._forget(feeds)
            self._anew = True
        return total

    def _ask(self, now: datetime) -> None:
        """Start the requests of those whose turn it is; while lanes change hands, of nobody."""
        if self._rests:
            return
        for lane in self._lanes.values():
            for turn, feed, state in lane.start(now, FETCHES_MAX - len(self._flying)):
                task = asyncio.create_task(self._poll(turn, feed, state), name=f"poll {feed.id}")
                self._flying[task] = lane

    @property
    def _rests(self) -> bool:
        return self._membership.moving and not self._ordered

    async def _poll(self, turn: Turn, feed: Feed, state: FeedState | None) -> Answer:
        clock = asyncio.get_running_loop().time
        begun = clock()
        answer = await self._fetcher.fetch(Request(feed.url, request_headers(state)))
        outcome = await self._outcome(answer, state)
        return Answer(turn, feed, outcome, clock() - begun)

    async def _outcome(self, answer: Response | Failure, state: FeedState | None) -> Outcome:
        """Read an answer; a body that is the one of last time is not parsed, and none is kept."""
        if isinstance(answer, Failure):
            return FetchFailed(answer.kind, answer.detail)
        if answer.status == _NOT_MODIFIED:
            return NotModified(answer)
        if answer.status != _OK:
            return FetchFailed("http_error", f"HTTP {answer.status}", answer)
        digest = hashlib.sha256(answer.body).hexdigest()
        if state is not None and digest == state.body_sha256:
            return Fetched(replace(answer, body=b""), digest, None)
        content_type = answer.header("content-type") or ""
        document = await self._parser.parse(answer.body, answer.url, content_type)
        return Fetched(replace(answer, body=b""), digest, document)

    async def _publish(self, now: datetime) -> Progress:
        """Commit what has been answered, lane by lane."""
        for task in [task for task in self._flying if task.done()]:
            self._flying.pop(task).answers.append(task.result())
        total = Progress()
        for lane in tuple(self._lanes.values()):
            try:
                total += await _commit(lane, now)
            except LaneLost:
                self._forget(lane)
                self._anew = True
            except MessageTooLarge as error:
                if error.topic != STORIES.name or error.key in self._refused:
                    raise
                self._refused.add(error.key)
                self._forget(lane)
                self._anew = True
            except asyncio.CancelledError:
                self._forget(lane)  # whether it was committed is not known
                raise
        if total.moved:
            states = (state for lane in self._lanes.values() for state in lane.states.values())
            count_standing(states, self._metrics)
        return total

    def next_wakeup(self) -> datetime | None:
        """Return when it is the next feed's turn; None while no request may be started."""
        if self._rests or len(self._flying) >= FETCHES_MAX:
            return None
        turns = (lane.schedule.next_at() for lane in self._lanes.values())
        return min((at for at in turns if at is not None), default=None)

    def owes(self, since: datetime, now: datetime) -> bool:
        """Tell whether anything that was due at ``since`` is unanswered: for ``--once``, which waits for no back-off."""
        return (
            self._anew or self._busy() or any(lane.schedule.owes(since, now) for lane in self._lanes.values())
        )

    async def wait(self, timeout_s: float) -> None:
        """Return when a request is answered, the feed list or the assignment may have changed, or the time is up."""
        if any(task.done() for task in self._flying):
            return
        bus = asyncio.create_task(self._membership.wait(timeout_s))
        try:
            await asyncio.wait({bus, *self._flying}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
            if bus.done():
                bus.result()
        finally:
            bus.cancel()
            await asyncio.gather(bus, return_exceptions=True)

    async def close(self) -> None:
        """Commit what is answered within a short time, give up the other requests, then ownership."""
        try:
            await self._land()
        finally:
            for task in self._flying:
                task.cancel()
            await asyncio.gather(*self._flying, return_exceptions=True)
            self._flying.clear()
            self._lanes.clear()
            await self._membership.close()

    async def _land(self) -> None:
        """Wait for the requests in flight and commit their answers; a log that is away ends it."""
        if self._drained is None:
            return
        clock = asyncio.get_running_loop().time
        (moment, drained), deadline = self._drained, clock() + LANDING_S
        with suppress(BusUnavailable):
            while self._busy() and (left := deadline - clock()) > 0:
                if self._flying:
                    await asyncio.wait(self._flying, timeout=left, return_when=asyncio.FIRST_COMPLETED)
                await self._publish(moment + timedelta(seconds=clock() - drained))


async def _commit(lane: FeedLane, now: datetime) -> Progress:
    """Commit a lane's answers in the order of their turns, in transactions of bounded size."""
    total = Progress()
    lane.answers.sort(key=lambda answer: answer.turn)
    while lane.answers:
        judged = list(_fill(lane, now))
        messages = [message for one in judged for message in one.messages]
        await commit(lane.lane, NO_INPUT, Step(messages))
        del lane.answers[: len(judged)]
        for one in judged:
            lane.adopt(one, now)
        total += Progress(0, len(messages))
    return total


def _fill(lane: FeedLane, now: datetime) -> Iterator[Judged]:
    """Yield decisions until one transaction is full; the first always goes in."""
    size = 0
    for answer in lane.answers:
        one = lane.judge(answer, now)
        added = sum(len(message.value or b"") for message in one.messages)
        if size and size + added > BATCH_BYTES_MAX:
            return
        size += added
        yield one
