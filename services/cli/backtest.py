"""``tumen backtest``: what a recorded stream would have led to."""

from __future__ import annotations

import asyncio
import gzip
import json
import sys
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, Any

import click

from services.cli.common import FAILED, UnreadableError

if TYPE_CHECKING:
    from services.bootstrap.backtest import Backtest

LINE_BYTES_MAX = 16 * 1024 * 1024
PROGRESS_EVERY = 5_000


class Lines:
    """Reads items from JSON lines; a line that is no item is counted and said, not fatal."""

    def __init__(self, path: str) -> None:
        """Take the file's path."""
        self._path = path
        self.bad = 0

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Yield the items."""
        try:
            with self._open() as lines:
                number = 0
                while line := lines.readline(LINE_BYTES_MAX + 1):
                    number += 1
                    if (item := self._item(line, number)) is not None:
                        yield item
        except (OSError, EOFError) as error:
            message = f"{self._path}: cannot be read: {getattr(error, 'strerror', None) or error}"
            raise UnreadableError(message) from error

    def _open(self) -> IO[bytes]:
        if self._path.endswith(".gz"):
            return gzip.open(self._path, "rb")  # type: ignore[return-value]
        return open(self._path, "rb")  # noqa: PTH123 - the caller's with closes it

    def _item(self, line: bytes, number: int) -> dict[str, Any] | None:
        try:
            item = json.loads(line)
        except ValueError:
            item = None
        if not isinstance(item, dict) or not isinstance(item.get("title"), str):
            self.bad += 1
            click.echo(f"{self._path}:{number}: not an item", err=True)
            return None
        return item


@click.command()
@click.argument("stream", metavar="STREAM.jsonl[.gz]")
@click.option(
    "--gold",
    metavar="FILE",
    help="Labelled items (JSON lines with url or title, and label) to hold the flags against.",
)
def backtest(stream: str, gold: str | None) -> None:
    """Play a recorded stream through classifier, correlator and alerts on a log in memory.

    Alerts go to stdout, one JSON object a line; what the stream came to goes to stderr.

    Example: tumen backtest stream.jsonl.gz > alerts.jsonl
    """
    from services.bootstrap.backtest import run_backtest
    from services.cli.run import shower

    lines = Lines(stream)
    wanted = load_gold(gold) if gold else None
    result = asyncio.run(run_backtest(lines, shower(), _progress))
    _report(result, wanted)
    if lines.bad:
        sys.exit(FAILED)


def load_gold(path: str) -> dict[str, bool]:
    """Return which of the labelled items, by URL or title, are about arms ties."""
    return {str(item.get("url") or item["title"]): item.get("label") == "arms_ties" for item in Lines(path)}


def _progress(count: int) -> None:
    if sys.stderr.isatty() and count % PROGRESS_EVERY == 0:
        click.echo(f"\r{count:,} items", nl=False, err=True)


def _report(result: Backtest, gold: dict[str, bool] | None) -> None:
    words = ("archive", "low", "medium", "high", "urgent")
    severities = ", ".join(
        f"{result.by_severity[n]} {words[n - 1]}" for n in range(5, 0, -1) if result.by_severity[n]
    )
    click.echo(
        f"{result.items:,} items, {result.flagged} flagged, {result.storylines} storylines, "
        f"{sum(result.by_severity.values())} alerts ({severities or 'none'})",
        err=True,
    )
    for week, count in sorted(result.by_week.items()):
        click.echo(f"  {week}  {count} alerts", err=True)
    if gold is not None:
        known = [gold[key] for key in result.flagged_keys if key in gold]
        positives = [key for key, about in gold.items() if about and key in result.seen_keys]
        found = [key for key in positives if key in result.flagged_keys]
        click.echo(
            f"gold: {len(found)} of {len(positives)} arms-ties items of this stream flagged; "
            f"{known.count(False)} of {len(known)} flagged labelled items are labelled otherwise",
            err=True,
        )
