"""Models become messages with their envelope; what cannot be read becomes a dead letter."""

from __future__ import annotations

import hashlib

import pytest

from schemas import Story
from services.bus.codec import (
    ENVELOPE,
    HEAD_BYTES_MAX,
    Undecodable,
    as_reference,
    dead_letter,
    decode,
    encode,
    tombstone,
    unsent_letter,
)
from services.bus.ports import Message, Record
from services.bus.topics import FEEDS, STORIES
from tests.builders import T0, a_feed, a_story


def as_record(message: Message, offset: int = 7) -> Record:
    """Return the record that the log makes of a message."""
    return Record(
        message.topic,
        message.partition,
        offset,
        message.key,
        message.value,
        message.headers,
        1_800_000_000_000,
    )


def a_message(story: Story) -> Message:
    """Return a story's message."""
    return encode(STORIES, story, partition=3, key=story.id, source="poller", at=T0, trace=story.id)


def test_a_message_carries_the_model_and_its_envelope() -> None:
    """CloudEvents in binary mode and W3C trace context, as the contract says."""
    story = a_story()
    message = a_message(story)
    headers = dict(message.headers)
    assert (message.topic, message.partition, message.key) == (STORIES.name, 3, story.id)
    assert headers["ce_type"] == b"tumen.stories"
    assert headers["ce_source"] == b"tumen/poller"
    assert headers["ce_time"] == T0.encode()
    assert headers["ce_specversion"] == b"1.0"
    assert headers["content-type"] == b"application/json"
    assert headers["traceparent"] == b"00-%s-%s-01" % (story.id.encode(), headers["ce_id"][:16])


def test_reading_a_message_gives_the_model_back() -> None:
    """Nothing is lost between writer and reader."""
    story = a_story(title="<b>북한</b> \u202e\x1b[31m")
    assert decode(as_record(a_message(story)), Story) == story


def test_the_same_model_has_the_same_event_id() -> None:
    """A re-poll, a replay or a retry says the same thing under the same id; another thing has another."""
    ids = [
        dict(a_message(story).headers)["ce_id"] for story in (a_story(), a_story(), a_story(title="other"))
    ]
    assert ids[0] == ids[1] != ids[2]


@pytest.mark.parametrize(
    ("value", "detail"),
    [
        (None, "tombstone"),
        (b"{", "Invalid JSON"),
        (b"\xff\xfe", "Invalid JSON"),
        (b'{"id": 1}', "id: "),
        (b"[]", "message: "),
    ],
)
def test_what_is_no_model_is_undecodable(value: bytes | None, detail: str) -> None:
    """The reason is one line that names the field."""
    record = Record(STORIES.name, 0, 0, "k", value, (), 0)
    with pytest.raises(Undecodable) as caught:
        decode(record, Story)
    assert detail in caught.value.detail
    assert "\n" not in caught.value.detail
    assert len(caught.value.detail) <= 500


def test_a_dead_letter_keeps_everything_and_says_why() -> None:
    """Original bytes, key and headers; where it was, who failed, how."""
    record = Record(STORIES.name, 5, 42, "k", b"\xff", (("ce_id", b"1"),), 1_800_000_000_000)
    letter = dead_letter(
        record, group="g", stage="decode", error="é" * 600, error_class="Undecodable", attempts=1
    )
    headers = dict(letter.headers)
    assert (letter.topic, letter.partition, letter.key, letter.value) == (
        "tumen.stories.v1.dlq",
        0,
        "k",
        b"\xff",
    )
    assert headers["ce_id"] == b"1"
    assert headers["dlq-original-topic"] == b"tumen.stories.v1"
    assert (headers["dlq-original-partition"], headers["dlq-original-offset"]) == (b"5", b"42")
    assert headers["dlq-original-timestamp"] == b"1800000000000"
    assert (headers["dlq-group"], headers["dlq-stage"], headers["dlq-attempts"]) == (b"g", b"decode", b"1")
    assert headers["dlq-error-message"].decode() == "é" * 500


def test_a_record_cannot_pass_its_letter_off_as_something_else() -> None:
    """Whoever may write stories could otherwise forge the mark that a letter was settled."""
    forged = (("ce_id", b"1"), ("dlq-settled", b"replayed"), ("dlq-group", b"another"))
    record = Record("tumen.stories.v1", 0, 0, "k", b"x", forged, 0)
    letter = dead_letter(record, group="g", stage="g", error="e", error_class="E", attempts=1)
    names = [name for name, _ in letter.headers]
    assert "dlq-settled" not in names
    assert [value for name, value in letter.headers if name == "dlq-group"] == [b"g"]


def test_a_tombstone_ends_a_key() -> None:
    """It has no value, and an envelope."""
    feed = a_feed()
    message = tombstone(FEEDS, partition=1, key=feed.id, source="cli", at=T0)
    assert (message.key, message.value) == (feed.id, None)
    assert dict(message.headers)["ce_type"] == b"tumen.feeds"


def a_letter(message: Message) -> Message:
    """Return the dead letter of a message."""
    return dead_letter(
        as_record(message), group="g", stage="s", error="e", error_class="ProcessDied", attempts=3
    )


def test_a_letter_by_reference_has_the_head_and_says_where_the_rest_is() -> None:
    """Small enough for any topic; the digest tells whether what is found there is the same."""
    message = a_message(a_story(text="x" * 10_000))
    letter = as_reference(a_letter(message), "tumen.stories.v1/3/7")
    headers = dict(letter.headers)
    assert letter.value == (message.value or b"")[:HEAD_BYTES_MAX]
    assert headers["dlq-reference"] == b"tumen.stories.v1/3/7"
    assert headers["dlq-size"] == str(len(message.value or b"")).encode()
    assert headers["dlq-sha256"] == hashlib.sha256(message.value or b"").hexdigest().encode()
    assert headers["dlq-error-class"] == b"ProcessDied"
    assert headers["ce_id"] == dict(message.headers)["ce_id"]


def test_a_letter_by_reference_takes_no_heap_of_headers_along() -> None:
    """Of foreign headers without bound the envelope stays, each cut."""
    message = a_message(a_story())
    heavy = message._replace(headers=(*message.headers, ("x-heavy", b"y" * 100_000)))
    letter = as_reference(a_letter(heavy), None)
    names = {name for name, _ in letter.headers}
    assert "x-heavy" not in names
    assert names >= ENVELOPE
    assert "dlq-reference" not in names


def test_a_message_that_never_got_onto_its_topic_leaves_its_head() -> None:
    """It has no offset, and nothing refers to the rest: there is none."""
    message = a_message(a_story(text="x" * 10_000))
    letter = unsent_letter(message, group="poller", stage="poller", error="too large", timestamp_ms=5)
    headers = dict(letter.headers)
    assert (letter.topic, letter.partition, letter.key) == (STORIES.dlq.name, 0, message.key)
    assert headers["dlq-original-topic"] == STORIES.name.encode()
    assert headers["dlq-original-partition"] == b"3"
    assert headers["dlq-original-offset"] == b"-1"
    assert headers["dlq-original-timestamp"] == b"5"
    assert headers["dlq-error-class"] == b"MessageTooLarge"
    assert "dlq-reference" not in headers
    assert len(letter.value or b"") == HEAD_BYTES_MAX
