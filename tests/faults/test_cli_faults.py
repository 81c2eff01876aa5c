"""A disk that fills up, a log of tomorrow, a lock that nobody gives back: one clear line, exit 1, nothing lost."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import pytest

from services.bootstrap import open_bus
from services.bus.topics import FEEDS

FEED = '[[feeds]]\nxmlUrl = "https://one.example/rss"\ntitle = "One"\n'


def tumen(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run tumen as its own process."""
    command = [sys.executable, "-m", "services", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def clear(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """Hold an ending: exit 1, the words, no traceback, one line beside what was said before."""
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert all(word in done.stderr.splitlines()[-1] for word in words), done.stderr


def test_a_log_of_a_newer_version_is_not_touched(tmp_path: Path) -> None:
    """An older tumen neither reads nor changes it."""
    path = tmp_path / "log.db"
    (tmp_path / "feeds.toml").write_text(FEED, encoding="utf-8")
    assert tumen("feeds", "import", f"{tmp_path}/feeds.toml", "--bus", f"sqlite:{path}").returncode == 0
    connection = apsw.Connection(str(path))
    connection.execute("pragma user_version = 9999")
    connection.close()

    clear(tumen("feeds", "list", "--bus", f"sqlite:{path}"), "log.db", "newer")


@pytest.mark.chaos
async def test_a_lock_that_nobody_gives_back_is_named(tmp_path: Path) -> None:
    """A writer that hangs inside a transaction: the others say so after a while, and what stood before stands."""
    path = tmp_path / "log.db"
    (tmp_path / "feeds.toml").write_text(FEED, encoding="utf-8")
    assert tumen("feeds", "import", f"{tmp_path}/feeds.toml", "--bus", f"sqlite:{path}").returncode == 0
    (tmp_path / "more.toml").write_text(FEED.replace("one", "two"), encoding="utf-8")
    holder = apsw.Connection(str(path))
    holder.execute("begin immediate")

    done = tumen("feeds", "import", f"{tmp_path}/more.toml", "--bus", f"sqlite:{path}")

    holder.close()
    clear(done, "log.db", "lock")
    async with open_bus(f"sqlite:{path}") as bus:
        assert len([record async for record in bus.read(FEEDS.name)]) == 1


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """Mount a disk of 2 MiB; skip where this user may not."""
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting a small disk needs root")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.chaos
def test_a_day_stopped_by_a_full_disk_goes_on_when_there_is_room(tmp_path: Path) -> None:
    """The write that did not fit is not half there; with more room the same command finishes the day as expected."""
    disk = tmp_path / "disk"
    with small_disk(disk):
        day = ("demo", "--exit", "--no-desk", "--bus", f"sqlite:{disk}/day.db")

        clear(tumen(*day), "day.db", "disk")
        subprocess.run(["mount", "-o", "remount,size=100m", str(disk)], check=True)
        assert tumen(*day).returncode == 0
