"""The permissions that are printed follow from the table of flows, which a test holds against the services."""

from __future__ import annotations

import shlex

from services.bootstrap.access import PROGRAMS, acl_commands, acl_rows, programs
from services.bootstrap.parts import SERVICES
from services.bus.kafka.names import Names
from services.bus.topics import PRIMARY
from services.settings import KafkaSection, Settings


def test_every_service_and_those_who_run_commands_have_permissions() -> None:
    """A new service is not forgotten; every topic has somebody who may write it, and somebody who may read it."""
    assert set(PROGRAMS) == {*SERVICES, "cli", "admin"}
    assert [program.name for program in programs(["desk", "poller"])] == ["poller", "desk"]
    for topic in PRIMARY:
        writers = {name for name, program in PROGRAMS.items() if topic in program.flow.writes}
        assert writers - {"cli"} == {name for name in SERVICES if name in topic.written_by} - {"desk"}
        assert topic in PROGRAMS["cli"].flow.reads


def test_the_command_lines_are_the_rows() -> None:
    """What people paste and what tools read is one list; names follow prefix and environment."""
    kafka = KafkaSection(topic_prefix="news", environment="stage")
    settings = Settings(bus="kafka://a:9092,b:9092", kafka=kafka)
    rows = {
        (row["principal"], row["operation"], row["resource_type"], row["resource_name"], row["pattern_type"])
        for row in acl_rows(programs(()), kafka, "User:{service}")
    }
    lines = list(acl_commands(programs(()), settings, "User:{service}", "admin.properties"))
    read = set()
    for line in lines:
        words = shlex.split(line)
        assert words[:3] == ["kafka-acls.sh", "--bootstrap-server", "a:9092,b:9092"]
        options = list(zip(words[6::2], words[7::2], strict=True))
        single = dict(options)
        read |= {
            (
                single["--allow-principal"],
                single["--operation"],
                option[2:],
                name,
                single.get("--resource-pattern-type", "literal"),
            )
            for option, name in options
            if option[2:] in {"topic", "group", "transactional-id"}
        }
    assert read == rows
    names = Names("news", "stage")
    assert ("User:poller", "Read", "group", names.group("poller"), "literal") in rows
    lane = names.transactional_id("poller", "tumen.feeds.v1", 12)
    prefixes = [name for who, _, kind, name, _ in rows if kind == "transactional-id" and who == "User:poller"]
    assert [lane.startswith(prefix) for prefix in prefixes] == [True]
