"""Alerts on a terminal, for people: hostile text shown, not obeyed.

Rich markup is never parsed from publishers' text, and control characters are made visible first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.padding import Padding
from rich.text import Text

from schemas.verdict import Evidence
from services.text.clean import visible

if TYPE_CHECKING:
    from schemas import Alert

SEVERITY = {
    5: ("urgent", "bold white on dark_red"),
    4: ("high", "bold red"),
    3: ("medium", "bold yellow"),
    2: ("low", "cyan"),
    1: ("archive", "dim"),
}
BARS = "▁▂▃▄▅"
QUOTATIONS_MAX = 3
TITLE_MAX = 200


def alert_block(alert: Alert) -> Group:
    """Return one alert as a subscriber reads it: how grave, who says it, the words, the link."""
    lines: list[Text | Padding] = [Text(), _head(alert), _title(alert)]
    lines += [Padding(_quotation(alert, quote), (0, 0, 0, 2)) for quote in _statements(alert)]
    lines += [
        Padding(_change(change.what, change.before, change.after), (0, 0, 0, 2)) for change in alert.changes
    ]
    lines.append(Padding(_foot(alert), (0, 0, 0, 2)))
    return Group(*lines)


def _head(alert: Alert) -> Text:
    word, style = SEVERITY[alert.severity]
    bars = BARS[: alert.severity] + "·" * (5 - alert.severity)
    head = Text.assemble((f"{alert.created_at[11:16]} ", "bold"), (f" {bars} {word} ", style), " ")
    head.append(f"{alert.kind}", "bold").append(f" · {alert.tier} · {visible(alert.reason)}", "dim")
    return head


def _title(alert: Alert) -> Text:
    title = visible(alert.title)
    return Text(title if len(title) <= TITLE_MAX else title[: TITLE_MAX - 1] + "…", "bold")


def _statements(alert: Alert) -> list[Evidence]:
    found: list[Evidence] = [item for item in alert.evidence if item.kind == "statement"]
    return found[:QUOTATIONS_MAX]


def _quotation(alert: Alert, quote: Evidence) -> Text:
    """Return a quotation with the words that counted underlined."""
    line = Text("“" + visible(quote.text) + ("…" if quote.cut else "") + "”")
    terms = {visible(item.text) for item in alert.evidence if item.kind != "statement"}
    line.highlight_words(sorted(terms, key=len, reverse=True), "underline bright_white", case_sensitive=True)
    return line


def _change(what: str, before: str | None, after: str | None) -> Text:
    return Text.assemble(
        (f"{what}: ", "dim"),
        (visible(before or "–")[:TITLE_MAX], "strike"),
        " → ",
        visible(after or "–")[:TITLE_MAX],
    )


def _foot(alert: Alert) -> Text:
    counts = alert.counts
    outlets = f"{counts.outlets} outlet{'s' * (counts.outlets != 1)}"
    parts = (
        [outlets, f"{counts.copies} cop{'y' if counts.copies == 1 else 'ies'}"]
        if counts.copies
        else [outlets]
    )
    labels = sorted({source.label for source in alert.sources if source.label})
    parts += [f"[{visible(label)}]" for label in labels]
    parts += [", ".join(alert.languages), visible(alert.headline_url)]
    return Text(" · ".join(part for part in parts if part), "dim")


def summary_block(title: str, figures: list[tuple[str, str]], notes: list[str]) -> Group:
    """Return the end of a run: one figure a line, then what is worth saying in words."""
    width = max(len(name) for name, _ in figures)
    rows = [Text.assemble((f"  {name:<{width}}  ", "dim"), (value, "bold")) for name, value in figures]
    return Group(Text(), Text(title, "bold"), *rows, *(Text(note) for note in notes))
