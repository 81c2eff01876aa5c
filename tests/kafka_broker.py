"""A real Apache Kafka on this machine: for tests, and for developers (`make kafka`).

One node, or three that keep three copies; on loopback; everything is thrown away at the end. From Maven's jars, or
from containers where only a Docker engine is there, else a skip with the reason (docs/kafka.md).
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from tests import kafka_container, kafka_means, kafka_probe
from tests.kafka_container import Container
from tests.kafka_jars import FetchError, cache, fetched, version
from tests.kafka_means import KafkaDueError, Missing, NoKafkaError
from tests.kafka_node import NODES_SAFE, BootError, Broker, free_ports

__all__ = [
    "BootError",
    "Broker",
    "KafkaCluster",
    "NoKafkaError",
    "free_ports",
    "jars",
    "running",
    "running_cluster",
    "version",
]


NO_DISKS: Mapping[int, Path] = {}
LOOK_S = 0.1
WATCH_S = 0.5


@dataclass(frozen=True, slots=True)
class KafkaCluster:
    """Nodes that know each other."""

    nodes: tuple[Broker, ...]

    @property
    def address(self) -> str:
        """The bootstrap addresses of all nodes."""
        return ",".join(node.address for node in self.nodes)

    def in_step(self) -> bool:
        """Whether every node is there and every partition has all its copies: the next node may go."""
        seen = kafka_probe.ask(self.nodes[0].port, topics=True)
        return seen is not None and len(seen.brokers) == len(self.nodes) and seen.in_step

    def await_in_step(self, seconds: float) -> None:
        """Wait until the copies have caught up."""
        for _ in range(int(seconds / LOOK_S)):
            if self.in_step():
                return
            Event().wait(LOOK_S)
        message = (
            f"copies are not in step after {seconds:g} s: {kafka_probe.ask(self.nodes[0].port, topics=True)}"
        )
        raise BootError(message)


def jars() -> Path:
    """Return the folder of jars; Maven fetches them the first time."""
    machine = kafka_means.look()
    found = kafka_means.means(machine)
    if isinstance(found, Missing):
        raise kafka_means.error(found)
    if found == "container":
        raise NoKafkaError("no Java here: Kafka runs in a container")
    try:
        return fetched(cache())
    except FetchError as error:
        raise kafka_means.error(kafka_means.unfetched(machine, str(error))) from error


@contextmanager
def running(extra: str = "", port: int | None = None) -> Iterator[Broker]:
    """Run one node for the block."""
    with _running(1, extra, [port] if port else None, {}) as nodes:
        yield nodes[0]


@contextmanager
def running_cluster(
    extra: str = "",
    ports: Sequence[int] | None = None,
    count: int = NODES_SAFE,
    disks: Mapping[int, Path] = NO_DISKS,
) -> Iterator[KafkaCluster]:
    """Run three nodes for the block: three copies of everything, two of which must have a record.

    ``disks`` says of a node, by its number, where it keeps its log; only a process can keep it elsewhere (``jars``).
    """
    with _running(count, extra, ports, disks) as nodes:
        yield KafkaCluster(nodes)


@contextmanager
def _running(
    count: int, extra: str, ports: Sequence[int] | None, disks: Mapping[int, Path]
) -> Iterator[tuple[Broker, ...]]:
    found = kafka_means.means(kafka_means.look())
    if isinstance(found, Missing):
        raise kafka_means.error(found)
    free = free_ports(2 * count)
    clients = list(ports or free[:count])
    with tempfile.TemporaryDirectory(prefix="tumen-kafka-", ignore_cleanup_errors=True) as folder:
        if found == "container":
            with _network() as network, _booted(_containers(clients, network, extra, Path(folder))) as nodes:
                yield nodes
        else:
            jars()
            with _booted(_processes(clients, free[count:], extra, Path(folder), disks)) as nodes:
                yield nodes


def _processes(
    ports: Sequence[int], controllers: Sequence[int], extra: str, folder: Path, disks: Mapping[int, Path]
) -> list[Broker]:
    voters = ",".join(f"{node}@127.0.0.1:{port}" for node, port in enumerate(controllers, start=1))
    return [
        Broker(folder / f"node-{node}", port, controller, extra, node, voters, disks.get(node))
        for node, (port, controller) in enumerate(zip(ports, controllers, strict=True), start=1)
    ]


def _containers(ports: Sequence[int], network: str, extra: str, folder: Path) -> list[Broker]:
    kafka_container.pull()
    return [
        Container(folder, port, 0, extra, node, network=network, nodes=len(ports))
        for node, port in enumerate(ports, start=1)
    ]


@contextmanager
def _network() -> Iterator[str]:
    """Have a network of containers for the block."""
    name = f"tumen-kafka-{free_ports(1)[0]}"
    network = kafka_container.engine("docker", "network", "create", name)
    try:
        yield network
    finally:
        kafka_container.engine("docker", "network", "rm", network)


@contextmanager
def _booted(nodes: Sequence[Broker]) -> Iterator[tuple[Broker, ...]]:
    """Format and start nodes side by side; end each, whatever happens."""
    try:
        with ThreadPoolExecutor(len(nodes)) as side_by_side:
            list(side_by_side.map(lambda node: node.prepare(), nodes))
        for node in nodes:
            node.begin()
        for node in nodes:
            node.await_ready()
        yield tuple(nodes)
    finally:
        for node in nodes:
            node.remove()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make kafka", description="Run a real Apache Kafka on loopback.")
    parser.add_argument("--port", type=int, default=9092, help="of the first node; the others count up")
    parser.add_argument("--nodes", type=int, choices=(1, NODES_SAFE), default=1)
    return parser.parse_args()


def main() -> None:
    """Run a broker until it is interrupted, and say where it is."""
    asked = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # a shell starts what is in the background without it
    ports = [asked.port + number for number in range(asked.nodes)]
    try:
        if taken := [port for port in ports if kafka_probe.taken(port)]:
            sys.exit(f"kafka: port {taken[0]} of 127.0.0.1 is taken: make kafka PORT=…")
        with running_cluster(ports=ports, count=asked.nodes) as cluster:
            sys.stdout.write(f"TUMEN_BUS=kafka://{cluster.address}\n")
            sys.stdout.flush()
            while all(node.alive() for node in cluster.nodes):
                Event().wait(WATCH_S)
            sys.exit("kafka: a node has ended by itself")
    except (NoKafkaError, KafkaDueError, BootError) as error:
        sys.exit(f"kafka: {error}")
    except KeyboardInterrupt:
        return


if __name__ == "__main__":
    main()
