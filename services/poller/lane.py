"""One partition of feeds: what is known of each, whose turn it is, and the messages of a decision. No I/O but restore."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

from schemas.common import Wire
from schemas.feed import Feed
from schemas.feed_seen import FeedSeen
from schemas.feed_state import FeedState
from services.bus.codec import NO_OFFSET, Undecodable, dead_letter, decode, encode, tombstone, unsent_letter
from services.bus.loop import Step
from services.bus.ports import Message
from services.bus.topics import FEED_EVENTS, FEED_SEEN, FEED_STATE, FEEDS, STORIES
from services.obs.records import dead_lettered, skipped
from services.poller.decide import Decision, decide
from services.poller.politeness import first_offset, wished_interval
from services.poller.report import report
from services.poller.schedule import Schedule, Turn
from services.text.times import moment, stamp
from services.text.urls import host_of

if TYPE_CHECKING:
    from schemas.story import Story
    from services.bus.ports import Lane, Record
    from services.obs.metrics import Metrics
    from services.poller.model import Outcome, PollerSettings

POLLER = "poller"
HOST_WIDE = frozenset({429, 503})
"""Statuses whose Retry-After speaks for the whole host."""

TOO_LARGE = "over the log's size limit, its head is kept"
NEVER_ASKED = datetime(1970, 1, 1, tzinfo=UTC)
"""When a feed without a state was due: before anything else."""

M = TypeVar("M", bound=Wire)


@dataclass(frozen=True, slots=True)
class Unsent:
    """Where a message would have gone."""

    topic: str
    partition: int
    offset: int = NO_OFFSET


@dataclass(frozen=True, slots=True)
class Answer:
    """One feed's turn, and what came of it."""

    turn: Turn
    feed: Feed
    outcome: Outcome
    seconds: float


@dataclass(frozen=True, slots=True)
class Judged:
    """An answer and what it leads to; ``decision`` is None when the feed was removed meanwhile."""

    answer: Answer
    decision: Decision | None
    messages: tuple[Message, ...] = ()


class FeedLane:
    """The feeds of one lane."""

    def __init__(
        self, lane: Lane, settings: PollerSettings, metrics: Metrics, refused: set[str] | None = None
    ) -> None:
        """Begin empty; ``restore`` reads the state. ``refused``: stories that are too large for the log."""
        self.lane = lane
        self.answers: list[Answer] = []
        """Arrived and not yet committed."""
        self.feeds: dict[str, Feed] = {}
        self.states: dict[str, FeedState] = {}
        self.seens: dict[str, FeedSeen] = {}
        self.schedule = Schedule(settings.host_concurrency, settings.host_spacing)
        self._settings = settings
        self._metrics = metrics
        self._refused = set() if refused is None else refused
        self._in_flight: set[str] = set()

    async def restore(self, now: datetime, start_spread: timedelta) -> None:
        """Read feeds, state and seen-sets; what is overdue is spread by each feed's stable offset."""
        await self._load(FEED_STATE.name, FeedState, self.states)
        await self._load(FEED_SEEN.name, FeedSeen, self.seens)
        await self._load(FEEDS.name, Feed, self.feeds)
        for feed in self.feeds.values():
            self._schedule(feed, now, start_spread)
            if (state := self.states.get(feed.id)) is not None:
                self.schedule.hold(host_of(feed.url), moment(state.polled_at) + self._settings.host_spacing)

    async def _load(self, topic: str, model: type[M], table: dict[str, M]) -> None:
        async for record in self.lane.restore(topic):
            try:
                table[record.key] = decode(record, model)
            except Undecodable as error:
                skipped(record, "state_undecodable", error.detail, self._metrics)

    def _schedule(self, feed: Feed, now: datetime, spread: timedelta = timedelta(0)) -> None:
        """Put a feed where its state says; one that was never asked is due at once."""
        host, state = host_of(feed.url), self.states.get(feed.id)
        if state is None:
            self.schedule.put(feed.id, host, NEVER_ASKED)
            return
        due_at = moment(state.due_at)
        if due_at <= now and spread:
            due_at = now + first_offset(feed.id, min(spread, wished_interval(feed, self._settings)))
        if state.reason == "retry-after" and state.http_status in HOST_WIDE:
            self.schedule.hold(host, moment(state.due_at))
        self.schedule.put(feed.id, host, due_at)

    def take_feeds(self, records: tuple[Record, ...], now: datetime) -> Step:
        """Decide on records of the feed list: tombstones for what a removed feed leaves, and dead letters."""
        listed: list[tuple[str, Feed | None]] = []
        dead: list[tuple[Record, str]] = []
        for record in records:
            try:
                listed.append((record.key, None if record.value is None else decode(record, Feed)))
            except Undecodable as error:
                dead.append((record, error.detail))
        gone = [key for key, feed in listed if feed is None]
        messages = [*self._tombstones(gone, stamp(now)), *(_dead(*letter) for letter in dead)]
        return Step(messages, lambda: self._adopt_feeds(listed, dead, now))

    def _tombstones(self, feed_ids: Iterable[str], at: str) -> Iterator[Message]:
        for feed_id in feed_ids:
            for topic in (FEED_STATE, FEED_SEEN):
                yield tombstone(topic, partition=self.lane.partition, key=feed_id, source=POLLER, at=at)

    def _adopt_feeds(
        self, listed: list[tuple[str, Feed | None]], dead: list[tuple[Record, str]], now: datetime
    ) -> None:
        """Take committed records of the feed list into memory, in their order."""
        for key, feed in listed:
            if feed is None:
                self._drop(key)
            elif self.feeds.get(feed.id) != feed:
                self.feeds[feed.id] = feed
                if feed.id not in self._in_flight:
                    self._schedule(feed, now)
        for record, detail in dead:
            dead_lettered(record, "feed_undecodable", POLLER, detail, self._metrics)

    def _lost(self, stories: Iterable[Story]) -> None:
        """Count and log the stories that went out as a head only."""
        for story in stories:
            if story.id in self._refused:
                self._refused.discard(story.id)
                spot = Unsent(STORIES.name, self.lane.partition)
                dead_lettered(
                    spot, "message_too_large", POLLER, f"story {story.id}: {TOO_LARGE}", self._metrics
                )

    def _drop(self, feed_id: str) -> None:
        self.feeds.pop(feed_id, None)
        self.schedule.drop(feed_id)
        self.states.pop(feed_id, None)
        self.seens.pop(feed_id, None)

    def start(self, now: datetime, turns_max: int) -> list[tuple[Turn, Feed, FeedState | None]]:
        """Return whose turn it is, with what a request needs."""
        turns = self.schedule.take(now, turns_max)
        self._in_flight.update(turn.feed_id for turn in turns)
        return [(turn, self.feeds[turn.feed_id], self.states.get(turn.feed_id)) for turn in turns]

    def judge(self, answer: Answer, now: datetime) -> Judged:
        """Decide on an answer; nothing changes until ``adopt``."""
        feed = self.feeds.get(answer.feed.id)
        if feed is None:
            return Judged(answer, None)
        state, seen = self.states.get(feed.id), self.seens.get(feed.id)
        decision = decide(feed, state, seen, answer.outcome, now, self._settings)
        return Judged(answer, decision, tuple(self._messages(feed, decision, now)))

    def _messages(self, feed: Feed, decision: Decision, now: datetime) -> Iterator[Message]:
        partition, at = self.lane.partition, stamp(now)
        for story in decision.stories:
            message = encode(
                STORIES, story, partition=partition, key=story.id, source=POLLER, at=at, trace=story.id
            )
            yield _head(message, now) if story.id in self._refused else message
        yield encode(FEED_STATE, decision.state, partition=partition, key=feed.id, source=POLLER, at=at)
        if decision.seen is not None:
            yield encode(FEED_SEEN, decision.seen, partition=partition, key=feed.id, source=POLLER, at=at)
        for event in decision.events:
            yield encode(FEED_EVENTS, event, partition=partition, key=feed.id, source=POLLER, at=at)

    def adopt(self, judged: Judged, now: datetime) -> None:
        """Take a committed decision into memory and give the feed its next turn."""
        feed = judged.answer.feed
        self._in_flight.discard(feed.id)
        self.schedule.done(host_of(feed.url))
        decision, current = judged.decision, self.feeds.get(feed.id)
        if current is not None and decision is not None:
            self.states[feed.id] = decision.state
            if decision.seen is not None:
                self.seens[feed.id] = decision.seen
            report(current, decision, judged.answer.seconds, self._metrics)
            self._lost(decision.stories)
        if current is not None:
            self._schedule(current, now)


def _head(message: Message, now: datetime) -> Message:
    """Return the dead letter of a story that the log refused: it must not hold up its feed for ever."""
    at_ms = int(now.timestamp() * 1_000)
    return unsent_letter(message, group=POLLER, stage=POLLER, error=TOO_LARGE, timestamp_ms=at_ms)


def _dead(record: Record, detail: str) -> Message:
    return dead_letter(
        record, group=POLLER, stage=POLLER, error=detail, error_class="Undecodable", attempts=1
    )
