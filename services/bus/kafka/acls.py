"""The permissions (ACLs) that each program needs on a cluster whose authorizer asks for them, and no more."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from services.bus.flows import Flow
    from services.bus.kafka.names import Names

Resource = Literal["topic", "group", "transactional-id"]
Pattern = Literal["literal", "prefixed"]
Operation = Literal["Read", "Write", "Describe", "Create", "DescribeConfigs"]


@dataclass(frozen=True, slots=True)
class Acl:
    """One permission, in the words of ``kafka-acls.sh``."""

    principal: str
    operation: Operation
    resource: Resource
    name: str
    pattern: Pattern = "literal"


@dataclass(frozen=True, slots=True)
class Program:
    """Who connects to the cluster, and what for.

    ``appends``: it writes outside any group. ``administers``: it makes topics and looks at their settings.
    """

    name: str
    flow: Flow
    appends: bool = False
    administers: bool = False


def acls_of(program: Program, names: Names, principal: str) -> list[Acl]:
    """Return what a program needs.

    Everybody may see which topics there are: a program says at its start which one is missing. Read and Write bring
    Describe with them; writing needs no permission on the cluster (that is so since Kafka 3).
    """
    flow = program.flow
    return [
        Acl(principal, "Describe", "topic", names.topics, "prefixed"),
        *(Acl(principal, "Read", "topic", names.topic(topic.name)) for topic in flow.reads),
        *(
            Acl(principal, "Write", "topic", names.topic(topic.name))
            for topic in (*flow.writes, *flow.dead_letters)
        ),
        *_beside_topics(program, names, principal),
    ]


def _beside_topics(program: Program, names: Names, principal: str) -> Iterator[Acl]:
    if program.flow.consumes is not None:
        yield Acl(principal, "Read", "group", names.group(program.name))
        lanes = names.transactional_prefix(program.name, program.flow.consumes.name)
        yield Acl(principal, "Write", "transactional-id", lanes, "prefixed")
    if program.appends:
        yield Acl(principal, "Write", "transactional-id", names.append_prefix, "prefixed")
    if program.administers:
        yield Acl(principal, "Create", "topic", names.topics, "prefixed")
        yield Acl(principal, "DescribeConfigs", "topic", names.topics, "prefixed")


def commands(acls: Iterable[Acl], server: str, config: str) -> Iterator[str]:
    """Yield ``kafka-acls.sh`` command lines; one names all resources of a kind for one operation."""
    for (principal, operation, resource, pattern), group in groupby(acls, _kind):
        parts = ["kafka-acls.sh", "--bootstrap-server", server, "--command-config", config, "--add"]
        parts += ["--allow-principal", principal, "--operation", operation]
        if pattern == "prefixed":
            parts += ["--resource-pattern-type", pattern]
        for acl in group:
            parts += [f"--{resource}", acl.name]
        yield shlex.join(parts)


def _kind(acl: Acl) -> tuple[str, str, str, str]:
    return acl.principal, acl.operation, acl.resource, acl.pattern
