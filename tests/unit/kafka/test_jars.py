"""The cache of jars: whole or not there, whoever is killed and however many come at once."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kafka_jars import FetchError, cache, fetched, maven, version

ROOT = Path(__file__).parents[3]
WHOLE = ("a.jar", "b.jar")
SLOW = """
import pathlib, sys
folder = pathlib.Path(sys.argv[-1])
(folder / "a.jar").write_text("a")
print("half", flush=True) if len(sys.argv) > 2 else None
sys.stdin.read() if len(sys.argv) > 2 else None
(folder / "b.jar").write_text("b")
with (folder.parent / "fetches").open("a") as fetches:
    fetches.write("1")
"""
CALLER = """
import pathlib, sys
from tests.kafka_jars import fetched
fetched(pathlib.Path(sys.argv[1]), sys.argv[2:])
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return where the jars will be."""
    return tmp_path / "tumen" / "kafka-1.2.3"


def script(tmp_path: Path) -> list[str]:
    """Return a command that fetches two jars."""
    path = tmp_path / "fetch.py"
    path.write_text(SLOW)
    return [sys.executable, str(path)]


def names(folder: Path) -> tuple[str, ...]:
    """Return what is in a folder."""
    return tuple(sorted(path.name for path in folder.iterdir()))


def test_the_jars_are_fetched_once(tmp_path: Path, folder: Path) -> None:
    """The second time nothing is run."""
    assert fetched(folder, script(tmp_path)) == folder
    assert names(folder) == WHOLE
    assert fetched(folder, ["false"]) == folder


def test_a_fetch_that_fails_leaves_nothing_and_says_why(folder: Path) -> None:
    """The message is the end of what the command said."""
    with pytest.raises(FetchError, match="checksum of x is wrong"):
        fetched(folder, ["sh", "-c", "echo checksum of x is wrong >&2; exit 1"])
    assert names(folder.parent) == ("kafka-1.2.3.lock",)


def test_processes_at_once_fetch_once(tmp_path: Path, folder: Path) -> None:
    """Whoever comes second waits for the first and finds everything."""
    command = [sys.executable, "-c", CALLER, str(folder), *script(tmp_path)]
    callers = [subprocess.Popen(command, cwd=ROOT) for _ in range(4)]
    assert [caller.wait(60) for caller in callers] == [0, 0, 0, 0]
    assert names(folder) == WHOLE
    assert (folder.parent / "fetches").read_text() == "1"


def test_a_fetch_killed_half_way_leaves_no_cache(tmp_path: Path, folder: Path) -> None:
    """After kill -9 the next process fetches everything anew, and clears what was left."""
    command = [sys.executable, "-c", CALLER, str(folder), *script(tmp_path), "wait"]
    caller = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE)
    while not list(folder.parent.glob("*.part-*/a.jar")):
        assert caller.poll() is None
    caller.send_signal(signal.SIGKILL)
    caller.wait()
    assert caller.stdin
    caller.stdin.close()
    assert not folder.exists()
    assert names(fetched(folder, script(tmp_path))) == WHOLE
    assert not list(folder.parent.glob("*.part-*"))


def test_maven_is_told_to_refuse_wrong_checksums(folder: Path) -> None:
    """Without the option a wrong checksum is a warning that nobody reads."""
    command = maven(Path("pom.xml"), folder)
    assert "--strict-checksums" in command
    assert f"-DoutputDirectory={folder}" in command


def test_the_cache_is_outside_the_repository_and_belongs_to_the_pom(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A POM that pins something else has a cache of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache().parent == tmp_path / "tumen"
    assert cache().name.startswith(f"kafka-{version()}-")
    other = tmp_path / "pom.xml"
    other.write_text((ROOT / "deploy" / "kafka" / "pom.xml").read_text() + "\n")
    assert cache(other) != cache()
