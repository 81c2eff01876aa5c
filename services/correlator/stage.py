"""The correlator's lane: verdicts in; storylines, members and alerts out, in one step."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING

from schemas import Alert, Storyline, StorylineMember, Verdict
from services.bus.codec import Undecodable, dead_letter, decode, encode, tombstone
from services.bus.loop import Step
from services.bus.topics import ALERTS, STORYLINE_MEMBERS, STORYLINES
from services.correlator import compose
from services.correlator.group import Open, place
from services.correlator.memory import Memory, written
from services.correlator.news import NoNews, find_news, told_by
from services.correlator.standing import storyline_after
from services.obs import log
from services.obs.metrics import Metrics
from services.obs.records import dead_lettered, skipped
from services.text.times import moment, stamp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from schemas.common import Wire
    from schemas.fingerprint import Fingerprint
    from schemas.story import StoryHead
    from services.bus.ports import Lane, Message, Record
    from services.bus.topics import Topic
    from services.clock import Clock

CORRELATOR = "correlator"
QUIET_MAX = timedelta(days=200)
"""A storyline without news for this long is forgotten; the alerts keep its history."""
FORGOTTEN_MAX = 500
"""Storylines forgotten in one transaction."""


@dataclass(slots=True)
class _Draft:
    """What one step has decided so far."""

    memory: Memory
    now: datetime
    alerts: list[Alert] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)
    """When the story of each alert was fetched."""
    dead: list[tuple[Record, str]] = field(default_factory=list)
    skips: Counter[str] = field(default_factory=Counter)
    opened: int = 0


class CorrelatorStage:
    """Folds verdicts into storylines and says when somebody must be told."""

    state_topics = (STORYLINES.name, STORYLINE_MEMBERS.name, ALERTS.name)
    """Read in this order: an alert is remembered with its storyline."""

    def __init__(self, lane: Lane, metrics: Metrics | None = None, clock: Clock | None = None) -> None:
        """Start empty; ``load`` brings what the lane knew. With a clock, it says how long alerts took."""
        self._clock = clock
        self._partition = lane.partition
        self._metrics = metrics or Metrics()
        self._memory = Memory()
        self._quiet_since: str | None = None
        """Not after the oldest ``updated_at``; only looked up anew when its time has come."""

    def load(self, record: Record) -> None:
        """Take one record of a state topic; one that cannot be read is counted and left where it is."""
        try:
            if record.topic == STORYLINES.name:
                storyline = decode(record, Storyline)
                self._memory.storylines[storyline.id] = storyline
                self._note_quiet(storyline)
            elif record.topic == STORYLINE_MEMBERS.name:
                self._memory.put(decode(record, StorylineMember))
            else:
                self._load_told(decode(record, Alert))
        except Undecodable as error:
            skipped(record, "state_undecodable", error.detail, self._metrics)

    def _load_told(self, alert: Alert) -> None:
        """Take the last alert of a storyline; the topic also keeps those of storylines that were forgotten."""
        if alert.storyline_id in self._memory.storylines:
            self._memory.told[alert.storyline_id] = told_by(alert)

    def step(self, records: Sequence[Record], now: datetime) -> Step:
        """Decide on verdicts, or, without any, on storylines that have been quiet for too long."""
        if not records:
            return self._forget(now)
        draft = _Draft(self._memory.draft(), now)
        for record in records:
            try:
                self._hear(decode(record, Verdict), draft)
            except Undecodable as error:
                draft.dead.append((record, error.detail))
        return Step(self._messages(draft), lambda: self._adopt(draft))

    def next_wakeup(self) -> datetime | None:
        """Return the midnight after the quietest storyline's time is up."""
        return _forget_at(self._quiet_since) if self._quiet_since else None

    def _hear(self, verdict: Verdict, draft: _Draft) -> None:
        """Place one verdict's story and say what is new; what is neither flagged nor a member is nobody's news."""
        story, print_ = verdict.story, verdict.fingerprint
        if story is None or print_ is None:
            raise Undecodable("story and fingerprint: a verdict on the bus carries both")
        _check_times(story)
        before = draft.memory.members.get(story.id)
        if before is None and not verdict.flagged:
            return
        if before and verdict.story_revision <= before.story_revision:
            draft.skips["verdict_repeated"] += 1
            return
        member = (
            _revised(before, verdict, story, print_) if before else _placed(verdict, story, print_, draft)
        )
        draft.memory.put(member)
        members = draft.memory.of(member.storyline_id)
        known = draft.memory.storylines.get(member.storyline_id)
        storyline = storyline_after(verdict, story, members, known)
        draft.memory.storylines[storyline.id] = storyline
        draft.opened += known is None
        self._tell(compose.Case(verdict, story, storyline, members), before, member, draft)

    def _tell(
        self, case: compose.Case, before: StorylineMember | None, member: StorylineMember, draft: _Draft
    ) -> None:
        """Raise an alert if subscribers must hear of it, else count why not."""
        told = draft.memory.told.get(member.storyline_id)
        found = find_news(told, before, member, case.verdict, compose.quotes(case.verdict))
        if isinstance(found, NoNews):
            draft.skips[found.reason] += bool(found.reason)
            return
        alert = compose.alert(case, found, told, draft.now)
        draft.alerts.append(alert)
        draft.fetched.append(case.story.fetched_at)
        draft.memory.told[alert.storyline_id] = told_by(alert)

    def _messages(self, draft: _Draft) -> list[Message]:
        """Return the last state of what changed, then the alerts, then the dead letters."""
        at = stamp(draft.now)
        storylines = written(draft.memory.storylines).values()
        members = written(draft.memory.members).values()
        return [
            *(self._message(STORYLINES, line, line.id, line.id, at) for line in storylines),
            *(self._message(STORYLINE_MEMBERS, one, one.story_id, one.story_id, at) for one in members),
            *(self._message(ALERTS, one, one.storyline_id, one.verdict_ids[0], at) for one in draft.alerts),
            *(_dead_letter(record, detail) for record, detail in draft.dead),
        ]

    def _message(self, topic: Topic, model: Wire, key: str, trace: str, at: str) -> Message:
        return encode(topic, model, partition=self._partition, key=key, source=CORRELATOR, at=at, trace=trace)

    def _adopt(self, draft: _Draft) -> None:
        """Take over what was committed; count it and log it."""
        self._memory.absorb(draft.memory)
        for storyline in written(draft.memory.storylines).values():
            self._note_quiet(storyline)
        self._metrics.inc("tumen_storylines_opened_total", draft.opened)
        for reason, count in draft.skips.items():
            self._metrics.skip(reason, count)
        for alert in draft.alerts:
            self._metrics.inc("tumen_alerts_total", kind=alert.kind, severity=alert.severity)
            log.emit(
                "alert.raised",
                alert_id=alert.id,
                storyline_id=alert.storyline_id,
                kind=alert.kind,
                severity=alert.severity,
                reason=alert.reason,
            )
        if self._clock is not None:
            for at in draft.fetched:
                self._metrics.observe("tumen_alert_seconds", (self._clock.now() - moment(at)).total_seconds())
        for record, detail in draft.dead:
            dead_lettered(record, "verdict_undecodable", CORRELATOR, detail, self._metrics)

    def _forget(self, now: datetime) -> Step:
        """End the storylines whose time is up, with their members."""
        due = [line for line in self._memory.storylines.values() if _forget_at(line.updated_at) <= now]
        ended = tuple(line.id for line in sorted(due, key=lambda line: line.updated_at)[:FORGOTTEN_MAX])
        keys = [
            (topic, key)
            for storyline_id in ended
            for topic, key in (
                (STORYLINES, storyline_id),
                *((STORYLINE_MEMBERS, story_id) for story_id in self._memory.lines.get(storyline_id, ())),
            )
        ]
        messages = [
            tombstone(topic, partition=self._partition, key=key, source=CORRELATOR, at=stamp(now))
            for topic, key in keys
        ]
        return Step(messages, lambda: self._adopt_forgotten(ended))

    def _adopt_forgotten(self, ended: tuple[str, ...]) -> None:
        self._memory.forget(ended)
        updated = (line.updated_at for line in self._memory.storylines.values())
        self._quiet_since = min(updated, default=None)

    def _note_quiet(self, storyline: Storyline) -> None:
        self._quiet_since = min(self._quiet_since or storyline.updated_at, storyline.updated_at)


def _placed(verdict: Verdict, story: StoryHead, print_: Fingerprint, draft: _Draft) -> StorylineMember:
    """Return the member that a story becomes in the storyline it joins or opens."""
    placement = place(story, print_, draft.memory, verdict.monitor)
    joined = None if isinstance(placement, Open) else placement
    return StorylineMember(
        id=story.id,
        story_id=story.id,
        story_revision=verdict.story_revision,
        storyline_id=placement.storyline_id,
        role=placement.role,
        copy_of=joined.copy_of if joined else None,
        similarity=joined.similarity if joined else None,
        source=story.source,
        url=story.url,
        title=story.title,
        language=verdict.language or story.language,
        published=story.published,
        first_seen=story.first_seen,
        fingerprint=print_,
    )


def _revised(
    before: StorylineMember, verdict: Verdict, story: StoryHead, print_: Fingerprint
) -> StorylineMember:
    """Return the member after a later revision of its story: its place stays."""
    return before.model_copy(
        update={
            "story_revision": verdict.story_revision,
            "url": story.url,
            "title": story.title,
            "language": verdict.language or story.language,
            "published": story.published,
            "fingerprint": print_,
        }
    )


def _check_times(story: StoryHead) -> None:
    """Refuse a story whose timestamps have the form of one and are none (a thirteenth month)."""
    try:
        for text in (story.first_seen, story.fetched_at, story.published or story.first_seen):
            moment(text)
    except ValueError as error:
        detail = f"story: {error}"
        raise Undecodable(detail) from error


def _dead_letter(record: Record, detail: str) -> Message:
    return dead_letter(
        record, group=CORRELATOR, stage=CORRELATOR, error=detail, error_class="Undecodable", attempts=1
    )


def _forget_at(updated_at: str) -> datetime:
    """Return the first midnight, UTC, at which a storyline last updated then has been quiet for QUIET_MAX."""
    end = moment(updated_at) + QUIET_MAX
    return datetime.combine(end.date(), time(0), UTC) + timedelta(days=1)
