"""What a run of the demo shows: alerts and a progress bar for people, JSON lines for programs.

Alerts are results and go to stdout, all else to stderr. On a terminal both are one screen, kept in order by one
console.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from services.cli.show import alert_block, summary_block
from services.demo.model import DAY_END, DAY_START

if TYPE_CHECKING:
    from datetime import datetime

    from schemas import Alert
    from services.bootstrap.day import Summary
    from services.obs.metrics import Metrics

DAY_MINUTES = (DAY_END - DAY_START) / timedelta(minutes=1)


@contextmanager
def open_screen() -> Iterator[DemoScreen]:
    """Return the screen for where stdout and stderr lead: with a progress bar if that is a terminal."""
    err = Console(stderr=True, highlight=False)
    if not err.is_terminal:
        yield DemoScreen(err, None)
        return
    columns = (TextColumn("{task.description}"), BarColumn(None), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True, redirect_stdout=False) as bar:
        yield DemoScreen(err, bar)


class DemoScreen:
    """Shows a run of the demo day."""

    def __init__(self, err: Console, bar: Progress | None) -> None:
        """Take the console of stderr and the bar on it, if any."""
        self._err = err
        self._bar = bar
        self._task = bar.add_task("00:00 UTC", total=DAY_MINUTES) if bar else None
        self._terminal = sys.stdout.isatty()
        self._out = err if self._terminal and bar else Console(highlight=False)

    def show(self, alert: Alert) -> None:
        """Show one alert: text on a terminal, one JSON line otherwise."""
        if self._terminal:
            self._out.print(alert_block(alert, self._out.width), markup=False, soft_wrap=True)
        else:
            sys.stdout.write(alert.to_json().decode() + "\n")
            sys.stdout.flush()

    def at(self, now: datetime) -> None:
        """Move the bar."""
        if self._bar is not None and self._task is not None:
            minutes = (now - DAY_START) / timedelta(minutes=1)
            self._bar.update(self._task, completed=minutes, description=f"{now:%H:%M} UTC")

    def desk_is_at(self, url: str, wanted: int, *, moved: bool) -> None:
        """Say where the desk is."""
        self._err.print(
            f"The desk is on {url}" + (f" (port {wanted} is busy)" if moved else ""), markup=False
        )

    def resumed(self, now: datetime) -> None:
        """Say that the day goes on."""
        self._err.print(
            f"Going on at {now:%H:%M} UTC of the day; fetches are counted from here", markup=False
        )

    def summary(self, summary: Summary, metrics: Metrics) -> None:
        """Show what the day came to."""
        self._hide_bar()
        self._err.print(summary_block("The day", figures(summary, metrics), notes(summary)), markup=False)
        for fault in summary.faults:
            self._err.print(f"not as expected: {fault}", markup=False, style="bold red")

    def staying(self, url: str) -> None:
        """Say that the desk stays."""
        self._err.print(f"\nThe desk stays on {url} until Ctrl-C.", markup=False)

    def _hide_bar(self) -> None:
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, visible=False)


def figures(summary: Summary, metrics: Metrics) -> list[tuple[str, str]]:
    """Return the figures of a day; fetches are counted since this process began."""
    fetches = int(metrics.value("tumen_polls_total"))
    not_modified = int(metrics.value("tumen_polls_total", outcome="not_modified"))
    filed = f" ({summary.backfill} older ones filed, none pushed)" if summary.backfill else ""
    sent = ", ".join(f"{count} {status}" for status, count in sorted(summary.deliveries.items()))
    return [
        ("feeds", f"{summary.feeds}"),
        ("fetches", f"{fetches:,}, of these not modified (304): {not_modified:,}"),
        ("stories", f"{summary.stories}{filed}"),
        ("flagged", f"{summary.flagged}"),
        ("storylines", f"{summary.storylines}"),
        ("alerts", f"{len(summary.alerts)}"),
        ("deliveries", sent or "none"),
    ]


def notes(summary: Summary) -> list[str]:
    """Return the comparison that the summary ends with."""
    return [
        f"Tumen raised {len(summary.alerts)} alerts; a plain keyword alert would have sent {summary.keyword_alerts}."
    ]
