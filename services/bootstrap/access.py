"""What ``tumen topics acls`` prints: permissions from the table of who uses which topic."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING

from services.bus.flows import FLOWS, Flow
from services.bus.kafka.acls import Program, acls_of, commands
from services.bus.kafka.names import Names
from services.bus.topics import TOPICS
from services.settings import KAFKA

if TYPE_CHECKING:
    from services.bus.kafka.acls import Acl
    from services.settings import KafkaSection, Settings

EVERY = tuple(TOPICS.values())
PEOPLE = (
    Program("cli", Flow(tables=EVERY, writes=EVERY), appends=True),
    Program("admin", Flow(), administers=True),
)
"""Who runs ``tumen feeds``, ``subscribers``, ``tail`` and ``dlq`` (it replays to any topic, and marks letters); ``tumen topics``."""
PROGRAMS = {
    program.name: program
    for program in (*(Program(name, flow) for name, flow in FLOWS.items() if name != "import"), *PEOPLE)
}


def programs(names: Collection[str]) -> list[Program]:
    """Return the programs of these names, all without names; KeyError lists the known ones."""
    for name in names:
        if name not in PROGRAMS:
            message = f"unknown service {name!r}; known: {', '.join(PROGRAMS)}"
            raise KeyError(message)
    return [program for name, program in PROGRAMS.items() if not names or name in names]


def acls(chosen: Iterable[Program], kafka: KafkaSection, principal: str) -> dict[str, list[Acl]]:
    """Return the ACLs by program."""
    names = Names(kafka.topic_prefix, kafka.environment)
    return {
        program.name: acls_of(program, names, principal.replace("{service}", program.name))
        for program in chosen
    }


def acl_rows(chosen: Iterable[Program], kafka: KafkaSection, principal: str) -> list[dict[str, str]]:
    """Return the ACLs for tools, one object each."""
    return [
        {
            "service": service,
            "principal": acl.principal,
            "host": "*",
            "permission": "Allow",
            "operation": acl.operation,
            "resource_type": acl.resource,
            "resource_name": acl.name,
            "pattern_type": acl.pattern,
        }
        for service, found in acls(chosen, kafka, principal).items()
        for acl in found
    ]


def acl_commands(chosen: Iterable[Program], settings: Settings, principal: str, config: str) -> Iterator[str]:
    """Yield command lines of ``kafka-acls.sh`` for a cluster."""
    server = settings.bus.removeprefix(KAFKA)
    for found in acls(chosen, settings.kafka, principal).values():
        yield from commands(found, server, config)
