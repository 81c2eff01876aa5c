"""Alerts and summaries on a terminal: what a person sees, and what a publisher cannot do to the terminal."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from schemas import Alert
from services.bootstrap.day import Summary
from services.cli.screen import figures, notes
from services.cli.show import alert_block, summary_block
from services.obs.metrics import Metrics
from tests.builders import an_alert

ESC = "\x1b"


def printed(*things: object, color: bool = False) -> str:
    """Return what a terminal of 100 columns is sent."""
    out = io.StringIO()
    console = Console(
        file=out, width=100, force_terminal=color, color_system="256" if color else None, highlight=False
    )
    for thing in things:
        console.print(thing, markup=False, soft_wrap=True)
    return out.getvalue()


def test_an_alert_shows_how_grave_who_says_it_and_where() -> None:
    """Bars and a word for the severity, the attributed title, the link."""
    alert = an_alert(
        severity=4,
        title="Harbour Times: shells reach Russia",
        headline_url="https://www.harbour-times.example/1",
    )

    text = printed(alert_block(alert, 100))

    assert "▁▂▃▄· HIGH" in text
    assert "Harbour Times: shells reach Russia" in text
    assert "https://www.harbour-times.example/1" in text


@pytest.mark.parametrize(
    "title",
    [
        f"red {ESC}[31malert{ESC}[0m and a bell \x07",
        "[bold red]markup[/bold red] [link=file:///etc/passwd]x[/link]",
        "\u202etxet desrever\u202c and \u2066isolates\u2069",
        "line one\nHIGH · T1 · opened · a second alert that is none",
        "x" * 1_000_000,
    ],
    ids=["escapes", "markup", "bidi", "newline", "a million letters"],
)
def test_no_title_steers_the_terminal(title: str) -> None:
    """Escapes, markup, bidi controls and new lines are shown, not obeyed; length is bounded."""
    plain = printed(alert_block(Alert.model_construct(**{**dict(an_alert()), "title": title}), 100))
    coloured = printed(
        alert_block(Alert.model_construct(**{**dict(an_alert()), "title": title}), 100), color=True
    )

    assert ESC not in plain
    assert not {"\x07", "\u202e", "\u2066"} & set(coloured)
    assert f"{ESC}[31malert" not in coloured
    assert "]8;" not in coloured, "no hyperlink but ours"
    assert not any(line.startswith("HIGH") for line in plain.splitlines())
    assert len(plain) < 20_000
    if title.startswith("[bold"):
        assert "[bold red]markup" in plain


def test_the_summary_counts_and_ends_with_the_comparison() -> None:
    """Feeds, fetches, 304s, stories, flagged, storylines, alerts, deliveries; and what a keyword alert would have sent."""
    metrics = Metrics()
    for outcome, count in (("changed", 700), ("not_modified", 2_050)):
        metrics.inc("tumen_polls_total", count, outcome=outcome)
    summary = Summary(43, 663, 31, 49, 43, (an_alert(),), {"sent": 48, "failed": 2}, 28, ())

    text = printed(summary_block("The day", figures(summary, metrics), notes(summary)))

    assert "2,750, of these not modified (304): 2,050" in text
    assert "663 (31 older ones filed, none pushed)" in text
    assert "2 failed, 48 sent" in text
    assert text.rstrip().endswith("a plain keyword alert would have sent 28.")
