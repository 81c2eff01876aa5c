"""What every command promises: help with an example, one clear line for what a user can cause, no traceback."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from services.cli.main import main


def commands(group: click.Group = main, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the path of every command and group."""
    for name, command in group.commands.items():
        yield (*path, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


def run(*arguments: str) -> Result:
    """Run a command in this process; what it does not handle itself is raised here."""
    return CliRunner(catch_exceptions=False).invoke(main, arguments)


@pytest.mark.parametrize("path", list(commands()), ids=" ".join)
def test_every_command_has_help_with_an_example(path: tuple[str, ...]) -> None:
    """Nobody has to guess how a command is called."""
    shown = CliRunner().invoke(main, [*path, "--help"])

    assert shown.exit_code == 0
    assert f"Example: tumen {' '.join(path[:1])}" in shown.output


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["tail", "nonsense"], 2, "unknown topic 'nonsense'; known: feeds"),
        (["tail", "alerts", "--bus", "sqlite:absent.db"], 1, "there is no such log"),
        (["tail", "alerts", "--bus", "redis://127.0.0.1:9092"], 2, "--bus: not a log this version can open"),
        (["tail", "alerts", "--bus", "kafka://127.0.0.1"], 2, "write kafka://HOST:PORT"),
        (["demo", "--bus", "kafka://127.0.0.1:0"], 2, "write kafka://HOST:PORT"),
        (["topics", "check", "--bus", "sqlite:tumen.db"], 2, "--bus: not a Kafka cluster"),
        (
            ["topics", "check", "--bus", "kafka://me:secret@127.0.0.1:9"],
            2,
            "--bus: a URL holds no credentials",
        ),
        (
            ["topics", "acls"],
            2,
            "Error: bus: not a Kafka cluster: 'sqlite:tumen.db'; write kafka://HOST:PORT",
        ),
        (["topics", "acls", "--service", "printer"], 2, "unknown service 'printer'; known: poller"),
        (["run", "--config", "absent.toml"], 2, "absent.toml: cannot be read"),
        (["poller", "--health-port", "high"], 2, "not a port"),
        (["demo", "--speed", "fast"], 2, "write max or a number above 0"),
        (["demo", "--export", "no/such/folder/day.warc.gz"], 1, "cannot be written"),
        (["feeds", "import", "absent.opml"], 2, "absent.opml: cannot be read"),
        (
            ["subscribers", "add", "me", "https://user:pass@hooks.example/x"],
            2,
            "CHANNEL: credentials in a URL",
        ),
        (["subscribers", "add", "me", "gopher://x"], 2, "CHANNEL: there is no channel gopher:"),
        (["subscribers", "add", "m e", "console:"], 2, "SUBSCRIBER: String should match"),
        (
            ["subscribers", "add", "me", "https://h.example/", "--secret-ref", "hunter2"],
            2,
            "Error: --secret-ref: write env:NAME or file:PATH, never the secret itself\n",
        ),
        (["backtest", "absent.jsonl"], 2, "absent.jsonl: cannot be read"),
        (["explain"], 2, "name a STORY_ID or give a --title"),
    ],
)
def test_what_a_user_can_cause_is_one_clear_line(
    arguments: list[str], code: int, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No traceback, the right exit code, and the reason in words."""
    monkeypatch.chdir(tmp_path)

    done = run(*arguments)

    assert done.exit_code == code, done.stderr
    assert said in done.stderr
    assert "hunter2" not in done.stderr
    assert not done.stdout


def test_options_of_live_commands_are_listed_as_they_belong_together() -> None:
    """The log, then the lists and how they are read, then the rest."""
    shown = CliRunner().invoke(main, ["poller", "--help"]).stdout
    options = [line.split()[0] for line in shown.splitlines() if line.startswith("  --")]
    assert options[:5] == ["--once", "--bus", "--feeds", "--subscribers", "--strict"]


def test_a_damaged_log_is_said_and_left_alone(tmp_path: Path) -> None:
    """A file that is no database, or another program's, is not overwritten."""
    path = tmp_path / "notes.db"
    path.write_text("these are my notes, not a database" * 100, encoding="utf-8")
    before = path.read_bytes()

    done = run("classifier", "--once", "--bus", f"sqlite:{path}")

    assert done.exit_code == 1
    assert "notes.db" in done.stderr
    assert path.read_bytes() == before


def test_lists_go_in_by_line_and_come_out_again(tmp_path: Path) -> None:
    """What is wrong is said with file and line, the good feeds are taken, and export gives them back."""
    feeds = tmp_path / "feeds.toml"
    feeds.write_text(
        '[[feeds]]\nxmlUrl = "https://one.example/rss"\ntitle = "One"\n\n'
        '[[feeds]]\nxmlUrl = "ftp://two.example/rss"\ntitle = "Two"\n\n'
        '[[feeds]]\nxmlUrl = "https://one.example/rss"\ntitle = "Again"\n',
        encoding="utf-8",
    )
    bus = f"sqlite:{tmp_path}/log.db"

    taken = run("feeds", "import", str(feeds), "--bus", bus)
    listed = run("feeds", "list", "--bus", bus)
    exported = run("feeds", "export", "--bus", bus)

    assert taken.exit_code == 0
    assert "feeds.toml:5: " in taken.stderr
    assert "feeds.toml:9: " in taken.stderr
    assert [json.loads(line)["url"] for line in listed.stdout.splitlines()] == ["https://one.example/rss"]
    assert 'xmlUrl="https://one.example/rss"' in exported.stdout
    assert run("feeds", "import", str(feeds), "--bus", bus, "--strict").exit_code == 1


def test_a_closed_pipe_is_no_error(tmp_path: Path) -> None:
    """``tumen … | head`` ends quietly."""
    command = f"{sys.executable} -m services classify - < items.jsonl | head -1"
    (tmp_path / "items.jsonl").write_text('{"title": "Nothing of note"}\n' * 20_000, encoding="utf-8")

    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        timeout=60,
    )

    assert done.returncode == 0
    assert "Traceback" not in done.stderr
    assert len(done.stdout.splitlines()) == 1


def test_backtest_says_what_a_stream_would_have_led_to(tmp_path: Path) -> None:
    """Alerts on stdout, the count on stderr, a bad line named and the rest played."""
    items = [
        {
            "title": "North Korea ships artillery shells to Russia, Seoul says",
            "url": "https://a.example/1",
            "published": "2026-05-12T03:00:00+00:00",
        },
        {"title": "Lime trees planted along the canal", "url": "https://b.example/2"},
    ]
    stream = tmp_path / "stream.jsonl"
    stream.write_text("\n".join(map(json.dumps, items)) + "\nnot json\n", encoding="utf-8")

    done = run("backtest", str(stream))

    assert done.exit_code == 1
    assert "stream.jsonl:3: not an item" in done.stderr
    assert "2 items, 1 flagged, 1 storyline, 1 alert" in done.stderr
    assert json.loads(done.stdout)["created_at"] == "2026-05-12T03:00:00.000Z"
