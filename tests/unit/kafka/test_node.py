"""What is started is ended, even when nobody is left to end it; and a broker is there when it says so."""

from __future__ import annotations

import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread

import pytest

from tests import kafka_probe
from tests.kafka_node import Broker, Guard, free_ports, lines
from tests.kafka_probe import Metadata, Partition

ROOT = Path(__file__).parents[3]
SOON_S = 10
LOOK_S = 0.02
GUARDED = """
import sys
from tests.kafka_node import Guard
Guard(sys.argv[1:])
print("waiting", flush=True)
sys.stdin.read()
"""


def soon(true: Callable[[], bool]) -> bool:
    """Wait for something, for a while."""
    for _ in range(int(SOON_S / LOOK_S)):
        if true():
            return True
        Event().wait(LOOK_S)
    return False


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_guard_acts_when_its_process_is_no_more(tmp_path: Path, number: signal.Signals) -> None:
    """However a test run ends, what it started is ended by its own id."""
    mark = tmp_path / "ended"
    command = [sys.executable, "-c", GUARDED, "touch", str(mark)]
    process = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    with process:
        assert process.stdout
        assert process.stdout.readline() == b"waiting\n"
        assert not mark.exists()
        process.send_signal(number)
        assert soon(mark.exists)


def test_a_guard_that_is_dismissed_does_nothing(tmp_path: Path) -> None:
    """What was ended properly is not ended again: its number may be somebody else's by now."""
    mark = tmp_path / "ended"
    guard = Guard(["touch", str(mark)])
    guard.dismiss()
    assert guard._process.returncode == -signal.SIGKILL
    assert not mark.exists()


def test_three_nodes_keep_three_copies(tmp_path: Path) -> None:
    """Two of them must have a record before it counts; one node alone has one copy."""
    voters = "1@127.0.0.1:11,2@127.0.0.1:12,3@127.0.0.1:13"
    told = Broker(tmp_path, 22, 12, node=2, voters=voters).properties()
    assert told["min.insync.replicas"] == told["transaction.state.log.min.isr"] == "2"
    assert told["offsets.topic.replication.factor"] == "3"
    assert told["advertised.listeners"] == "PLAINTEXT://127.0.0.1:22"
    alone = Broker(tmp_path, 22, 12).properties()
    assert alone["min.insync.replicas"] == alone["offsets.topic.replication.factor"] == "1"
    assert alone["controller.quorum.voters"] == "1@127.0.0.1:12"
    assert "node.id=1\n" in lines(alone)


def reply(*, isr: tuple[int, ...]) -> bytes:
    """Return what a broker with two peers and one topic answers."""
    brokers = b"".join(struct.pack(">ih", node, 1) + b"h" + struct.pack(">ih", 1, -1) for node in (1, 2, 3))
    copies = struct.pack(">iiii", 3, 1, 2, 3) + struct.pack(f">i{len(isr)}i", len(isr), *isr)
    partition = struct.pack(">hii", 0, 0, 2) + copies
    topic = struct.pack(">hh", 0, 1) + b"t" + struct.pack(">bi", 0, 1) + partition
    body = struct.pack(">ii", 1, 3) + brokers + struct.pack(">ii", 3, 1) + topic
    return struct.pack(">i", len(body)) + body


def answered(data: bytes) -> Metadata | None:
    """Ask somebody who answers with these bytes and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with server.accept()[0] as connection:
                connection.recv(100)
                connection.sendall(data)

        serving = Thread(target=serve)
        serving.start()
        try:
            return kafka_probe.ask(server.getsockname()[1])
        finally:
            serving.join()


@pytest.mark.parametrize("isr", [(1, 2, 3), (2,)])
def test_an_answer_says_who_is_there_and_who_is_in_step(isr: tuple[int, ...]) -> None:
    """Brokers, controller and the copies of every partition are read as the protocol writes them."""
    part = Partition("t", 0, 2, frozenset({1, 2, 3}), frozenset(isr))
    found = answered(reply(isr=isr))
    assert found == Metadata(frozenset({1, 2, 3}), 3, (part,))
    assert found.in_step is (len(isr) == 3)


@pytest.mark.parametrize("data", [b"", reply(isr=(1,))[:20]])
def test_an_open_port_is_no_broker(data: bytes) -> None:
    """Somebody who accepts and says nothing, or not enough, is not there."""
    assert answered(data) is None


def test_a_closed_port_is_no_broker() -> None:
    """Nobody listens: no answer, and the port is free."""
    (port,) = free_ports(1)
    assert kafka_probe.ask(port) is None
    assert not kafka_probe.taken(port)
