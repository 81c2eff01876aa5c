"""What a Docker engine would be told: no engine is needed to know."""

from __future__ import annotations

import itertools
import shutil
import signal
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from threading import Thread

import pytest

from tests.kafka_broker import running
from tests.kafka_container import command, environment, parsed, properties
from tests.kafka_jars import version
from tests.kafka_means import Missing, look, means
from tests.kafka_node import common

NODES = (1, 3)


def variables(line: list[str]) -> dict[str, str]:
    """Return the environment that a command gives to a container."""
    pairs = [after for option, after in itertools.pairwise(line) if option == "--env"]
    return dict(pair.split("=", 1) for pair in pairs)


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        ("process.roles", "KAFKA_PROCESS_ROLES"),
        ("abc-def", "KAFKA_ABC___DEF"),
        ("abc_def", "KAFKA_ABC__DEF"),
        ("transaction.state.log.min.isr", "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR"),
    ],
)
def test_a_property_has_the_variable_that_the_image_documents(name: str, variable: str) -> None:
    """Dots, underscores and hyphens each have their own replacement."""
    assert environment({name: "1"}) == {variable: "1"}


@pytest.mark.parametrize("nodes", NODES)
def test_the_command_publishes_on_loopback_and_pins_the_version(nodes: int) -> None:
    """Nobody outside this machine reaches the broker, and it is the POM's version."""
    line = command(1, nodes, 19_092, "net")
    assert line[:3] == ["docker", "run", "--detach"]
    assert line[-1] == f"apache/kafka:{version()}"
    assert line[line.index("--publish") + 1] == "127.0.0.1:19092:9092"
    assert line[line.index("--network") + 1] == "net"
    assert line[line.index("--network-alias") + 1] == "kafka1"


@pytest.mark.parametrize("nodes", NODES)
def test_every_node_knows_every_controller(nodes: int) -> None:
    """The voters are the names that the network gives, and each node has its own number."""
    for node in range(1, nodes + 1):
        told = variables(command(node, nodes, 19_091 + node, "net"))
        voters = told["KAFKA_CONTROLLER_QUORUM_VOTERS"].split(",")
        assert voters == [f"{number}@kafka{number}:9094" for number in range(1, nodes + 1)]
        assert told["KAFKA_NODE_ID"] == str(node)
        assert told["KAFKA_ADVERTISED_LISTENERS"] == (
            f"PLAINTEXT://127.0.0.1:{19_091 + node},INTERNAL://kafka{node}:9093"
        )
        assert told["CLUSTER_ID"]
        assert told["KAFKA_HEAP_OPTS"] == "-Xmx512m"


@pytest.mark.parametrize("nodes", NODES)
def test_a_container_is_told_what_a_process_is_told(nodes: int) -> None:
    """Copies, minimum in step and timeouts are the same by both means."""
    assert common(nodes).items() <= properties(1, nodes, 1).items()
    assert environment(common(nodes)).items() <= variables(command(1, nodes, 1, "net")).items()
    assert common(nodes)["min.insync.replicas"] == ("2" if nodes == 3 else "1")
    assert common(nodes)["transaction.state.log.replication.factor"] == str(nodes)


def test_more_lines_of_properties_come_last() -> None:
    """What a test asks for wins over what every node is told."""
    extra = "group.min.session.timeout.ms=500\nauto.create.topics.enable = true\n"
    assert parsed(extra) == {"group.min.session.timeout.ms": "500", "auto.create.topics.enable": "true"}
    told = variables(command(1, 1, 1, "net", extra))
    assert told["KAFKA_GROUP_MIN_SESSION_TIMEOUT_MS"] == "500"
    assert told["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "true"


DOCKER = """#!/bin/sh
echo "$*" >> "{log}"
case "$1 $2" in
  "network create") echo net-id ;;
  "run --detach") echo container-id ;;
  "inspect --format") echo true ;;
esac
"""


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have a Docker client that only writes down what it is told, and neither Java nor Maven; return what it wrote."""
    programs, log = tmp_path / "bin", tmp_path / "told"
    programs.mkdir()
    shell = shutil.which("sh")
    assert shell
    (programs / "sh").symlink_to(shell)
    docker = programs / "docker"
    docker.write_text(DOCKER.format(log=log))
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", str(programs))
    return log


@pytest.fixture
def port() -> Iterator[int]:
    """Answer as a broker that is there, on a port of this machine."""
    body = struct.pack(">iiih", 1, 1, 1, 1) + b"h" + struct.pack(">ihii", 1, -1, 1, 0)
    answer = struct.pack(">i", len(body)) + body
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    with server.accept()[0] as connection:
                        connection.recv(100)
                        connection.sendall(answer)

        serving = Thread(target=serve, daemon=True)
        serving.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
    serving.join()


def verbs(log: Path) -> list[str]:
    """Return what the client was told, in short, without the questions."""
    told = [line.split() for line in log.read_text().splitlines()]
    asked = {"info", "inspect", "image"}
    return [f"{line[0]} {line[-1]}" for line in told if line[0] not in asked]


def test_without_java_a_container_is_a_node_like_any_other(engine: Path, port: int) -> None:
    """It is killed, started again on its data, frozen and continued by its id, and removed at the end, and its network."""
    with running(port=port) as broker:
        assert broker.address == f"127.0.0.1:{port}"
        broker.kill()
        broker.start()
        broker.signal(signal.SIGSTOP)
        broker.signal(signal.SIGCONT)
        broker.stop()
    assert verbs(engine) == [
        f"network {verbs(engine)[0].split()[1]}",
        f"run apache/kafka:{version()}",
        "kill container-id",
        "start container-id",
        "pause container-id",
        "unpause container-id",
        "stop container-id",
        "rm container-id",
        "network net-id",
    ]


def test_containers_are_removed_when_a_test_fails(engine: Path, port: int) -> None:
    """Whatever happens in the block, nothing is left running."""
    with pytest.raises(RuntimeError, match="a test fails"), running(port=port):
        raise RuntimeError("a test fails")
    assert verbs(engine)[-2:] == ["rm container-id", "network net-id"]


def test_an_engine_that_does_not_answer_is_none(engine: Path) -> None:
    """The client alone is not enough: without its engine the reason says so."""
    docker = engine.parent / "bin" / "docker"
    docker.write_text("#!/bin/sh\nexit 1\n")
    found = means(replace(look(), ci=False))
    assert isinstance(found, Missing)
    assert "no Docker engine answers" in found.reason
