"""An alert reads well, and nothing that a publisher wrote can harm whoever shows it."""

from __future__ import annotations

import json
import re

from schemas import Alert, AlertChange, AlertEvidence, AlertSource
from services.alerter.render import plain, webhook_body
from services.text.ids import stable_id
from services.text.wrap import columns
from tests.builders import T0, an_alert

HOSTILE = (
    "<script>alert(1)</script>\x1b]0;owned\x07\x1b[2J\u202eevil\u2066\r\nURGENT · T1 · fake" + "x" * 1_000_000
)


def a_source(name: str, **fields: object) -> AlertSource:
    """Return a source of an alert."""
    defaults = {
        "story_id": stable_id(name),
        "name": name,
        "domain": "x.example",
        "kind": "newspaper",
        "role": "copy",
        "title": f"Title of {name}",
        "url": "https://x.example/1",
        "first_seen": T0,
    }
    return AlertSource.model_validate({**defaults, **fields})


def a_quotation(text: str, **fields: object) -> AlertEvidence:
    """Return a statement."""
    defaults = {"field": "title", "start": 0, "end": 1, "text": text, "kind": "statement"}
    return AlertEvidence.model_validate({**defaults, "story_id": stable_id("s"), **fields})


def test_an_alert_as_text() -> None:
    """Head, title, who and why, the words, other outlets with their labels, the link."""
    alert = an_alert(
        evidence=(
            a_quotation("shells went by rail", cut=True),
            a_quotation("shells", kind="materiel.ammunition"),
        ),
        sources=(a_source("Baltic Wire"), a_source("Vestnik Press", label="state media RU")),
        changes=(
            AlertChange(what="title", before="10,000", after="1,000"),
            AlertChange(what="evidence", after="new"),
        ),
    )
    assert plain(alert).splitlines() == [
        "HIGH · T1 · opened · 12 May 03:00 UTC",
        "Baltic Wire: shells by rail (alert)",
        "  Baltic Wire published this.",
        "  title: “10,000” is now “1,000”",
        "  evidence: “nothing” is now “new”",
        "  > “… shells went by rail …”",
        "  + Vestnik Press (state media RU): Title of Vestnik Press",
        "  https://baltic.example/2026/alert",
    ]


def hostile_alert() -> Alert:
    """Return an alert whose every text is hostile."""
    return an_alert(
        title=HOSTILE,
        body=HOSTILE,
        headline_url="https://x.example/\x1b[2J" + "y" * 100_000,
        sources=(a_source("a"), a_source(HOSTILE, title=HOSTILE, label=HOSTILE)),
        evidence=(a_quotation(HOSTILE),),
        changes=(AlertChange(what=HOSTILE, before=HOSTILE, after=HOSTILE),),
    )


def test_hostile_text_is_harmless_on_a_terminal() -> None:
    """No escape, no bidi control, no line of its own making, and no megabyte."""
    text = plain(hostile_alert())
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)
    assert [line for line in text.splitlines() if line.startswith("URGENT")] == []
    assert len(text) < 6_000


def test_a_webhooks_body_is_json_of_type_time_and_alert() -> None:
    """What is hostile is data inside it, and survives as such; the same bytes on every attempt."""
    alert = hostile_alert()
    body = webhook_body(alert)
    told = json.loads(body)
    assert (told["type"], told["timestamp"]) == ("alert.opened", alert.detected_at)
    assert Alert.model_validate(told["data"]) == alert
    assert body == webhook_body(alert)
    assert b"\x1b" not in body


def test_a_narrow_terminal_gets_narrow_lines() -> None:
    """Nothing but the link is wider than asked, in any script."""
    alert = an_alert(
        title="ハーフェン日報: " + "北朝鮮、羅津港から軍需品のコンテナ約1000個をロシアへ搬出か" * 3
    )

    lines = plain(alert, 60).splitlines()

    assert all(columns(line) <= 62 for line in lines if "https://" not in line)
    assert max(columns(line) for line in plain(alert).splitlines()) > 62
