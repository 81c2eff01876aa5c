"""Dead letters on the command line: seen, replayed once, dropped; the log itself is only ever added to."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from services.bus.codec import as_reference, dead_letter, unsent_letter
from services.bus.ports import Message, Record
from services.bus.sqlite import SqliteBus
from services.bus.topics import STORIES
from services.cli.main import main

WHOLE = b"\x1b[31m{ no story" + b"!" * 5_000


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Make a log with a story, its letter, one by reference, and one of which only the head is left."""
    path = tmp_path / "t.db"

    async def fill() -> None:
        bus = await SqliteBus.open(str(path))
        await bus.append([Message(STORIES.name, 3, "k", WHOLE, (("ce_id", b"id-1"),))])
        [record] = [record async for record in bus.read(STORIES.name)]
        letter = dead_letter(
            record, group="g", stage="classifier", error="bad", error_class="Undecodable", attempts=1
        )
        head = unsent_letter(
            Message(STORIES.name, 1, "lost", WHOLE), group="g", stage="poller", error="large", timestamp_ms=1
        )
        gone = as_reference(letter, f"{STORIES.name}/3/99")
        await bus.append([letter, as_reference(letter, f"{STORIES.name}/3/0"), head, gone])
        await bus.close()

    asyncio.run(fill())
    return f"sqlite:{path}"


def run(url: str, *arguments: str) -> Result:
    """Run a command of the group."""
    return CliRunner().invoke(main, ["dlq", *arguments, "--bus", url])


def stories(url: str) -> list[Record]:
    """Return the stories on the log."""

    async def read() -> list[Record]:
        bus = await SqliteBus.open(url.removeprefix("sqlite:"))
        found = [record async for record in bus.read(STORIES.name)]
        await bus.close()
        return found

    return asyncio.run(read())


def test_a_letter_is_one_line(url: str) -> None:
    """Where it was, what was wrong with it, and how often it was tried."""
    done = run(url, "list", "stories")
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert [line.split("  ")[:6] for line in lines[:1]] == [
        ["stories 0", "3/0", "k", "classifier", "Undecodable", "1x"]
    ]
    assert len(lines) == 4
    assert run(url, "list", "verdicts.dlq").stdout == ""
    assert len(run(url, "list").stdout.splitlines()) == 4


def test_letters_are_json_where_programs_read_them(url: str) -> None:
    """One object a line, the original's headers beside the letter's."""
    first = json.loads(run(url, "list", "--format", "jsonl").stdout.splitlines()[0])
    assert (first["topic"], first["offset"], first["settled"]) == (STORIES.name, 0, None)
    assert first["headers"]["ce_id"] == "id-1"
    assert "\n  " in run(url, "list", "--format", "pretty").stdout


def test_a_letter_is_shown_without_steering_the_terminal(url: str) -> None:
    """Headers and the head of the value."""
    shown = run(url, "show", "stories", "0")
    assert "dlq-error-message: bad" in shown.stdout
    assert "ce_id: id-1" in shown.stdout
    assert "\x1b" not in shown.stdout
    assert run(url, "show", "stories", "77").exit_code == 1


def test_a_letter_is_replayed_once(url: str) -> None:
    """To its topic and partition, with its own headers and id; a second time only when told so."""
    assert run(url, "replay", "stories", "0").exit_code == 0
    again = stories(url)[-1]
    assert (again.partition, again.offset, again.key, again.value) == (3, 1, "k", WHOLE)
    assert again.headers == (("ce_id", b"id-1"),)
    assert len(run(url, "list").stdout.splitlines()) == 3
    assert "[replayed]" in run(url, "list", "--all").stdout
    refused = run(url, "replay", "stories", "0")
    assert (refused.exit_code, len(stories(url))) == (1, 2)
    assert "replayed already" in refused.stderr
    assert run(url, "replay", "stories", "0", "--again").exit_code == 0
    assert len(stories(url)) == 3
    assert "settled: replayed" in run(url, "show", "stories", "0").stdout


def test_a_reference_is_replayed_from_the_original(url: str) -> None:
    """Where the original is still there; else one line says why not, and the letter stays."""
    done = run(url, "replay", "stories", "--all")
    assert done.exit_code == 1
    assert [record.value for record in stories(url)] == [WHOLE] * 3
    lines = done.stderr.splitlines()
    assert len(lines) == 2
    assert "only its head was kept" in lines[0]
    assert "no longer on the log" in lines[1]
    assert len(run(url, "list").stdout.splitlines()) == 2


def test_a_letter_is_dropped(url: str) -> None:
    """It is hidden, and nothing is sent anywhere."""
    assert run(url, "drop", "stories", "--all").exit_code == 0
    assert run(url, "list").stdout == ""
    assert len(stories(url)) == 1
    assert run(url, "drop", "stories", "0").exit_code == 1


def test_what_a_person_gets_wrong_is_one_line(url: str) -> None:
    """Unknown topics, no offsets, and offsets beside --all."""
    assert run(url, "list", "nonsense").exit_code == 2
    assert run(url, "replay", "stories").exit_code == 2
    assert run(url, "drop", "stories", "1", "--all").exit_code == 2
