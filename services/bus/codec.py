"""Models to messages and back: CloudEvents headers (binary mode), W3C trace context, dead letters.

What cannot be read becomes a dead letter: the original bytes, and headers that say where, what and why.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, TypeVar

from pydantic import ValidationError

import services
from schemas.common import Wire
from services.bus.ports import Message, Record
from services.bus.topics import TOPICS, Topic
from services.text.ids import stable_id

if TYPE_CHECKING:
    from services.bus.ports import Headers

M = TypeVar("M", bound=Wire)

DLQ = "dlq-"
"""What the names of a dead letter's own headers begin with."""
ENVELOPE = frozenset(
    {"ce_id", "ce_type", "ce_source", "ce_time", "traceparent", "content-type", "ce_specversion"}
)
CONTENT_TYPE = (("content-type", b"application/json"), ("ce_specversion", b"1.0"))
ERROR_MAX = 500
HEAD_BYTES_MAX = 2_048
"""What a letter by reference shows of a value: enough to know it by, little enough for any topic."""
HEADERS_BYTES_MAX = 4_096
"""Headers of the original that a letter by reference takes along; more than that, and only the envelope's are."""
NO_OFFSET = -1
"""The original offset of a message that never got onto its topic."""


class Undecodable(Exception):  # noqa: N818 - names the record, not the failure
    """A record's value is not what its topic promises; ``detail`` is one line."""

    def __init__(self, detail: str) -> None:
        """Keep the one-line reason."""
        super().__init__(detail)
        self.detail = detail


def encode(  # noqa: PLR0913 - each is a part of the envelope
    topic: Topic, model: Wire, *, partition: int, key: str, source: str, at: str, trace: str | None = None
) -> Message:
    """Return the message of a model; ``at`` is event time, ``trace`` 32 hex digits (a story id)."""
    value = model.to_json()
    ce_id = stable_id(topic.name, key, value.decode())
    headers: Headers = (
        ("ce_id", ce_id.encode()),
        ("ce_type", f"tumen.{topic.short}".encode()),
        ("ce_source", f"tumen/{source}".encode()),
        ("ce_time", at.encode()),
        ("traceparent", f"00-{trace or ce_id}-{ce_id[:16]}-01".encode()),
        *CONTENT_TYPE,
    )
    return Message(topic.name, partition, key, value, headers)


def tombstone(topic: Topic, *, partition: int, key: str, source: str, at: str) -> Message:
    """Return the message that ends a key in a compacted topic."""
    ce_id = stable_id(topic.name, key, "tombstone", at)
    headers: Headers = (
        ("ce_id", ce_id.encode()),
        ("ce_type", f"tumen.{topic.short}".encode()),
        ("ce_source", f"tumen/{source}".encode()),
        ("ce_time", at.encode()),
        *CONTENT_TYPE,
    )
    return Message(topic.name, partition, key, None, headers)


def decode(record: Record, model: type[M]) -> M:
    """Return the model of a record's value; Undecodable says in one line what is wrong."""
    if record.value is None:
        raise Undecodable("tombstone where a message was expected")
    try:
        return model.model_validate_json(record.value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "message"
        raise Undecodable(f"{where}: {first['msg']}"[:ERROR_MAX]) from error


def dead_letter(  # noqa: PLR0913 - each is a part of the letter
    record: Record, *, group: str, stage: str, error: str, error_class: str, attempts: int
) -> Message:
    """Return the dead letter of a record: its bytes and headers, and ``dlq-*`` headers as UTF-8 strings.

    ``dlq-*`` headers of the record itself are left out: whoever wrote them could pass the letter off as something else.
    """
    context = {
        "dlq-original-topic": record.topic,
        "dlq-original-partition": record.partition,
        "dlq-original-offset": record.offset,
        "dlq-original-timestamp": record.timestamp_ms,
        "dlq-group": group,
        "dlq-stage": stage,
        "dlq-error-class": error_class,
        "dlq-error-message": error[:ERROR_MAX],
        "dlq-attempts": attempts,
        "dlq-version": services.__version__,
    }
    extra = tuple((name, str(value).encode("utf-8", "replace")) for name, value in context.items())
    own = tuple(header for header in record.headers if not header[0].startswith("dlq-"))
    return Message(TOPICS[record.topic].dlq.name, 0, record.key, record.value, (*own, *extra))


def as_reference(letter: Message, where: str | None) -> Message:
    """Return a dead letter that is small: the head of its value, and where the whole of it is, if anywhere."""
    value = letter.value or b""
    own = tuple(header for header in letter.headers if header[0].startswith(DLQ))
    others = tuple(header for header in letter.headers if not header[0].startswith(DLQ))
    if sum(len(name) + len(held) for name, held in others) > HEADERS_BYTES_MAX:
        others = tuple((name, held[:ERROR_MAX]) for name, held in others if name in ENVELOPE)
    extra: Headers = (
        ("dlq-size", str(len(value)).encode()),
        ("dlq-sha256", hashlib.sha256(value).hexdigest().encode()),
    )
    if where is not None:
        extra = (("dlq-reference", where.encode()), *extra)
    return letter._replace(value=value[:HEAD_BYTES_MAX], headers=(*others, *own, *extra))


def unsent_letter(message: Message, *, group: str, stage: str, error: str, timestamp_ms: int) -> Message:
    """Return the dead letter of a message that is too large for its topic: its head, for the whole is nowhere."""
    record = Record(
        message.topic,
        message.partition,
        NO_OFFSET,
        message.key,
        message.value,
        message.headers,
        timestamp_ms,
    )
    letter = dead_letter(
        record, group=group, stage=stage, error=error, error_class="MessageTooLarge", attempts=1
    )
    return as_reference(letter, None)
