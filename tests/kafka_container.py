"""One node of a Kafka as an `apache/kafka` container, where a Docker engine answers and Java does not.

The image takes every property from the environment; the node is reached through a port on loopback. What is started
here is removed by its own id.
"""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

from tests import kafka_means
from tests.kafka_jars import version
from tests.kafka_node import CLUSTER_ID, LOG_MAX, STOP_S_MAX, BootError, Broker, Guard, common

IMAGE = "apache/kafka"
CLIENTS, BROKERS, CONTROLLERS = 9092, 9093, 9094
"""Ports inside a container: for clients outside, for the other nodes, for their controllers."""
DATA = "/var/lib/kafka/data"
PULL_S_MAX = 300
ENGINE_S_MAX = 30
FROZEN = {signal.SIGSTOP: "pause", signal.SIGCONT: "unpause"}


def host(node: int) -> str:
    """Return a node's name in the containers' network."""
    return f"kafka{node}"


def voters(nodes: int) -> str:
    """Return every node's controller."""
    return ",".join(f"{node}@{host(node)}:{CONTROLLERS}" for node in range(1, nodes + 1))


def properties(node: int, nodes: int, port: int) -> dict[str, str]:
    """Return what a node is told: clients come from outside, the other nodes through the network."""
    return common(nodes) | {
        "node.id": str(node),
        "controller.quorum.voters": voters(nodes),
        "listeners": f"PLAINTEXT://:{CLIENTS},INTERNAL://:{BROKERS},CONTROLLER://:{CONTROLLERS}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port},INTERNAL://{host(node)}:{BROKERS}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "INTERNAL",
        "log.dirs": DATA,
    }


def environment(told: Mapping[str, str]) -> dict[str, str]:
    """Return properties as the image wants them: KAFKA_ and the name, in which one sign stands for another."""
    signs = {"_": "__", "-": "___", ".": "_"}
    return {
        "KAFKA_" + "".join(signs.get(sign, sign) for sign in name).upper(): value
        for name, value in told.items()
    }


def parsed(extra: str) -> dict[str, str]:
    """Return more lines of properties as a mapping."""
    pairs = (line.partition("=") for line in extra.splitlines() if "=" in line)
    return {name.strip(): value.strip() for name, _, value in pairs}


def command(node: int, nodes: int, port: int, network: str, extra: str = "") -> list[str]:
    """Return the command that starts a node; it prints the container's id."""
    told = environment(properties(node, nodes, port) | parsed(extra))
    told |= {"CLUSTER_ID": CLUSTER_ID, "KAFKA_HEAP_OPTS": "-Xmx512m"}
    variables = [part for name, value in told.items() for part in ("--env", f"{name}={value}")]
    where = ["--network", network, "--network-alias", host(node), "--publish", f"127.0.0.1:{port}:{CLIENTS}"]
    return ["docker", "run", "--detach", *where, *variables, f"{IMAGE}:{version()}"]


def engine(*arguments: str, seconds: float = ENGINE_S_MAX) -> str:
    """Run a command of the Docker client and return what it prints."""
    try:
        done = subprocess.run(
            arguments, capture_output=True, text=True, timeout=seconds, check=False, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired as error:
        message = f"{' '.join(arguments[:2])}: the engine did not answer within {seconds:g} s"
        raise BootError(message) from error
    if done.returncode:
        message = f"{' '.join(arguments[:2])}: {done.stderr.strip()[-LOG_MAX:]}"
        raise BootError(message)
    return done.stdout.strip()


def pull() -> None:
    """Fetch the image, once; what cannot be fetched is a reason to skip, or to fail in CI."""
    image = f"{IMAGE}:{version()}"
    try:
        engine("docker", "image", "inspect", image)
    except BootError:
        try:
            engine("docker", "pull", "--quiet", image, seconds=PULL_S_MAX)
        except BootError as error:
            missing = kafka_means.unfetched(kafka_means.look(), str(error))
            raise kafka_means.error(missing) from error


@dataclass
class Container(Broker):
    """The same node by other means; it keeps its data when it is killed, until it is removed."""

    network: str = ""
    nodes: int = 1
    id: str = ""

    def prepare(self) -> None:
        """Leave it to the image: it formats the storage when it first starts."""

    @property
    def log(self) -> str:
        """The end of what the container has written."""
        return engine("docker", "logs", "--tail", "20", self.id)[-LOG_MAX:] if self.id else ""

    def begin(self) -> None:
        """Start the container: a new one first, the same one afterwards."""
        if self.id:
            engine("docker", "start", self.id)
            return
        self.id = engine(*command(self.node, self.nodes, self.port, self.network, self.extra))
        self.guard = Guard(["docker", "rm", "--force", "--volumes", self.id])

    def alive(self) -> bool:
        """Whether the container runs, frozen or not."""
        return (
            bool(self.id) and engine("docker", "inspect", "--format", "{{.State.Running}}", self.id) == "true"
        )

    def stop(self) -> None:
        """Ask the process to end, then end it."""
        if self.alive():
            engine("docker", "stop", "--time", str(STOP_S_MAX), self.id)

    def kill(self) -> None:
        """End the process at once."""
        if self.alive():
            engine("docker", "kill", self.id)

    def remove(self) -> None:
        """End the process and throw its data away."""
        if self.guard is not None:
            self.guard.dismiss()
            self.guard = None
        if self.id:
            engine("docker", "rm", "--force", "--volumes", self.id)

    def signal(self, number: signal.Signals) -> None:
        """Freeze the container, let it go on, or pass a signal to its process."""
        if number in FROZEN:
            engine("docker", FROZEN[number], self.id)
        else:
            engine("docker", "kill", "--signal", number.name, self.id)
