"""``tumen backtest``: what a recorded stream would have led to."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from services.cli.common import FAILED, config_options, counted, settings_from
from services.cli.lines import numbered, opened, show_progress

if TYPE_CHECKING:
    from services.bootstrap.backtest import Backtest


class Items:
    """The items of a file of JSON lines; a line that is no item is counted and said, not fatal."""

    def __init__(self, path: str) -> None:
        """Take the file's path."""
        self._path = path
        self.bad = 0

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Yield the items."""
        with opened(self._path) as lines:
            for number, raw in numbered(lines, self._path):
                if (item := _item(raw)) is not None:
                    yield item
                else:
                    self.bad += 1
                    click.echo(
                        f"{self._path}:{number}: not an item: a JSON object with a title is wanted", err=True
                    )


def _item(raw: bytes | None) -> dict[str, Any] | None:
    try:
        item = json.loads(raw or b"")
    except (ValueError, RecursionError):
        return None
    return item if isinstance(item, dict) and isinstance(item.get("title"), str) else None


@click.command()
@click.argument("stream", metavar="STREAM.jsonl[.gz]")
@click.option(
    "--gold",
    metavar="FILE",
    help="Labelled items (JSON lines with url or title, and label) to hold the flags against.",
)
@config_options
def backtest(stream: str, gold: str | None, config: str | None, log_format: str | None) -> None:
    """Play a recorded stream through classifier, correlator and alerts on a log in memory.

    An item is {"title", "url"?, "source"?, "summary"?, "text"?, "language"?, "published"?}; one without a date takes
    that of the item before it. Alerts go to stdout, one JSON object a line; what the stream came to goes to stderr.

    Example: tumen backtest stream.jsonl.gz > alerts.jsonl
    """
    from services.bootstrap.backtest import run_backtest
    from services.cli.run import shower

    settings_from(config, log_format)
    items = Items(stream)
    wanted = load_gold(gold) if gold else None
    result = asyncio.run(run_backtest(items, shower(), show_progress))
    _report(result, wanted)
    if items.bad:
        click.echo(f"{stream}: {items.bad} line(s) could not be read", err=True)
        sys.exit(FAILED)


def load_gold(path: str) -> dict[str, bool]:
    """Return which of the labelled items, by URL or title, are about arms ties."""
    return {str(item.get("url") or item["title"]): item.get("label") == "arms_ties" for item in Items(path)}


def _report(result: Backtest, gold: dict[str, bool] | None) -> None:
    words = ("archive", "low", "medium", "high", "urgent")
    severities = ", ".join(
        f"{result.by_severity[n]} {words[n - 1]}" for n in range(5, 0, -1) if result.by_severity[n]
    )
    click.echo(
        f"{counted(result.items, 'item')}, {result.flagged:,} flagged, {counted(result.storylines, 'storyline')}, "
        f"{counted(sum(result.by_severity.values()), 'alert')} ({severities or 'none'})",
        err=True,
    )
    for week, count in sorted(result.by_week.items()):
        click.echo(f"  {week}  {counted(count, 'alert')}", err=True)
    if gold is not None:
        known = [gold[key] for key in result.flagged_keys if key in gold]
        positives = [key for key, about in gold.items() if about and key in result.seen_keys]
        found = [key for key in positives if key in result.flagged_keys]
        click.echo(
            f"gold: {len(found)} of {len(positives)} arms-ties items of this stream flagged; "
            f"{known.count(False)} of {len(known)} flagged labelled items are labelled otherwise",
            err=True,
        )
