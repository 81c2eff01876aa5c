"""Lists on the command line: what an import changed, and what is refused before anything is written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from services.cli.main import main

ONE = '[[feeds]]\nxmlUrl = "https://one.example/rss"\ntitle = "One"\n'
TWO = '[[feeds]]\nxmlUrl = "https://two.example/rss"\ntitle = "Two"\n'
DESK = '[[subscribers]]\nid = "desk"\nchannel = "console:"\n'
NEWSROOM = '[[subscribers]]\nid = "newsroom"\nchannel = "https://hooks.example/x"\n'


class Log:
    """A log in a folder, and the commands on it."""

    def __init__(self, folder: Path, group: str) -> None:
        """Take where, and which list."""
        self._folder = folder
        self._group = group

    def bring(self, text: str, *options: str) -> Result:
        """Import a list."""
        (self._folder / "list.toml").write_text(text, encoding="utf-8")
        return self._run("import", str(self._folder / "list.toml"), *options)

    def ids(self) -> list[str]:
        """Return what is on the log."""
        return [json.loads(line)["id"] for line in self._run("list").stdout.splitlines()]

    def said(self, result: Result) -> list[str]:
        """Return the lines of an import without the folder, and without the log that other tests may have turned on."""
        lines = result.stderr.replace(f"{self._folder}/", "").splitlines()
        return [line for line in lines if f"{self._group}.imported" not in line]

    def _run(self, *arguments: str) -> Result:
        bus = f"sqlite:{self._folder}/log.db"
        return CliRunner(catch_exceptions=False).invoke(main, [self._group, *arguments, "--bus", bus])


@pytest.fixture(params=["feeds", "subscribers"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Log:
    """Return a log for each kind of list."""
    return Log(tmp_path, request.param)


@pytest.mark.parametrize(
    ("log", "one", "two", "other"),
    [
        ("feeds", ONE, TWO, ONE.replace("One", "Won")),
        ("subscribers", DESK, NEWSROOM, DESK.replace("console:", "https://desk.example/")),
    ],
    indirect=["log"],
)
def test_an_import_says_what_it_changed(log: Log, one: str, two: str, other: str) -> None:
    """Added, changed, removed and unchanged are counted; only --replace removes."""
    both = log.said(log.bring(one + two))
    assert [line.partition(": ")[2] for line in both] == [
        f"2 {log._group}: 2 added, 0 changed, 0 removed, 0 unchanged"
    ]
    kind = log._group.removesuffix("s")
    assert log.said(log.bring(other)) == [f"list.toml: 1 {kind}: 0 added, 1 changed, 0 removed, 0 unchanged"]
    assert log.said(log.bring(other, "--replace")) == [
        f"list.toml: 1 {kind}: 0 added, 0 changed, 1 removed, 1 unchanged"
    ]
    assert len(log.ids()) == 1


@pytest.mark.parametrize(("log", "one"), [("feeds", ONE), ("subscribers", DESK)], indirect=["log"])
@pytest.mark.parametrize("options", [(), ("--replace",)])
def test_an_empty_list_removes_nobody(log: Log, one: str, options: tuple[str, ...]) -> None:
    """A file that was cut off, or of another kind, must not end everything silently."""
    log.bring(one)
    for text in ("", "# nothing\n", one.replace("https:", "gopher:").replace("console:", "x")):
        done = log.bring(text, *options)
        assert done.exit_code == 1
        assert log.said(done)[0].startswith("list.toml:")
        assert len(log.ids()) == 1


@pytest.mark.parametrize(
    ("fault", "line"),
    [
        (
            'channel = "gopher://x"',
            "list.toml:7: channel: there is no channel gopher: (write console: or https://…)",
        ),
        (
            'channel = "console:"\nsecret = "hunter2"',
            "list.toml:8: secret: a secret never stands in a list; write secret_ref = env:NAME or file:PATH",
        ),
        (
            'channel = "https://me:hunter2@hooks.example/"',
            "list.toml:7: channel: credentials in a URL are refused; write {secret} and secret_ref",
        ),
    ],
)
@pytest.mark.parametrize("options", [(), ("--replace",), ("--strict",)])
@pytest.mark.parametrize("log", ["subscribers"], indirect=True)
def test_a_list_with_a_secret_or_an_unknown_channel_is_not_imported(
    log: Log, fault: str, line: str, options: tuple[str, ...]
) -> None:
    """One line with file, line and what; nobody of the list is on the log, and nobody has left it."""
    log.bring(NEWSROOM)
    done = log.bring(f'{DESK}\n[[subscribers]]\nid = "x"\n{fault}\n', *options)
    assert done.exit_code == 1
    assert log.said(done)[0] == f"{line}; nothing imported"
    assert log.said(done)[1:] == (["nothing imported (--strict)"] if options == ("--strict",) else [])
    assert "hunter2" not in done.output
    assert log.ids() == ["newsroom"]


@pytest.mark.parametrize(
    ("log", "faulty"),
    [("feeds", f'{ONE}trust = "Z"\n'), ("subscribers", f'{DESK}digest = "hourly"\n')],
    indirect=["log"],
)
def test_strict_imports_nothing_of_a_faulty_list(log: Log, faulty: str) -> None:
    """Without it the entry is taken and the fault counted."""
    done = log.bring(faulty, "--strict")
    assert (done.exit_code, log.said(done)[1:]) == (1, ["nothing imported (--strict)"])
    assert log.ids() == []
    done = log.bring(faulty)
    assert done.exit_code == 0
    assert log.said(done)[1].endswith(": 1 added, 0 changed, 0 removed, 0 unchanged; 1 problem")


@pytest.mark.parametrize("log", ["subscribers"], indirect=True)
def test_one_subscriber_is_added_and_changed(log: Log) -> None:
    """The same words as for a list."""
    added = log._run("add", "desk", "https://hooks.example/{secret}", "--secret-ref", "env:HOOK")
    assert (added.exit_code, log.said(added)) == (
        0,
        ["desk: 1 subscriber: 1 added, 0 changed, 0 removed, 0 unchanged"],
    )
    changed = log._run("add", "desk", "console:", "--severity-min", "4")
    assert log.said(changed) == ["desk: 1 subscriber: 0 added, 1 changed, 0 removed, 0 unchanged"]
    assert log.ids() == ["desk"]


@pytest.mark.parametrize("log", ["feeds"], indirect=True)
def test_a_list_without_a_good_feed_says_both(log: Log) -> None:
    """What is wrong with the feeds that it has, and that none of them was taken."""
    done = log.bring('[[feeds]]\nxmlUrl = "ftp://one.example/feed"\n')
    assert done.exit_code == 1
    assert log.said(done)[0].startswith("list.toml:1: xmlUrl: ")
    assert log.said(done)[1:] == ["list.toml: no good feeds in this file; nothing imported"]
