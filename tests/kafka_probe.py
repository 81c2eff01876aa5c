"""Does a broker answer, and are its copies in step? Asked with one request of the protocol, without a client.

Kafka's Metadata request, version 1: https://kafka.apache.org/protocol#The_Messages_Metadata
"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass

METADATA, VERSION = 3, 1
NO_TOPIC, EVERY_TOPIC = 0, -1
PROBE_S = 2.0
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Partition:
    """A partition as a broker sees it."""

    topic: str
    number: int
    leader: int
    replicas: frozenset[int]
    in_sync: frozenset[int]


@dataclass(frozen=True, slots=True)
class Metadata:
    """Which brokers may be used (registered with the controllers and not fenced), and what they hold."""

    brokers: frozenset[int]
    controller: int
    partitions: tuple[Partition, ...]

    @property
    def in_step(self) -> bool:
        """Whether every partition has a leader and all its copies."""
        return all(part.leader >= 0 and part.in_sync == part.replicas for part in self.partitions)


class _Reply:
    """Reads big-endian fields one after another."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def number(self, form: str) -> int:
        """Read a number."""
        (value,) = struct.unpack_from(f">{form}", self._data, self._at)
        self._at += struct.calcsize(f">{form}")
        return int(value)

    def text(self) -> str:
        """Read a string; a null one is empty."""
        length = max(self.number("h"), 0)
        self._at += length
        return self._data[self._at - length : self._at].decode()

    def numbers(self) -> frozenset[int]:
        """Read an array of node ids."""
        return frozenset(self.number("i") for _ in range(self.number("i")))


def ask(port: int, *, topics: bool = False, timeout_s: float = PROBE_S) -> Metadata | None:
    """Ask the broker on a port of this machine; None when it does not answer in time."""
    header = struct.pack(">hhih", METADATA, VERSION, 1, -1)
    request = header + struct.pack(">i", EVERY_TOPIC if topics else NO_TOPIC)
    try:
        with socket.create_connection((LOOPBACK, port), timeout_s) as connection:
            connection.sendall(struct.pack(">i", len(request)) + request)
            (size,) = struct.unpack(">i", _exactly(connection, 4))
            return _metadata(_Reply(_exactly(connection, size)))
    except (OSError, EOFError):
        return None


def taken(port: int) -> bool:
    """Whether somebody listens on a port of this machine."""
    with socket.socket() as probe:
        probe.settimeout(PROBE_S)
        return probe.connect_ex((LOOPBACK, port)) == 0


def _exactly(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = connection.recv(size - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data


def _metadata(reply: _Reply) -> Metadata:
    reply.number("i")  # the request's own number
    brokers = frozenset(_broker(reply) for _ in range(reply.number("i")))
    controller = reply.number("i")
    return Metadata(
        brokers, controller, tuple(part for _ in range(reply.number("i")) for part in _topic(reply))
    )


def _broker(reply: _Reply) -> int:
    node = reply.number("i")
    reply.text()
    reply.number("i")
    reply.text()
    return node


def _topic(reply: _Reply) -> list[Partition]:
    reply.number("h")
    name = reply.text()
    reply.number("b")
    return [_partition(reply, name) for _ in range(reply.number("i"))]


def _partition(reply: _Reply, topic: str) -> Partition:
    reply.number("h")
    return Partition(topic, reply.number("i"), reply.number("i"), reply.numbers(), reply.numbers())
