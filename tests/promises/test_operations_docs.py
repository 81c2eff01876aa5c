"""docs/operations.md lists every event, metric and skip, word for word."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.obs.events import EVENTS
from services.obs.metrics import METRICS, POLL_OUTCOMES, PROCESS_METRICS, SKIPS

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"


def rows() -> dict[str, list[str]]:
    """Return the wanted rows of each table of the page."""
    return {
        "Events": [
            f"| `{event.name}` | {event.level} | {', '.join(event.fields) or '-'} | {event.meaning} |"
            for event in EVENTS.values()
        ],
        "Metrics": [
            f"| `{metric.name}` | {metric.kind} | {', '.join(metric.labels) or '-'} | {metric.help} |"
            for metric in METRICS.values()
        ]
        + [
            f"| `{name}` | {'counter' if name.endswith('_total') else 'gauge'} | - | {meaning} |"
            for name, meaning in PROCESS_METRICS.items()
        ],
        "Skips": [f"| `{reason}` | {meaning} |" for reason, meaning in SKIPS.items()],
        "Outcomes of a poll": [f"| {', '.join(f'`{outcome}`' for outcome in POLL_OUTCOMES)} |"],
    }


@pytest.mark.parametrize("section", ["Events", "Metrics", "Skips", "Outcomes of a poll"])
def test_the_page_says_what_the_tables_say(section: str) -> None:
    """Each section's table holds exactly the wanted rows, in order; on failure, paste what is wanted."""
    text = PAGE.read_text(encoding="utf-8").partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    table = [line for line in text.splitlines() if line.startswith("|")][2:]
    wanted = rows()[section]
    assert table == wanted, "wanted:\n" + "\n".join(wanted)
