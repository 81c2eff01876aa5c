"""Files of JSON lines, read one line at a time: plain, gzip or standard input, in constant memory."""

from __future__ import annotations

import gzip
import io
import sys
import zlib
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from services.cli.common import UnreadableError

if TYPE_CHECKING:
    from collections.abc import Iterator

LINE_BYTES_MAX = 16 * 1024 * 1024
"""A longer line is named as bad and skipped, never held in memory."""
BUFFER_BYTES = 1024 * 1024
PROGRESS_EVERY = 5_000
"""Lines between two signs of life: every third of a second."""
STANDARD = "-"
_GZIP_MAGIC = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"


@contextmanager
def opened(path: str) -> Iterator[IO[bytes]]:
    """Open a file, gzip told by its first bytes; what cannot be read exits 2 with one line."""
    with ExitStack() as stack:
        try:
            if path == STANDARD:
                # Unbuffered below, so that a line that arrives is a line that is read.
                file: Any = getattr(sys.stdin.buffer, "raw", sys.stdin.buffer)
            else:
                file = stack.enter_context(Path(path).open("rb", buffering=0))
            plain = io.BufferedReader(file, BUFFER_BYTES)
            packed = plain.peek(2)[:2] == _GZIP_MAGIC
        except OSError as error:
            message = f"{path}: cannot be read: {error.strerror or error}"
            raise UnreadableError(message) from error
        if packed:
            unpacked = stack.enter_context(gzip.GzipFile(fileobj=plain))
            yield stack.enter_context(io.BufferedReader(unpacked, BUFFER_BYTES))
        else:
            yield plain


def numbered(lines: IO[bytes], name: str) -> Iterator[tuple[int, bytes | None]]:
    """Yield each line with its number, from 1; None in place of one that is too long. ``name`` is for messages."""
    number = 0
    while raw := _line(lines, name, LINE_BYTES_MAX + 1):
        number += 1
        if number == 1:
            raw = raw.removeprefix(_BOM)
        if len(raw) > LINE_BYTES_MAX and not raw.endswith(b"\n"):
            _skip_line(lines, name)
            yield number, None
        else:
            yield number, raw


def show_progress(count: int) -> None:
    """Say on a terminal how many items have been read."""
    if count % PROGRESS_EVERY == 0 and sys.stderr.isatty():
        click.echo(f"\r{count:,} items", nl=False, err=True)


def _line(lines: IO[bytes], name: str, size: int) -> bytes:
    try:
        return lines.readline(size)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        message = f"{name}: damaged gzip file: {error}"
        raise UnreadableError(message) from error
    except OSError as error:
        message = f"{name}: cannot be read: {error.strerror or error}"
        raise UnreadableError(message) from error


def _skip_line(lines: IO[bytes], name: str) -> None:
    while (rest := _line(lines, name, BUFFER_BYTES)) and not rest.endswith(b"\n"):
        pass
