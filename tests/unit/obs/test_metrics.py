"""Metrics: declared, bounded, readable."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from services.obs.metrics import METRICS, SKIPS, Metrics, UndeclaredMetric, bounded

SERVICES = Path(__file__).parents[3] / "services"
FORBIDDEN_LABELS = {"feed", "feed_id", "host", "url", "domain", "storyline", "alert", "subscriber"}


def test_counts_come_out_as_they_went_in() -> None:
    """A counter adds up per label set, and sums over the labels that are left out."""
    metrics = Metrics()
    metrics.inc("tumen_alerts_total", kind="opened", severity=5)
    metrics.inc("tumen_alerts_total", 2, kind="denied", severity=4)
    assert metrics.value("tumen_alerts_total") == 3
    assert metrics.value("tumen_alerts_total", kind="denied") == 2
    body, content_type = metrics.render()
    assert b'tumen_alerts_total{kind="opened",severity="5"} 1.0' in body
    assert content_type.startswith("text/plain")


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("tumen_unknown_total", {}),
        ("tumen_alerts_total", {"kind": "opened"}),
        ("tumen_alerts_total", {"kind": "opened", "severity": 5, "feed": "x"}),
        ("tumen_feeds", {"status": "ok"}),
    ],
)
def test_what_the_table_lacks_is_refused(name: str, labels: dict[str, object]) -> None:
    """An unknown name, missing or extra labels, and the wrong kind are bugs and say so."""
    with pytest.raises(UndeclaredMetric, match=name):
        Metrics().inc(name, 1, **labels)


def test_no_label_names_a_feed_host_storyline_alert_or_subscriber() -> None:
    """The number of series does not grow with the world."""
    labels = {label for metric in METRICS.values() for label in metric.labels}
    assert not labels & FORBIDDEN_LABELS


@pytest.mark.parametrize("label", ["outcome", "reason", "topic", "kind", "service"])
def test_a_value_outside_its_vocabulary_counts_as_other(label: str) -> None:
    """Text from outside cannot make a series."""
    assert bounded("tumen_x", label, "https://evil.example/\n") == "other"


def test_topics_are_labelled_by_their_short_names() -> None:
    """Full and short names are one series."""
    assert bounded("tumen_lag_records", "topic", "tumen.feed-state.v1") == "feed-state"
    assert bounded("tumen_lag_records", "topic", "tumen.stories.v1.dlq") == "stories.dlq"
    assert bounded("tumen_lag_records", "topic", "alerts") == "alerts"


def test_every_skip_has_a_name_and_a_counter() -> None:
    """Each named reason counts under its own name, and an unnamed one is not lost."""
    metrics = Metrics()
    for reason in SKIPS:
        metrics.skip(reason)
    metrics.skip("never heard of")
    assert metrics.value("tumen_skips_total") == len(SKIPS) + 1
    assert metrics.value("tumen_skips_total", reason="other") == 2


def test_the_process_says_what_it_is() -> None:
    """Version and resources of the process are shown."""
    body, _ = Metrics().render()
    assert b"tumen_build_info{" in body
    assert b"tumen_process_cpu_seconds_total" in body


def test_gauges_and_histograms_take_values() -> None:
    """Each kind has its verb."""
    metrics = Metrics()
    metrics.set("tumen_feeds", 30, status="ok")
    metrics.observe("tumen_batch_seconds", 0.02, service="poller")
    assert metrics.value("tumen_feeds", status="ok") == 30
    assert metrics.value("tumen_batch_seconds_count", service="poller") == 1


def literal_arguments(*methods: str) -> dict[str, str]:
    """Return each literal first argument of calls of these methods in the code, and where it stands."""
    found = {}
    for path in sorted(SERVICES.rglob("*.py")):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(call, ast.Call)
                and isinstance(call.func, ast.Attribute)
                and call.func.attr in methods
            ):
                first = call.args[0] if call.args else None
                if isinstance(first, ast.Constant) and isinstance(first.value, str):
                    found[first.value] = f"{path.relative_to(SERVICES.parent)}:{call.lineno}"
    return found


def test_the_code_passes_things_over_only_for_declared_reasons() -> None:
    """A reason that the table lacks would count as other, and its meaning be nowhere."""
    missing = {reason: where for reason, where in literal_arguments("skip").items() if reason not in SKIPS}
    assert missing == {}


def test_the_code_moves_only_declared_metrics() -> None:
    """Every metric named in the code stands in the table."""
    named = literal_arguments("inc", "observe", "set").items()
    assert {name: where for name, where in named if name.startswith("tumen_") and name not in METRICS} == {}
