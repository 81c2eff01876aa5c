"""Alerts and summaries on a terminal: the plain text of the alerter, with weight and colour added.

Rich markup is never parsed from publishers' text, and ``plain`` has made control characters visible.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.text import Text

from services.alerter.render import WIDTH, plain
from services.text.clean import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from schemas import Alert

SEVERITY_STYLES = {5: "bold white on dark_red", 4: "bold red", 3: "bold yellow", 2: "cyan", 1: "dim"}
BARS = "▁▂▃▄▅"
TERM_MAX = 100


def alert_block(alert: Alert, columns: int) -> Group:
    """Return one alert as a subscriber reads it; the words that counted are underlined. Print it with soft_wrap."""
    head, *rest = plain(alert, min(columns, WIDTH)).splitlines()
    bars = BARS[: alert.severity] + "·" * (len(BARS) - alert.severity)
    return Group(
        Text(),
        Text(f"{bars} {head}", SEVERITY_STYLES[alert.severity]),
        *(_line(line, alert) for line in rest),
    )


def _line(line: str, alert: Alert) -> Text:
    if not line.startswith("  "):
        return Text(line, "bold")
    if not line.startswith(("  > ", "    ")):
        return Text(line, "dim")
    quoted = Text(line)
    terms = {one_line(item.text, TERM_MAX) for item in alert.evidence if item.kind != "statement"}
    quoted.highlight_words(sorted(terms, key=len, reverse=True), "underline", case_sensitive=True)
    return quoted


def summary_block(title: str, figures: Sequence[tuple[str, str]], notes: Sequence[str]) -> Group:
    """Return the end of a run: one figure a line, then what is worth saying in words."""
    width = max(len(name) for name, _ in figures)
    rows = [Text.assemble((f"  {name:<{width}}  ", "dim"), (value, "bold")) for name, value in figures]
    return Group(Text(), Text(title, "bold"), *rows, *(Text(note) for note in notes))
