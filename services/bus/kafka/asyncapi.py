"""The log on Kafka as an AsyncAPI 3.0 document: ``python -m services.bus.kafka.asyncapi [--check]``.

Generated from what the code itself uses: the table of topics, the flows between services, the settings that
``tumen topics create`` gives, the headers that the codec writes, and the models.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from pydantic.json_schema import models_json_schema

import services
from schemas import Feed
from schemas.export import GENERATED, wire_models
from services.bus.codec import as_reference, dead_letter, encode
from services.bus.flows import FLOWS
from services.bus.kafka.admin import REPLICATION, config_of
from services.bus.kafka.names import Names
from services.bus.ports import Record
from services.bus.topics import FEEDS, KAFKA_SHARDS, PRIMARY

if TYPE_CHECKING:
    from services.bus.flows import Flow
    from services.bus.topics import Topic

FILE = "asyncapi.json"
BINDING = "0.5.0"
Object: TypeAlias = dict[str, Any]

ABOUT = """\
Feeds in, explained alerts out: every message between tumen's services, on Apache Kafka.

Names of topics, groups and transactional ids begin with `tumen` unless `[kafka] topic_prefix` says otherwise. Partitions
are chosen by the writer, never by the key's hash: whoever writes to a sharded topic needs tumen's rule. Writers are
transactional, one transaction an input batch: read with `isolation.level=read_committed`, or you see what never
happened. A reader must ignore fields that it does not know; an absent field has its default."""

HEADERS: dict[str, Object] = {
    "ce_id": {
        "pattern": "^[0-9a-f]{32}$",
        "description": "The same for the same message, however often written.",
    },
    "ce_type": {"description": "What it is; one value a topic."},
    "ce_source": {"pattern": "^tumen/", "description": "Which service wrote it."},
    "ce_time": {
        "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$",
        "description": "When it happened; the record's own timestamp is when it was written.",
    },
    "traceparent": {
        "pattern": "^00-[0-9a-f]{32}-[0-9a-f]{16}-01$",
        "description": "W3C trace context; from story to alert the trace is the story's id.",
    },
    "content-type": {"const": "application/json"},
    "ce_specversion": {"const": "1.0", "description": "CloudEvents, binary mode."},
}
DLQ_HEADERS = {
    "dlq-original-topic": "Where it was read.",
    "dlq-original-partition": "A number in decimal.",
    "dlq-original-offset": "A number in decimal.",
    "dlq-original-timestamp": "Milliseconds since 1970, in decimal.",
    "dlq-group": "The group that could not handle it.",
    "dlq-stage": "The service.",
    "dlq-error-class": "The kind of failure.",
    "dlq-error-message": "What was wrong, in a line.",
    "dlq-attempts": "How often it was tried, in decimal.",
    "dlq-version": "The version of tumen that gave up.",
}
REFERENCE_HEADERS = {
    "dlq-reference": "Where the whole of it is, if it is anywhere.",
    "dlq-size": "Bytes of the whole, in decimal.",
    "dlq-sha256": "Of the whole, in hex.",
}
"""Only where the record itself was too large: the payload is its head."""

SECURITY: dict[str, Object] = {
    "SCRAM-SHA-512": {"type": "scramSha512", "description": "SASL, over TLS."},
    "SCRAM-SHA-256": {"type": "scramSha256", "description": "SASL, over TLS."},
    "PLAIN": {"type": "plain", "description": "SASL, over TLS."},
    "OAUTHBEARER": {"type": "http", "scheme": "bearer", "description": "SASL with a token, over TLS."},
    "SSL": {"type": "X509", "description": "A client certificate."},
}
"""As the settings call them: SASL mechanisms, and TLS by itself."""


def document() -> Object:
    """Return the whole description."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Tumen",
            "version": services.__version__,
            "description": ABOUT,
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
            "tags": [{"name": name, "description": _tag(name)} for name in FLOWS],
        },
        "defaultContentType": "application/json",
        "servers": _servers(),
        "channels": {
            _name(topic): _channel(topic) for primary in PRIMARY for topic in (primary, primary.dlq)
        },
        "operations": {
            name: operation
            for service, flow in FLOWS.items()
            for name, operation in _operations(service, flow)
        },
        "components": {
            "messages": _messages(),
            "schemas": _schemas(),
            "securitySchemes": SECURITY,
        },
    }


def _name(topic: Topic) -> str:
    """Return the short name that commands take, too: ``stories``, ``stories.dlq``."""
    return topic.short.replace(".v1.", ".")


def _tag(service: str) -> str:
    return "The jobs that import lists." if service == "import" else f"`tumen {service}`"


def _servers() -> Object:
    variables = {
        "host": {"default": "127.0.0.1", "description": "A broker to begin with."},
        "port": {"default": "9092"},
    }
    server = {"host": "{host}:{port}", "protocol": "kafka", "protocolVersion": "4", "variables": variables}
    schemes = [{"$ref": f"#/components/securitySchemes/{name}"} for name in SECURITY]
    return {
        "plaintext": {
            **server,
            "description": "`TUMEN_BUS=kafka://HOST:PORT`, inside a network that is trusted.",
        },
        "tls": {
            **server,
            "protocol": "kafka-secure",
            "description": "The same with TLS, and one of the ways to say who one is.",
            "security": schemes,
        },
    }


def _channel(topic: Topic) -> Object:
    """Return a topic with the settings that ``tumen topics create`` gives it on three brokers or more."""
    name, dead = _name(topic), topic.name.endswith(".dlq")
    messages = {"deadLetter": _message("deadLetter")} if dead else {name: _message(name)}
    if topic.compacted and not dead:
        messages["tombstone"] = _message("tombstone")
    return {
        "address": topic.name,
        "title": name,
        "description": f"Written by: {topic.written_by}. Key: {topic.key}.{_partitioning(topic)}",
        "messages": messages,
        "bindings": {
            "kafka": {
                "partitions": topic.partitions or KAFKA_SHARDS,
                "replicas": REPLICATION,
                "topicConfiguration": {
                    name: _typed(name, value) for name, value in config_of(topic, REPLICATION).items()
                },
                "bindingVersion": BINDING,
            }
        },
    }


def _partitioning(topic: Topic) -> str:
    if topic.partitions:
        return ""
    return (
        " Sharded: partition = murmur2(registered domain of the feed's address as imported) mod partitions."
    )


def _typed(name: str, value: str) -> object:
    """Return a topic's setting as the Kafka binding types it."""
    if name == "cleanup.policy":
        return value.split(",")
    return int(value) if value.lstrip("-").isdecimal() else value


def _operations(service: str, flow: Flow) -> list[tuple[str, Object]]:
    """Return what a service does, by name: ``poller.send.stories``."""
    sent = [_operation(service, "send", topic) for topic in (*flow.writes, *flow.dead_letters)]
    received = [_operation(service, "receive", topic, grouped=topic is flow.consumes) for topic in flow.reads]
    return received + sent


def _operation(service: str, action: str, topic: Topic, *, grouped: bool = False) -> tuple[str, Object]:
    operation: Object = {
        "action": action,
        "channel": {"$ref": f"#/channels/{_name(topic)}"},
        "summary": f"{service} {action}s {_name(topic)}"
        + ("" if grouped or action == "send" else ", read whole"),
        "tags": [{"name": service}],
    }
    if grouped:
        group = {"type": "string", "const": Names().group(service)}
        operation["bindings"] = {"kafka": {"groupId": group, "bindingVersion": BINDING}}
    return f"{service}.{action}.{_name(topic)}", operation


def _message(name: str) -> Object:
    return {"$ref": f"#/components/messages/{name}"}


def _messages() -> Object:
    """Return one message a topic, and the two that any topic may have."""
    messages: Object = {topic.short: _record(topic) for topic in PRIMARY}
    messages["tombstone"] = {
        "title": "The end of a key",
        "summary": "An empty record in a compacted topic: what the key stood for is gone.",
        "headers": {"$ref": "#/components/schemas/TombstoneHeaders"},
        "payload": {"type": "null"},
    }
    messages["deadLetter"] = {
        "title": "A record that could not be handled",
        "summary": "The original key, bytes and headers; `dlq-*` headers say where it was, what was wrong and who says so.",
        "headers": {"$ref": "#/components/schemas/DeadLetterHeaders"},
        "payload": {
            "description": "The original bytes, whatever they are; their head, where `dlq-size` is given."
        },
    }
    return messages


def _record(topic: Topic) -> Object:
    headers = [
        {"$ref": "#/components/schemas/Headers"},
        {"properties": {"ce_type": {"const": f"tumen.{topic.short}"}}},
    ]
    return {
        "name": f"tumen.{topic.short}",
        "title": topic.model.__name__,
        "contentType": "application/json",
        "headers": {"allOf": headers},
        "payload": {"$ref": f"#/components/schemas/{topic.model.__name__}"},
        "correlationId": {"location": "$message.header#/traceparent"},
        "bindings": {"kafka": {"key": _key(topic), "bindingVersion": BINDING}},
    }


def _key(topic: Topic) -> Object:
    """Return the schema of a topic's key: that of the field which it repeats, where it repeats one."""
    properties = topic.model.model_json_schema()["properties"]
    field = properties.get(topic.key, properties["id"] if topic.key.isidentifier() else {})
    pattern = {"pattern": field["pattern"]} if "pattern" in field else {}
    return {"type": "string", "description": topic.key, **pattern}


def _schemas() -> Object:
    """Return the models, and the headers as the codec writes them."""
    models = [(model, "serialization") for model in wire_models().values()]
    _, schema = models_json_schema(models, by_alias=True, ref_template="#/components/schemas/{model}")  # type: ignore[arg-type]
    written = _written_headers()
    tombstone = [name for name in written if name != "traceparent"]
    return {
        **{name: _draft_07(model) for name, model in sorted(schema["$defs"].items())},
        "Headers": _object({name: HEADERS[name] for name in written}),
        "TombstoneHeaders": _object({name: HEADERS[name] for name in tombstone}),
        "DeadLetterHeaders": _dead_letter_headers(),
    }


def _object(properties: dict[str, Object]) -> Object:
    typed = {name: {"type": "string", **rules} for name, rules in properties.items()}
    return {"type": "object", "properties": typed, "required": sorted(typed)}


def _draft_07(schema: Any) -> Any:
    """Return a schema of 2020-12 as AsyncAPI's own, of draft 07: tuples are written otherwise."""
    if isinstance(schema, dict):
        return {"items" if key == "prefixItems" else key: _draft_07(value) for key, value in schema.items()}
    return [_draft_07(one) for one in schema] if isinstance(schema, list) else schema


def _written_headers() -> list[str]:
    """Return the names of the headers that the codec writes, from a message that it wrote."""
    feed = Feed(id="0" * 32, url="https://one.example/rss", title="One")
    message = encode(FEEDS, feed, partition=0, key=feed.id, source="import", at="1970-01-01T00:00:00.000Z")
    return [name for name, _ in message.headers]


def _dead_letter_headers() -> Object:
    """Return the schema of what the codec adds, from letters that it wrote; KeyError where one has no description."""
    record = Record(FEEDS.name, 0, 0, "0" * 32, b"{", (), 0)
    letter = dead_letter(record, group="", stage="", error="", error_class="", attempts=1)
    always = dict(letter.headers)
    more = [name for name, _ in as_reference(letter, "somewhere").headers if name not in always]
    headers = _object({name: {"description": DLQ_HEADERS[name]} for name in always})
    described = {name: {"type": "string", "description": REFERENCE_HEADERS[name]} for name in more}
    return {**headers, "properties": {**headers["properties"], **described}}


def render() -> str:
    """Return the document as committed."""
    return json.dumps(document(), indent=1, ensure_ascii=False) + "\n"


def export(directory: Path) -> Path:
    """Write the document into a directory that is there; return the file."""
    path = directory / FILE
    path.write_text(render(), encoding="utf-8")
    return path


def fresh() -> bool:
    """Return whether the committed document is what the code says."""
    path = GENERATED / FILE
    return path.is_file() and path.read_text(encoding="utf-8") == render()


def main(arguments: list[str]) -> int:
    """Write the document, or with --check exit 1 when the committed one is stale."""
    if arguments != ["--check"]:
        export(GENERATED)
        return 0
    if fresh():
        return 0
    sys.stderr.write(f"stale: schemas/generated/{FILE}; run `make schemas`\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
