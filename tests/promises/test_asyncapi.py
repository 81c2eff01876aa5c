"""schemas/generated/asyncapi.json is fresh, holds together, and our own messages obey it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tarfile
from base64 import b64encode
from collections.abc import Iterator
from functools import cache
from hashlib import sha512
from pathlib import Path
from typing import Any, get_args

import pytest
from jsonschema import Draft7Validator

from schemas.export import GENERATED, wire_models
from services.bus.codec import as_reference, dead_letter, encode, tombstone
from services.bus.flows import FLOWS
from services.bus.kafka.asyncapi import export, fresh, render
from services.bus.topics import PRIMARY, TOPICS, Topic
from services.settings import Mechanism
from tests.builders import a_record

DOCUMENT: dict[str, Any] = json.loads(render())
GOLDEN = Path(__file__).parents[1] / "golden"
AT = "2026-05-12T05:00:00.000Z"
PUBLISHED = "@asyncapi/specs@6.11.1"
PUBLISHED_SHA512 = "A3WBLqAKGoJ2+6FWFtpjBlCQ1oFCcs4GxF7zsIGvNqp/klGUHjlA3aAcZ9XMMpLGE8zPeYDz2x9FmO6DSuKraQ=="
FETCH_S_MAX = 60


def follow(reference: str) -> Any:
    """Return what a reference into the document points at; KeyError when it points nowhere."""
    found = DOCUMENT
    for step in reference.removeprefix("#/").split("/"):
        found = found[step]
    return found


def references(node: Any) -> Iterator[str]:
    """Yield every reference of the document."""
    if isinstance(node, dict):
        yield from (value for key, value in node.items() if key == "$ref")
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def obeys(value: Any, schema: Any) -> bool:
    """Return whether a value is as a schema of the document says."""
    valid: bool = Draft7Validator({**schema, "components": DOCUMENT["components"]}).is_valid(value)
    return valid


@cache
def message(topic: Topic) -> Any:
    """Return the description of a topic's message."""
    return follow(DOCUMENT["channels"][topic.short]["messages"][topic.short]["$ref"])


def plain(headers: Any) -> dict[str, str]:
    """Return headers as strings."""
    return {name: value.decode() for name, value in headers}


def test_the_committed_document_is_fresh(tmp_path: Path) -> None:
    """Whoever reads it reads what the code does, and `tumen schemas export` writes the same."""
    assert fresh()
    assert export(tmp_path).read_bytes() == (GENERATED / "asyncapi.json").read_bytes()


def test_every_topic_is_a_channel_with_its_rules() -> None:
    """Address, partitions and cleanup are the table's; a dead-letter topic beside each."""
    channels = DOCUMENT["channels"]
    assert {channel["address"] for channel in channels.values()} == set(TOPICS)
    for topic in PRIMARY:
        kafka = channels[topic.short]["bindings"]["kafka"]
        config = kafka["topicConfiguration"]
        assert kafka["partitions"] == (topic.partitions or 16)
        assert config["retention.ms"] == (topic.retention_ms or -1)
        assert ("compact" in config["cleanup.policy"]) is topic.compacted
        assert ("tombstone" in channels[topic.short]["messages"]) is topic.compacted
        dead = channels[f"{topic.short}.dlq"]["bindings"]["kafka"]["topicConfiguration"]
        assert dead["retention.ms"] == topic.dlq.retention_ms


def test_every_reference_points_at_something() -> None:
    """One file is enough: nothing outside it is needed to read it."""
    wanted = list(references(DOCUMENT))
    assert len(wanted) > 100
    assert all(reference.startswith("#/") for reference in wanted)
    assert all(follow(reference) for reference in wanted)


def test_every_flow_is_an_operation() -> None:
    """Who sends and who receives what, by service; a group's name where there is one."""
    operations = DOCUMENT["operations"]
    for service, flow in FLOWS.items():
        for topic in flow.reads:
            assert operations[f"{service}.receive.{topic.short}"]["action"] == "receive"
        for topic in flow.writes:
            assert operations[f"{service}.send.{topic.short}"]["tags"] == [{"name": service}]
    grouped = {
        name: one["bindings"]["kafka"]["groupId"]["const"]
        for name, one in operations.items()
        if "bindings" in one
    }
    assert grouped == {
        "poller.receive.feeds": "tumen.poller",
        "classifier.receive.stories": "tumen.classifier",
        "correlator.receive.verdicts": "tumen.correlator",
        "alerter.receive.alerts": "tumen.alerter",
    }  # fmt: skip


def test_every_way_to_connect_is_described() -> None:
    """The mechanisms are those of the settings."""
    mechanisms = get_args(Mechanism)
    schemes = DOCUMENT["components"]["securitySchemes"]
    asked = {one["$ref"].rpartition("/")[2] for one in DOCUMENT["servers"]["tls"]["security"]}
    assert set(schemes) == asked == {*mechanisms, "SSL"}


@pytest.mark.parametrize("topic", PRIMARY, ids=lambda topic: topic.short)
def test_a_message_of_each_topic_obeys_its_description(topic: Topic) -> None:
    """Payload, headers and key, as the codec writes them."""
    name = next(name for name, model in wire_models().items() if model is topic.model)
    model = topic.model.model_validate_json((GOLDEN / f"{name}.json").read_bytes())
    fields = json.loads(model.to_json())
    key = fields.get(topic.key, fields.get("id", "key"))
    written = encode(topic, model, partition=0, key=key, source="test", at=AT)

    assert obeys(fields, message(topic)["payload"])
    assert obeys(plain(written.headers), message(topic)["headers"])
    assert obeys(key, message(topic)["bindings"]["kafka"]["key"])
    assert not obeys({**fields, "schema": "other/1"}, message(topic)["payload"])
    assert not obeys({**plain(written.headers), "ce_type": "tumen.other"}, message(topic)["headers"])


def test_tombstones_and_dead_letters_obey_their_description() -> None:
    """They are messages, too, and their headers are all named."""
    topic = PRIMARY[0]
    record = a_record(topic, None)
    ended = tombstone(topic, partition=0, key="key", source="test", at=AT)
    letter = dead_letter(record, group="g", stage="s", error="e", error_class="E", attempts=1)
    described = DOCUMENT["components"]["schemas"]

    assert obeys(plain(ended.headers), described["TombstoneHeaders"])
    assert set(plain(ended.headers)) == set(described["TombstoneHeaders"]["properties"])
    assert obeys(plain(letter.headers), described["DeadLetterHeaders"])
    reference = as_reference(letter, "somewhere")
    assert obeys(plain(reference.headers), described["DeadLetterHeaders"])
    added = {name for name, _ in reference.headers if name.startswith("dlq-")}
    assert added == set(described["DeadLetterHeaders"]["properties"])


def published_schema() -> Any:
    """Return the published JSON Schema of AsyncAPI 3.0, kept outside the repository; skip where it cannot be had."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"  # noqa: TID251 - no setting of the product's
    kept = Path(root) / "tumen" / f"{PUBLISHED.rpartition('/')[2]}.tgz"
    if not kept.is_file():
        if shutil.which("npm") is None:
            pytest.skip("no `npm` here: it fetches the published schema of AsyncAPI once")
        kept.parent.mkdir(parents=True, exist_ok=True)
        command = ["npm", "pack", PUBLISHED, "--silent", "--pack-destination", str(kept.parent)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=FETCH_S_MAX, check=False)
        if done.returncode:
            pytest.skip(f"npm could not fetch {PUBLISHED}: {done.stderr.strip()[-200:]}")
        (kept.parent / done.stdout.strip()).rename(kept)
    assert b64encode(sha512(kept.read_bytes()).digest()).decode() == PUBLISHED_SHA512
    with tarfile.open(kept) as package:
        file = package.extractfile("package/schemas/3.0.0.json")
        assert file
        return json.load(file)


@pytest.mark.registry
def test_the_document_obeys_the_published_schema_of_asyncapi() -> None:
    """Core and Kafka bindings: any AsyncAPI 3.0 tool can read it."""
    schema = published_schema()
    Draft7Validator.check_schema(schema)

    Draft7Validator(schema).validate(DOCUMENT)
    assert not Draft7Validator(schema).is_valid({**DOCUMENT, "channels": {"feeds": {"adress": "typo"}}})
