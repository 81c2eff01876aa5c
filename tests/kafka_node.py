"""One node of a Kafka on this machine, as a Java process: start it, stop it, freeze it, kill it, start it again."""

from __future__ import annotations

import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

from tests import kafka_probe
from tests.kafka_jars import cache

CLUSTER_ID = "dHVtZW4tZGV2ZWxvcGVyLQ"
FORMAT_S_MAX = 60
START_S_MAX = 60
STOP_S_MAX = 10
LOOK_S = 0.05
LOG_MAX = 1_500
NODES_SAFE = 3
"""So many nodes keep so many copies, and two of them must have a record before it counts."""


class BootError(Exception):
    """Kafka should have started and did not; the message has the end of its log."""


def free_ports(count: int) -> list[int]:
    """Return loopback ports that nobody listens on now."""
    with_ports = [socket.socket() for _ in range(count)]
    try:
        for one in with_ports:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in with_ports]
    finally:
        for one in with_ports:
            one.close()


def common(nodes: int) -> dict[str, str]:
    """Return the properties that do not depend on how a node runs: small, quick, and safe where there are three."""
    copies, in_sync = (NODES_SAFE, NODES_SAFE - 1) if nodes >= NODES_SAFE else (1, 1)
    return {
        "process.roles": "broker,controller",
        "controller.listener.names": "CONTROLLER",
        "auto.create.topics.enable": "false",
        "group.initial.rebalance.delay.ms": "0",
        "offsets.topic.replication.factor": str(copies),
        "offsets.topic.num.partitions": str(nodes + 1),
        "transaction.state.log.replication.factor": str(copies),
        "transaction.state.log.min.isr": str(in_sync),
        "transaction.state.log.num.partitions": str(nodes + 1),
        "share.coordinator.state.topic.replication.factor": str(copies),
        "share.coordinator.state.topic.min.isr": str(in_sync),
        "default.replication.factor": str(copies),
        "min.insync.replicas": str(in_sync),
        # A node that was killed is missed after five seconds, not nine: it may come back as soon as it is missed.
        "broker.session.timeout.ms": "5000",
        "broker.heartbeat.interval.ms": "500",
        "num.network.threads": "2",
        "num.io.threads": "4",
        "log.cleaner.dedupe.buffer.size": "16777216",
    }


def lines(properties: Mapping[str, str]) -> str:
    """Return properties as a file holds them."""
    return "".join(f"{key}={value}\n" for key, value in properties.items())


class Guard:
    """A process that waits for this one to end, however it ends, and then runs a command."""

    def __init__(self, command: Sequence[str]) -> None:
        """Start to wait: the pipe closes when this process is no more."""
        script = 'read -r _; "$@"'
        self._process = subprocess.Popen(
            ["sh", "-c", script, "guard", *command],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip

    def dismiss(self) -> None:
        """End the wait without the command."""
        self._process.kill()
        self._process.wait()
        assert self._process.stdin
        self._process.stdin.close()


@dataclass
class Broker:
    """One node: start it, stop it, kill it, start it again on the same data."""

    folder: Path
    port: int
    controller: int
    extra: str = ""
    """More lines of server properties; of two lines for one property the later counts."""
    node: int = 1
    voters: str = ""
    """Every node's controller, ``1@127.0.0.1:1234,…``; empty: this node is alone."""
    data: Path | None = None
    """Where the log is kept, if not in the node's own folder."""
    process: subprocess.Popen[bytes] | None = field(default=None)
    guard: Guard | None = field(default=None)

    @property
    def address(self) -> str:
        """The bootstrap address."""
        return f"127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        """The end of what the process has written."""
        path = self.folder / "broker.log"
        return path.read_text(errors="replace")[-LOG_MAX:] if path.exists() else ""

    def properties(self) -> dict[str, str]:
        """Return what the node is told."""
        voters = self.voters or f"{self.node}@127.0.0.1:{self.controller}"
        return common(voters.count("@")) | {
            "node.id": str(self.node),
            "controller.quorum.voters": voters,
            "listeners": f"PLAINTEXT://{self.address},CONTROLLER://127.0.0.1:{self.controller}",
            "advertised.listeners": f"PLAINTEXT://{self.address}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "log.dirs": str(self.data or self.folder / "data"),
        }

    def prepare(self) -> None:
        """Write the properties and format the storage."""
        self.folder.mkdir(exist_ok=True)
        (self.folder / "server.properties").write_text(f"{lines(self.properties())}{self.extra}\n")
        tool = ["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", "server.properties"]
        done = subprocess.run(
            self._java("-XX:TieredStopAtLevel=1", *tool),
            cwd=self.folder, capture_output=True, text=True, timeout=FORMAT_S_MAX, check=False,
        )  # fmt: skip
        if done.returncode:
            raise BootError((done.stdout + done.stderr)[-LOG_MAX:])

    def _java(self, *arguments: str) -> list[str]:
        levels = "-Dorg.slf4j.simpleLogger.defaultLogLevel=error"
        return ["java", "-Xmx512m", "-XX:+UseSerialGC", levels, "-cp", f"{cache()}/*", *arguments]

    def begin(self) -> None:
        """Start the process."""
        self.kill()
        with (self.folder / "broker.log").open("ab") as log:
            self.process = subprocess.Popen(
                self._java("kafka.Kafka", "server.properties"),
                cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        self.guard = Guard(["kill", "-9", str(self.process.pid)])

    def start(self) -> None:
        """Start the process and wait until it answers as a member of its cluster."""
        self.begin()
        self.await_ready()

    def await_ready(self) -> None:
        """Wait until the controllers have let this node in: an open port alone promises nothing."""
        for _ in range(int(START_S_MAX / LOOK_S)):
            if not self.alive():
                break
            if self.answers():
                return
            Event().wait(LOOK_S)
        self.kill()
        raise BootError(self.log or f"node {self.node} does not answer on {self.address}")

    def answers(self) -> bool:
        """Whether this node is there for clients now."""
        metadata = kafka_probe.ask(self.port)
        return metadata is not None and metadata.controller >= 0 and self.node in metadata.brokers

    def alive(self) -> bool:
        """Whether the process has not ended."""
        return self.process is not None and self.process.poll() is None

    def stop(self) -> None:
        """Ask the process to end, then end it."""
        if self.alive():
            assert self.process
            self.process.terminate()
            self.process.send_signal(signal.SIGCONT)  # one that is frozen hears nothing
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(STOP_S_MAX)
        self.kill()

    def kill(self) -> None:
        """End the process at once."""
        if self.guard is not None:
            self.guard.dismiss()
            self.guard = None
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def remove(self) -> None:
        """End the node for good; its folder is its owner's to throw away."""
        self.kill()

    def signal(self, number: signal.Signals) -> None:
        """Send the process a signal (SIGSTOP, SIGCONT)."""
        assert self.process is not None
        self.process.send_signal(number)
