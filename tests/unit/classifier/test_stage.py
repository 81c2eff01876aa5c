"""The classifier's lane: which verdicts it publishes, and what it does with records that it cannot read."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from schemas import Story, Verdict
from services.bus.codec import decode
from services.bus.ports import Lane, Message, Record
from services.bus.topics import STORIES, VERDICTS
from services.classifier.classify import load_model
from services.classifier.stage import ClassifierStage
from services.obs.metrics import Metrics
from services.text.fingerprint import fingerprint
from tests.builders import a_record, a_story

NOW = datetime(2026, 5, 12, 3, tzinfo=UTC)
NOT_NEWS = {"title": "Rain in Oslo", "summary": "Umbrellas sold out."}


class SomeLane:
    """A lane that knows its partition; a stage asks for nothing else."""

    topic = STORIES.name
    partition = 3


def a_stage(metrics: Metrics | None = None, *, publish_all: bool = False) -> ClassifierStage:
    """Return a stage of a lane."""
    lane: Lane = SomeLane()  # type: ignore[assignment]
    return ClassifierStage(lane, load_model(), publish_all=publish_all, metrics=metrics)


def published(*stories: Story, publish_all: bool = False) -> list[Message]:
    """Return what a stage publishes of stories."""
    records = [a_record(STORIES, story, key=story.id, offset=place) for place, story in enumerate(stories)]
    return list(a_stage(publish_all=publish_all).step(records, NOW).messages)


def as_record(message: Message) -> Record:
    """Return a message as the log would hold it."""
    return Record(message.topic, message.partition, 0, message.key, message.value, message.headers, 0)


def test_a_flagged_story_becomes_a_verdict_with_head_and_fingerprint() -> None:
    """The verdict carries all that the correlator may know, and none of the text."""
    story = a_story()
    (message,) = published(story)
    verdict = decode(as_record(message), Verdict)
    assert (message.topic, message.partition, message.key) == (VERDICTS.name, 0, story.id)
    assert (verdict.id, verdict.story_id, verdict.flagged) == (story.id, story.id, True)
    assert verdict.story == story.head()
    assert verdict.fingerprint == fingerprint(story.title, story.summary, story.text)
    assert "summary" not in json.loads(message.value or b"")["story"]
    headers = dict(message.headers)
    assert headers["traceparent"].split(b"-")[1] == story.id.encode()
    assert headers["ce_time"] == b"2026-05-12T03:00:00.000Z"


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        (NOT_NEWS, False),
        ({"title": "North Korea opens a museum of rice", "summary": ""}, False),
        ({**NOT_NEWS, "revision": 2, "change": "major"}, True),
        ({**NOT_NEWS, "change": "gone"}, True),
        ({"title": "Putin congratulates Kim Jong Un", "summary": ""}, True),
    ],
)
def test_what_the_correlator_must_hear_is_published(fields: dict[str, Any], told: bool) -> None:
    """Flagged, near miss, revised or gone; the rest is silent unless everything is asked for."""
    story = a_story(**fields)
    assert bool(published(story)) is told
    assert published(story, publish_all=True)


def test_what_is_held_back_is_counted_as_judged() -> None:
    """A story that makes no verdict is one that was not flagged, whether or not the gate let it pass."""
    metrics = Metrics()
    rice = a_story("rice", title="North Korea opens a museum of rice", summary="")
    step = a_stage(metrics).step([a_record(STORIES, a_story(**NOT_NEWS)), a_record(STORIES, rice)], NOW)
    assert not step.messages
    step.adopt()
    assert metrics.value("tumen_verdicts_total", flagged=False) == 2


def test_a_record_that_cannot_be_read_is_a_dead_letter_in_the_same_step() -> None:
    """The lane goes on, the counters know, and nothing is counted before the commit."""
    metrics = Metrics()
    broken = Record(STORIES.name, 3, 7, "k", b'{"id": 1}', (), 0)
    gone = Record(STORIES.name, 3, 8, "k", None, (), 0)
    step = a_stage(metrics).step([broken, gone, a_record(STORIES, a_story(), offset=9)], NOW)
    topics = [message.topic for message in step.messages]
    assert topics == [STORIES.dlq.name, VERDICTS.name]
    assert step.messages[0].value == broken.value
    assert metrics.value("tumen_skips_total") == 0
    step.adopt()
    assert metrics.value("tumen_skips_total", reason="story_undecodable") == 1
    assert metrics.value("tumen_skips_total", reason="story_tombstone") == 1
    assert metrics.value("tumen_verdicts_total", flagged=True) == 1


@pytest.mark.parametrize(
    ("changed", "dead"),
    [
        ({"guid": None}, True),
        ({"schema": "story/9"}, True),
        ({"title": 7}, True),
        ({"text": ["x"]}, True),
        ({"revision": "two"}, True),
        ({"authors": 5}, False),
    ],
)
def test_a_held_back_story_is_a_dead_letter_only_where_it_lacks_what_is_read(
    changed: dict[str, Any], dead: bool
) -> None:
    """Every field must be there, and those of the gate be what they should; what nobody reads harms nobody."""
    table = json.loads(a_story(**NOT_NEWS).to_json()) | changed
    value = json.dumps({name: part for name, part in table.items() if part is not None}).encode()
    step = a_stage().step([Record(STORIES.name, 3, 7, "k", value, (), 0)], NOW)
    assert [message.topic for message in step.messages] == ([STORIES.dlq.name] if dead else [])


@pytest.mark.parametrize("value", [b"[1]", b"story", b'"\\ud800"'])
def test_what_is_no_story_at_all_is_a_dead_letter(value: bytes) -> None:
    """A list, words, a lone surrogate."""
    (message,) = a_stage().step([Record(STORIES.name, 3, 7, "k", value, (), 0)], NOW).messages
    assert message.topic == STORIES.dlq.name


def test_a_stage_has_no_state_and_no_timers() -> None:
    """The same records give the same messages, as often as they are asked for."""
    stage = a_stage()
    record = a_record(STORIES, a_story())
    stage.load(record)
    assert (tuple(stage.state_topics), stage.next_wakeup()) == ((), None)
    assert stage.step([record], NOW).messages == stage.step([record], NOW).messages


def test_a_story_with_every_script_and_markup_keeps_its_spans() -> None:
    """Evidence indexes the story's plain strings."""
    story = a_story(title="T", summary="<b>북한</b>, 러시아에 포탄 &quot;1만&quot; 발 보내", language="ko")
    (message,) = published(story)
    verdict = decode(as_record(message), Verdict)
    assert verdict.flagged
    assert all(story.summary[span.start : span.end] == span.text for span in verdict.evidence)
