"""An alert as people and programs read it: plain text and webhook JSON. Pure.

All publishers' text passes ``visible``, and every piece of it stays on one line: no title can fake another alert.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.text.clean import one_line
from services.text.times import moment
from services.text.wrap import wrapped

if TYPE_CHECKING:
    from schemas.alert import Alert, AlertChange, AlertEvidence, AlertSource

SEVERITIES = {1: "ARCHIVE", 2: "LOW", 3: "MEDIUM", 4: "HIGH", 5: "URGENT"}
TITLE_MAX = 300
"""Code points of a title on a terminal: three lines."""
QUOTATION_MAX = 320
URL_MAX = 500
BODY_MAX = 1_000
QUOTATIONS_MAX = 3
SOURCES_MAX = 5
WIDTH = 100
"""Columns where nobody says how many there are: longer lines are hard to read."""
WIDTH_MIN = 40


def plain(alert: Alert, width: int = WIDTH) -> str:
    """Return the alert as text for a terminal or a mail: what, who, the words that caused it, the link.

    No line but the link is wider than ``width`` columns.
    """
    width = max(width, WIDTH_MIN)
    lines = [
        f"{SEVERITIES[alert.severity]} · {alert.tier} · {alert.kind} · {moment(alert.created_at):%d %b %H:%M} UTC",
        *wrapped(one_line(alert.title, TITLE_MAX), width),
        *wrapped(one_line(alert.body, BODY_MAX), width, "  ", "  "),
        *(
            line
            for change in alert.changes[:QUOTATIONS_MAX]
            for line in wrapped(_changed(change), width, "  ", "    ")
        ),
        *_quotations(alert, width),
        *(
            line
            for source in alert.sources[1 : SOURCES_MAX + 1]
            for line in wrapped(_source(source), width, "  ", "    ")
        ),
        f"  {one_line(alert.headline_url, URL_MAX)}",
    ]
    return "\n".join(lines)


def webhook_body(alert: Alert) -> bytes:
    """Return the request body: ``{"type": "alert.opened", "timestamp": …, "data": <Alert>}``.

    The same bytes on every attempt, so the timestamp is the alert's, not the attempt's.
    """
    head = f'{{"type":"alert.{alert.kind}","timestamp":"{alert.detected_at}","data":'
    return head.encode() + alert.to_json() + b"}"


def _quotations(alert: Alert, width: int) -> list[str]:
    statements = [evidence for evidence in alert.evidence if evidence.kind == "statement"][:QUOTATIONS_MAX]
    return [line for evidence in statements for line in wrapped(_quoted(evidence), width, "  > ", "    ")]


def _quoted(evidence: AlertEvidence) -> str:
    text = one_line(evidence.text, QUOTATION_MAX)
    return f"“… {text} …”" if evidence.cut else f"“{text}”"


def _changed(change: AlertChange) -> str:
    before, after = (one_line(text or "nothing", QUOTATION_MAX) for text in (change.before, change.after))
    return f"{one_line(change.what, TITLE_MAX)}: “{before}” is now “{after}”"


def _source(source: AlertSource) -> str:
    label = f" ({one_line(source.label, TITLE_MAX)})" if source.label else ""
    return f"+ {one_line(source.name, TITLE_MAX)}{label}: {one_line(source.title, TITLE_MAX)}"
