"""``tumen tail``: one line a message, whatever a dead letter holds."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from services.bootstrap import open_bus
from services.bus.ports import Message
from services.bus.topics import STORIES
from services.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path

LETTERS = (b"\xff\x1b[2J not json", b'{"a":\n1}', b"[" * 100_000, b'"\\ud800"', None)


@pytest.mark.parametrize("options", [(), ("--meta",), ("--format", "pretty")])
def test_a_dead_letter_of_any_kind_is_shown_on_its_line(options: tuple[str, ...], tmp_path: Path) -> None:
    """What is no JSON is shown as a JSON string; a tombstone only in its wrapping."""
    url = f"sqlite:{tmp_path}/letters.db"

    async def bury() -> None:
        async with open_bus(url) as bus:
            await bus.append([Message(STORIES.dlq.name, 0, str(n), value) for n, value in enumerate(LETTERS)])

    asyncio.run(bury())
    shown = CliRunner(catch_exceptions=False).invoke(main, ["tail", "stories.dlq", "--bus", url, *options])

    assert shown.exit_code == 0
    assert "\x1b" not in shown.stdout
    if "pretty" not in options:
        values = [json.loads(line) for line in shown.stdout.splitlines()]
        assert len(values) == len(LETTERS) - ("--meta" not in options)
