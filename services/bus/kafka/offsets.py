"""Committed offsets, asked for as KIP-447 has it: not while a transaction may still change them. The client cannot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiokafka.errors import for_code
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Int64,
    Schema,
    TaggedFields,
)
from aiokafka.structs import OffsetAndMetadata, TopicPartition

if TYPE_CHECKING:
    from collections.abc import Collection

    from aiokafka.admin import AIOKafkaAdminClient

UNDECIDED = 88
"""Kafka's UNSTABLE_OFFSET_COMMIT: an offset was committed within a transaction that has no outcome yet."""


class OffsetFetchResponse(Response):  # type: ignore[misc]  # the client ships no types
    """Version 7."""

    API_KEY = 9
    API_VERSION = 7
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "topics",
            CompactArray(
                ("topic", CompactString("utf-8")),
                (
                    "partitions",
                    CompactArray(
                        ("partition", Int32),
                        ("offset", Int64),
                        ("leader_epoch", Int32),
                        ("metadata", CompactString("utf-8")),
                        ("error_code", Int16),
                        ("tags", TaggedFields),
                    ),
                ),
                ("tags", TaggedFields),
            ),
        ),
        ("error_code", Int16),
        ("tags", TaggedFields),
    )


class OffsetFetchStruct(RequestStruct):  # type: ignore[misc]
    """Version 7, the first that can ask for stable offsets only; Kafka has it since 2.5."""

    FLEXIBLE_VERSION = True
    API_KEY = 9
    API_VERSION = 7
    RESPONSE_TYPE = OffsetFetchResponse
    SCHEMA = Schema(
        ("group", CompactString("utf-8")),
        (
            "topics",
            CompactArray(
                ("topic", CompactString("utf-8")),
                ("partitions", CompactArray(Int32)),
                ("tags", TaggedFields),
            ),
        ),
        ("require_stable", Boolean),
        ("tags", TaggedFields),
    )


class OffsetFetch(Request[OffsetFetchStruct]):  # type: ignore[misc]
    """Asks for the offsets of a group, without those that may still change."""

    API_KEY = 9

    def __init__(self, group: str, places: Collection[TopicPartition]) -> None:
        """Take the group and the partitions."""
        topics = sorted({place.topic for place in places})
        self._group = group
        self._topics: list[tuple[str, list[int], dict[int, bytes]]] = [
            (topic, [place.partition for place in places if place.topic == topic], {}) for topic in topics
        ]

    def build(self, request_struct_class: type[OffsetFetchStruct]) -> OffsetFetchStruct:
        """Return the request."""
        return request_struct_class(self._group, self._topics, True, {})  # noqa: FBT003 - positions of a wire form


async def stable(
    admin: AIOKafkaAdminClient, group: str, places: Collection[TopicPartition]
) -> dict[TopicPartition, OffsetAndMetadata | None]:
    """Return offset and note of each place, None where a transaction without an outcome may still change them."""
    coordinator = await admin.find_coordinator(group)
    response = await admin._send_request(OffsetFetch(group, places), coordinator)  # noqa: SLF001
    _demand(response.error_code)
    held: dict[TopicPartition, OffsetAndMetadata | None] = {}
    for topic, partitions, _ in response.topics:
        for partition, offset, _, note, code, _ in partitions:
            if code != UNDECIDED:
                _demand(code)
            held[TopicPartition(topic, partition)] = None if code == UNDECIDED else _held(offset, note)
    return held


def _held(offset: int, note: str | None) -> OffsetAndMetadata:
    return OffsetAndMetadata(offset, note or "")


def _demand(code: int) -> None:
    if code:
        error: Any = for_code(code)
        raise error("committed offsets")
