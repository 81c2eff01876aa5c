"""The parsing process: ``python -m services.poller.parse.worker`` reads documents on stdin, writes entries on stdout.

It holds no secret and no socket. It ends when stdin does, so it never outlives its parent, however that one died.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
from typing import TYPE_CHECKING

from services.poller.model import Document
from services.poller.parse.entries import read_document
from services.poller.parse.frames import frame, pack_document, read_frame, unpack_request

if TYPE_CHECKING:
    from typing import BinaryIO

MEMORY_MAX_BYTES = 1024 * 1024 * 1024
"""Address space: an 8 MiB document needs about a tenth; a bomb gets a MemoryError here and not in the poller."""
CPU_MAX_S = 20
"""A document: a large real one takes half a second, hostile nesting minutes."""


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer one request after another until there are no more."""
    while (header := read_frame(requests)) is not None:
        body = read_frame(requests)
        if body is None:
            return
        allow_cpu()
        answers.write(frame(pack_document(_read(header, body))))
        answers.flush()


def _read(header: bytes, body: bytes) -> Document:
    """Read a document; a fault of a parser library becomes the document's error, not the poller's."""
    url, content_type = unpack_request(header)
    try:
        return read_document(body, url, content_type)
    except MemoryError:
        return Document("unknown", error="parsing needs too much memory")
    except Exception as error:  # noqa: BLE001 - whatever a parser raises on foreign bytes, the worker goes on
        return Document("unknown", error=f"the parser failed: {type(error).__name__}")


def limit_memory() -> None:
    """Bound the address space, where the system has such a bound."""
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    bound = MEMORY_MAX_BYTES if hard == resource.RLIM_INFINITY else min(MEMORY_MAX_BYTES, hard)
    resource.setrlimit(resource.RLIMIT_AS, (bound, hard))


def allow_cpu() -> None:
    """Grant the next document its CPU time; the system kills the process that exceeds it."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    bound = int(usage.ru_utime + usage.ru_stime) + 1 + CPU_MAX_S
    resource.setrlimit(
        resource.RLIMIT_CPU, (bound if hard == resource.RLIM_INFINITY else min(bound, hard), hard)
    )


def main() -> None:
    """Serve standard input and output; what a library prints goes to stderr."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    limit_memory()
    try:
        serve(sys.stdin.buffer, answers)
    except BrokenPipeError:
        os._exit(0)  # the parent is gone, and with it whoever would read an error


if __name__ == "__main__":
    main()
