"""A port to listen on: the one asked for, or the next free one, so that a second tumen on a machine just works."""

from __future__ import annotations

import errno
import os
import socket
from dataclasses import dataclass

PORTS_TRIED_MAX = 20
"""After the wanted one: more than that many busy ports in a row is a mistake to be told, not to be worked around."""
PORT_MAX = 65_535
BACKLOG = 128


class CannotListen(OSError):  # noqa: N818 - one clear line for the person who chose address and port
    """The address is not this machine's, or neither the wanted port nor the next ones can be had."""


@dataclass(frozen=True, slots=True)
class Listener:
    """A listening socket; ``wanted`` differs from ``port`` when another program had it."""

    socket: socket.socket
    host: str
    port: int
    wanted: int

    @property
    def moved(self) -> bool:
        """Whether the wanted port was busy, which is worth saying once."""
        return self.wanted not in (0, self.port)

    @property
    def url(self) -> str:
        """The address for a browser on this machine."""
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self.host, self.host)  # noqa: S104 - shown, not bound
        return (
            f"http://[{host}]:{self.port}"
            if ":" in host and "[" not in host
            else f"http://{host}:{self.port}"
        )


def listen(host: str, port: int) -> Listener:
    """Listen on a port (0: any); a busy one leads to the next free of twenty."""
    try:
        family, _, _, _, _ = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError) as error:
        message = f"cannot listen on {host!r}: no such address"
        raise CannotListen(errno.EADDRNOTAVAIL, message) from error
    last = port if port == 0 else min(port + PORTS_TRIED_MAX, PORT_MAX)
    for candidate in range(port, last + 1):
        if (found := _try(family, host, candidate)) is not None:
            return Listener(found, host, found.getsockname()[1], port)
    message = f"no free port on {host} from {port} to {last}"
    raise CannotListen(errno.EADDRINUSE, message)


def _try(family: int, host: str, port: int) -> socket.socket | None:
    """Return a socket that already listens (so nobody can slip in between), None when the port is busy."""
    candidate = socket.socket(family, socket.SOCK_STREAM)
    try:
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        candidate.bind((host, port))
        candidate.listen(BACKLOG)
    except OSError as error:
        candidate.close()
        if error.errno == errno.EADDRINUSE:
            return None
        message = f"cannot listen on {host} port {port}: {os.strerror(error.errno or 0)}"
        raise CannotListen(error.errno, message) from error
    candidate.setblocking(False)  # noqa: FBT003 - the socket module's own signature
    return candidate
