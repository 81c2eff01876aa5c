"""The classifier's lane: stories in, verdicts out, what cannot be read to the dead letters, in one step."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import orjson

from schemas import Story
from services.bus.codec import Undecodable, dead_letter, decode, encode
from services.bus.loop import Step
from services.bus.topics import VERDICTS
from services.classifier.classify import Item, classify, says_nothing
from services.obs.metrics import Metrics
from services.obs.records import dead_lettered
from services.text.fingerprint import fingerprint
from services.text.times import stamp

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from schemas import Verdict
    from services.bus.ports import Lane, Message, Record
    from services.classifier.classify import Model

CLASSIFIER = "classifier"
VERDICT_PARTITION = 0
"""Verdicts have one partition: about one story in a hundred passes."""


_SCHEMA = Story.model_fields["schema_"].default
_NEEDED = frozenset(
    info.alias or name
    for name, info in Story.model_fields.items()
    if info.is_required() or name in {"schema_", "summary"}
)


@dataclass(slots=True)
class _Draft:
    """What one step has decided so far."""

    messages: list[Message] = field(default_factory=list)
    flags: Counter[bool] = field(default_factory=Counter)
    dead: list[tuple[Record, str]] = field(default_factory=list)
    tombstones: int = 0


class ClassifierStage:
    """Judges each story by itself; keeps no state, so a lane needs no restoring."""

    state_topics: tuple[str, ...] = ()

    def __init__(
        self, _lane: Lane, model: Model, *, publish_all: bool = False, metrics: Metrics | None = None
    ) -> None:
        """Take the model; ``publish_all`` sends the verdicts that say nothing, too."""
        self._model = model
        self._publish_all = publish_all
        self._metrics = metrics or Metrics()

    def load(self, record: Record) -> None:
        """Take nothing: there are no state topics."""

    def next_wakeup(self) -> datetime | None:
        """Return None: there are no timers."""
        return None

    def step(self, records: Sequence[Record], now: datetime) -> Step:
        """Judge the stories of a batch."""
        draft = _Draft()
        for record in records:
            self._judge(record, now, draft)
        return Step(draft.messages, lambda: self._adopt(draft))

    def _judge(self, record: Record, now: datetime, draft: _Draft) -> None:
        if record.value is None:
            draft.tombstones += 1
            return
        if not self._publish_all and (item := first_look(record.value)) and says_nothing(item, self._model):
            draft.flags[False] += 1
            return
        try:
            story = decode(record, Story)
        except Undecodable as error:
            draft.dead.append((record, error.detail))
            draft.messages.append(_dead_letter(record, error.detail))
            return
        told = self._publish_all or is_told_anyway(story)
        verdict = judge(story, self._model)
        draft.flags[verdict.flagged] += 1
        if told or verdict.flagged or verdict.near_miss:
            draft.messages.append(_message(with_story(verdict, story), stamp(now)))

    def _adopt(self, draft: _Draft) -> None:
        """Count and log what was committed."""
        for flagged, count in draft.flags.items():
            self._metrics.inc("tumen_verdicts_total", count, flagged=flagged)
        if draft.tombstones:
            self._metrics.skip("story_tombstone", draft.tombstones)
        for record, detail in draft.dead:
            dead_lettered(record, "story_undecodable", CLASSIFIER, detail, self._metrics)


def first_look(value: bytes) -> Item | None:
    """Return what the gate reads of a first revision that has all that a story needs; None: it must be read whole.

    Reading a story whole takes longer than judging it, and ninety-nine in a hundred are held back. What one of these
    has in fields that nobody will read is not looked at.
    """
    try:
        table = orjson.loads(value)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(table, dict) or not table.keys() >= _NEEDED or table["schema"] != _SCHEMA:
        return None
    if table["revision"] != 1 or table["change"] != "new":
        return None
    read = table["title"], table["summary"], table.get("text") or ""
    return Item("", *read) if all(isinstance(part, str) for part in read) else None


def judge(story: Story, model: Model) -> Verdict:
    """Return the verdict on a story, still without the story itself."""
    return classify(item_of(story), model)


def item_of(story: Story) -> Item:
    """Return what of a story is judged."""
    return Item(
        story.id,
        story.title,
        story.summary,
        story.text or "",
        story.language,
        story.revision,
        story.truncated,
    )


def with_story(verdict: Verdict, story: Story) -> Verdict:
    """Return the verdict with what the correlator may know of the story: its head and its fingerprint."""
    print_ = fingerprint(story.title, story.summary, story.text)
    return verdict.model_copy(update={"story": story.head(), "fingerprint": print_})


def is_told_anyway(story: Story) -> bool:
    """Return whether the correlator must hear of it whatever the verdict: a story may have stopped matching."""
    return story.revision > 1 or story.change == "gone"


def _message(verdict: Verdict, at: str) -> Message:
    return encode(
        VERDICTS,
        verdict,
        partition=VERDICT_PARTITION,
        key=verdict.story_id,
        source=CLASSIFIER,
        at=at,
        trace=verdict.story_id,
    )


def _dead_letter(record: Record, detail: str) -> Message:
    return dead_letter(
        record, group=CLASSIFIER, stage=CLASSIFIER, error=detail, error_class="Undecodable", attempts=1
    )
