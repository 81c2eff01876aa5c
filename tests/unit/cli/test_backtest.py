"""``tumen backtest``: a stream of any quality, in constant memory."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING

from click.testing import CliRunner, Result

from services.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path

SHELLS = "North Korea shipped artillery shells to Russia, officials say"


def backtest(path: Path) -> Result:
    """Run the command in this process."""
    return CliRunner(catch_exceptions=False).invoke(main, ["backtest", str(path)])


def test_bad_lines_and_strange_items_cost_nothing_else(tmp_path: Path) -> None:
    """Nesting, lone surrogates, dates at the ends of time: the good item is an alert, the exit code is 1."""
    items = [
        {"title": "\ud800", "url": "https://a.example/\ud800", "language": 7},
        {"title": "Rain", "published": "0001-01-01T00:00:00+14:00"},
        {"title": "Snow", "published": "9999-12-31T23:59:59Z"},
        {"title": SHELLS, "published": "2023-09-01T00:00:00Z", "url": "https://b.example/1", "id": 4},
    ]
    path = tmp_path / "stream.jsonl"
    path.write_text("\n".join(["[" * 100_000, "7", *map(json.dumps, items)]), encoding="utf-8")

    done = backtest(path)

    assert done.exit_code == 1
    assert "stream.jsonl:1: not an item: a JSON object with a title is wanted" in done.stderr
    assert "4 items, 1 flagged, 1 storyline, 1 alert" in done.stderr
    assert json.loads(done.stdout)["created_at"] == "2023-09-01T00:00:00.000Z"


def test_a_damaged_stream_exits_2_with_one_line(tmp_path: Path) -> None:
    """Cut or overwritten gzip is said; there is no traceback."""
    packed = bytearray(gzip.compress(b"".join(b'{"title": "%d"}\n' % n for n in range(5_000))))
    packed[len(packed) // 2] ^= 0xFF
    path = tmp_path / "stream.jsonl.gz"
    path.write_bytes(bytes(packed))

    done = backtest(path)

    assert done.exit_code == 2
    assert "damaged gzip file" in done.stderr
