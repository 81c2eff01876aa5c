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
    assert lines[2].split("  ")[1] == "1/-", "it never got onto its topic"
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
    missing = run(url, "show", "stories", "77")
    assert (missing.exit_code, missing.stderr) == (
        1,
        "Error: tumen.stories.v1.dlq has no letter at offset 77\n",
    )


def test_a_letter_is_replayed_once(url: str) -> None:
    """To its topic and partition, with its own headers and id; a second time only when told so."""
    done = run(url, "replay", "stories", "0")
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr == "tumen.stories.v1.dlq: 1 letter replayed onto tumen.stories.v1\n"
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


def test_nothing_is_replayed_again_wholesale(url: str) -> None:
    """What is sent a second time is named, letter by letter; an option that would do nothing is not passed over."""
    refused = run(url, "replay", "stories", "--all", "--again")
    assert refused.exit_code == 2
    assert "write their offsets instead of --all" in refused.stderr
    assert len(stories(url)) == 1


def test_a_reference_is_replayed_from_the_original(url: str) -> None:
    """Where the original is still there; else one line says why not, and the letter stays."""
    done = run(url, "replay", "stories", "--all")
    assert done.exit_code == 1
    assert [record.value for record in stories(url)] == [WHOLE] * 3
    lines = done.stderr.splitlines()
    assert lines == [
        "letter 2 of tumen.stories.v1.dlq cannot be replayed: only its head was kept, for the whole was over the log's limit",
        "letter 3 of tumen.stories.v1.dlq cannot be replayed: tumen.stories.v1/3/99 is no longer on the log",
        "tumen.stories.v1.dlq: 2 letters replayed onto tumen.stories.v1",
    ]
    assert len(run(url, "list").stdout.splitlines()) == 2


def test_a_letter_is_dropped(url: str) -> None:
    """It is hidden, and nothing is sent anywhere."""
    done = run(url, "drop", "stories", "--all")
    assert (done.exit_code, done.stderr) == (0, "tumen.stories.v1.dlq: 4 letters dropped\n")
    assert run(url, "drop", "stories", "--all").stderr == "tumen.stories.v1.dlq: 0 letters dropped\n"
    assert run(url, "list").stdout == ""
    assert len(stories(url)) == 1
    assert run(url, "drop", "stories", "0").exit_code == 1


def test_what_a_person_gets_wrong_is_one_line(url: str) -> None:
    """Unknown topics, no offsets, and offsets beside --all."""
    assert run(url, "list", "nonsense").exit_code == 2
    assert run(url, "replay", "stories").exit_code == 2
    assert run(url, "drop", "stories", "1", "--all").exit_code == 2


@pytest.mark.parametrize("reference", ["3/0", "1x", "stories/0", "٣", "9" * 19, ""])
def test_what_is_no_offset_of_a_letter_is_one_line(url: str, reference: str) -> None:
    """Other parts of a line of `list` are told apart, and nothing is done."""
    for command in ("show", "replay", "drop"):
        done = run(url, command, "stories", reference)
        assert done.exit_code == 2
        assert done.stderr.startswith(
            f"Error: {reference!r} is no offset of a letter: write the number behind"
        )
        assert len(done.stderr.splitlines()) == 1
    assert len(run(url, "list").stdout.splitlines()) == 4


def test_a_foreign_letter_is_shown_as_what_it_is(tmp_path: Path) -> None:
    """Whoever may write to the dead letters may write anything: it is a line, and no traceback."""
    path = tmp_path / "t.db"
    place = ("dlq-original-partition", b"1_0")
    foreign = [
        (),
        (
            ("dlq-original-partition", b"many\x1b[2J"),
            ("dlq-original-offset", b"\xff"),
            ("dlq-attempts", b"3"),
        ),
        (("dlq-settled", b"replayed"), ("dlq-settles-offset", b"all")),
        (("dlq-settled", b"replayed"), ("dlq-settles-offset", b"9"), place),
        (("dlq-settled", b"gone"), ("dlq-settles-offset", b"0")),
    ]

    async def fill() -> None:
        bus = await SqliteBus.open(str(path))
        await bus.append([Message(STORIES.dlq.name, 0, "k", b"{", headers) for headers in foreign])
        await bus.close()

    asyncio.run(fill())
    bus = f"sqlite:{path}"
    lines = [line.split("  ") for line in run(bus, "list").stdout.splitlines()]
    assert [line[0] for line in lines] == [f"stories {offset}" for offset in range(5)]
    assert lines[0][1:6] == ["?/?", "k", "?", "?", "?x"]
    assert lines[1][1].startswith("?many")
    assert "\x1b" not in lines[1][1]
    assert lines[1][5] == "3x"
    assert lines[3][1] == "?1_0/?"
    done = run(bus, "replay", "stories", "--all")
    assert done.exit_code == 1
    assert len(done.stderr.splitlines()) == 6
    assert "dlq-original-partition '1_0' is no partition of tumen.stories.v1" in done.stderr
    assert stories(bus) == []
