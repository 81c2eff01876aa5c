"""``tumen classify``: items a second on one core, file to file, beside reading and writing the same lines.

On the real stream where it lies beside the checkout, else on lines made here in the same proportions.
"""

from __future__ import annotations

import gzip
import json
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from time import process_time
from typing import IO

import orjson

from bench.figures import Figure
from services.cli.classify import answers
from services.cli.lines import opened

STREAM = Path(__file__).parents[2] / "shared" / "data" / "stream_2023-08_2023-09.jsonl.gz"
MADE_ITEMS = 40_000
IN_SCOPE_EVERY = 140
"""About one story in a hundred and forty passes the gate on the real stream."""
ITEMS_PER_SECOND_MIN = 15_000


def main() -> Iterable[Figure]:
    """Return the speed in items a second of CPU time, starting up included."""
    with tempfile.TemporaryDirectory() as folder:
        source = STREAM if STREAM.is_file() else _made(Path(folder) / "made.jsonl.gz")
        items, seconds = _timed(source, Path(folder) / "out.jsonl", _classified)
        _, bare = _timed(source, Path(folder) / "bare.jsonl", _copied)
    yield Figure(
        "classify, file to file", items / seconds, "items/s", bare=items / bare, target=ITEMS_PER_SECOND_MIN
    )


def _timed(source: Path, target: Path, lines: Callable[[IO[bytes]], Iterator[bytes]]) -> tuple[int, float]:
    begun, count = process_time(), 0
    with opened(str(source)) as given, target.open("wb") as out:
        for line in lines(given):
            out.write(line)
            count += 1
    return count, process_time() - begun


def _classified(given: IO[bytes]) -> Iterator[bytes]:
    return (answer.line for answer in answers(given, "bench"))


def _copied(given: IO[bytes]) -> Iterator[bytes]:
    return (orjson.dumps(orjson.loads(line)) + b"\n" for line in given)


def _made(path: Path) -> Path:
    """Write items of invented news, one in so many of it about shells."""
    with gzip.open(path, "wb") as out:
        for number in range(MADE_ITEMS):
            title = (
                "North Korea sent shells to Russia"
                if number % IN_SCOPE_EVERY == 0
                else f"Rain over Oslo {number}"
            )
            item = {
                "id": number,
                "title": title,
                "summary": "The town council met on Monday to discuss it. " * 8,
            }
            out.write(json.dumps(item).encode() + b"\n")
    return path
