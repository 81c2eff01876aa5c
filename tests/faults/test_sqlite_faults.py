"""A disk that is full, a file that is not ours, a lock that is not given back: one clear line, nothing lost."""

from __future__ import annotations

import itertools
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from services.bus.ports import BusDamaged, BusError, BusUnavailable, Message
from services.bus.sqlite import SqliteBus, schema
from services.bus.topics import STORIES, VERDICTS
from tests.bus_process import finish, heard, start, tell

VALUE = b"x" * 2_000


def stories(count: int, start_at: int = 0) -> list[Message]:
    """Return stories of 2 KB."""
    return [Message(STORIES.name, 0, str(n), VALUE) for n in range(start_at, start_at + count)]


async def make(path: Path, count: int = 10) -> None:
    """Make a log with a few stories."""
    bus = await SqliteBus.open(str(path))
    await bus.append(stories(count))
    await bus.close()


async def problem(path: Path) -> BusError:
    """Return what opening and reading a log complains of."""
    try:
        bus = await SqliteBus.open(str(path), busy_s=0.2)
    except BusError as error:
        return error
    try:
        async for _ in bus.read(STORIES.name):
            pass
    except BusError as error:
        return error
    finally:
        await bus.close()
    pytest.fail("nothing to complain of")


async def test_a_full_disk_takes_nothing_of_a_transaction(tmp_path: Path) -> None:
    """Outputs and offset stay as they were, the line says what to do, and with room again it goes on."""
    path = tmp_path / "bus.db"
    await make(path, 100)
    bus = await SqliteBus.open(str(path))
    connection = bus._engine.store.connection
    lane = (await (await bus.join("g", [STORIES.name])).lanes())[0]
    batch = await lane.poll()
    await bus._engine.run(lambda: connection.pragma("max_page_count", connection.pragma("page_count") + 3))
    for _ in range(2):
        with pytest.raises(BusUnavailable, match="the disk is full: free some space"):
            async with lane.transaction(batch) as outbox:
                outbox.send_all(Message(VERDICTS.name, 0, r.key, r.value) for r in batch.records)
    assert [record async for record in bus.read(VERDICTS.name)] == []
    assert await lane.poll() == batch
    await bus._engine.run(lambda: connection.pragma("max_page_count", 100_000))
    async with lane.transaction(batch) as outbox:
        outbox.send_all(Message(VERDICTS.name, 0, r.key, r.value) for r in batch.records)
    assert (await bus.ends(VERDICTS.name))[0] == 100
    await bus.close()


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """Mount a file system of 2 MB; skip where that is not allowed."""
    folder = Path(tempfile.mkdtemp())
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True, check=False).returncode:
        folder.rmdir()
        pytest.skip("may not mount a small file system here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)
    folder.rmdir()


async def test_a_disk_that_runs_full_keeps_what_was_committed(small_disk: Path) -> None:
    """Appends go on until one fails; all before it are there after the next start, none of it is."""
    path = small_disk / "bus.db"
    bus = await SqliteBus.open(str(path))
    with pytest.raises(BusUnavailable, match="the disk"):
        await append_for_ever(bus)
    appended = (await bus.ends(STORIES.name))[0]
    assert appended > 0
    await bus.close()
    enlarge(small_disk)
    bus = await SqliteBus.open(str(path))
    assert [r.key async for r in bus.read(STORIES.name)] == [str(n) for n in range(appended)]
    await bus.append(stories(1))
    await bus.close()


async def append_for_ever(bus: SqliteBus) -> None:
    """Append fifty stories a time."""
    for start_at in itertools.count(step=50):
        await bus.append(stories(50, start_at))


def enlarge(disk: Path) -> None:
    """Give a small disk room."""
    subprocess.run(["mount", "-o", "remount,size=8m", str(disk)], check=True)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Make a folder that every user may enter."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o777)
    yield folder
    folder.chmod(0o777)
    shutil.rmtree(folder)


async def test_a_read_only_file_is_named(open_folder: Path) -> None:
    """Whoever may not write is told at the start which file, and what to do."""
    path = open_folder / "bus.db"
    await make(path)
    path.chmod(0o444)
    assert said_by_nobody(path) == (
        f"BusUnavailable: {path} cannot be written: make the file and its directory writable for this user, "
        "then start again"
    )


async def test_a_read_only_folder_is_named(open_folder: Path) -> None:
    """SQLite needs files beside the database; without them it is not half-opened."""
    path = open_folder / "bus.db"
    await make(path)
    for denied, mode in ((path, 0o666), (open_folder, 0o555)):
        denied.chmod(mode)
    assert said_by_nobody(path).startswith(f"BusUnavailable: {path} cannot be")
    assert said_by_nobody(open_folder / "new.db").startswith(
        f"BusUnavailable: {open_folder}/new.db cannot be"
    )


def said_by_nobody(path: Path) -> str:
    """Return what a process without privileges says of a log."""
    process = start("try-append", path)
    try:
        return heard(process)
    finally:
        finish(process)


async def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    """A path that leads nowhere, or to a folder, cannot be opened."""
    for path in (tmp_path / "none" / "bus.db", tmp_path):
        with pytest.raises(
            BusUnavailable, match="cannot be opened: it must be a file, and its directory must exist"
        ):
            await SqliteBus.open(str(path))


async def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    """Text is not a log, and it is left as it is."""
    path = tmp_path / "notes.txt"
    path.write_text("shopping list\n" * 1_000)
    error = await problem(path)
    assert isinstance(error, BusDamaged)
    assert "is not a SQLite database" in str(error)
    assert path.read_text() == "shopping list\n" * 1_000


def names(folder: Path) -> list[str]:
    """Return what is in a folder."""
    return sorted(path.name for path in folder.iterdir())


async def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    """A database with other tables is not touched."""
    path = tmp_path / "other.db"
    connection = apsw.Connection(str(path))
    connection.execute("CREATE TABLE contacts (name TEXT)")
    connection.close()
    error = await problem(path)
    assert isinstance(error, BusDamaged)
    assert "another program's" in str(error)
    assert names(tmp_path) == ["other.db"]


async def test_a_newer_database_is_refused(tmp_path: Path) -> None:
    """An old program does not write into a newer program's log."""
    path = tmp_path / "bus.db"
    await make(path)
    connection = apsw.Connection(str(path))
    connection.pragma("user_version", 99)
    connection.close()
    error = await problem(path)
    assert isinstance(error, BusDamaged)
    assert "written by a newer tumen (database version 99, this one knows 1)" in str(error)


@pytest.mark.parametrize("first_page", [0, 1, 20])
async def test_a_corrupt_database_is_refused(tmp_path: Path, first_page: int) -> None:
    """Overwritten pages are found when they are needed, and the line says what to do."""
    path = tmp_path / "bus.db"
    await make(path, 500)
    with path.open("r+b") as file:
        file.seek(first_page * schema.PAGE_BYTES + (100 if first_page == 0 else 0))
        file.write(b"\xa5" * schema.PAGE_BYTES * 60)
    error = await problem(path)
    assert isinstance(error, BusDamaged)
    assert "restore it from a backup" in str(error)


async def test_a_truncated_database_is_refused(tmp_path: Path) -> None:
    """A file whose end is missing is not read as if it were whole."""
    path = tmp_path / "bus.db"
    await make(path, 500)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)
    assert isinstance(await problem(path), BusDamaged)


def test_an_old_sqlite_is_refused() -> None:
    """Versions that can corrupt a shared database are named, with what is needed."""
    with pytest.raises(BusUnavailable, match=r"SQLite 3\.51\.2 can corrupt .* needs 3\.51\.3 or later"):
        schema.demand_sqlite("3.51.2")
    schema.demand_sqlite("3.51.3")


async def test_a_lock_held_by_a_stopped_process_is_named(tmp_path: Path) -> None:
    """It is waited for, but not for ever; once it is given back everything goes on, nothing is lost."""
    path = tmp_path / "bus.db"
    await make(path)
    holder = start("hold", path)
    try:
        assert heard(holder) == "held"
        holder.send_signal(signal.SIGSTOP)
        bus = await SqliteBus.open(str(path), busy_s=0.2)
        with pytest.raises(BusUnavailable, match=r"is locked by another process.*continue or end it"):
            await bus.append(stories(1, 10))
        assert len([record async for record in bus.read(STORIES.name)]) == 10
        holder.send_signal(signal.SIGCONT)
        tell(holder)
        assert heard(holder) == "released"
        await bus.append(stories(1, 10))
        assert (await bus.ends(STORIES.name))[0] == 11
        await bus.close()
    finally:
        finish(holder)


async def test_closing_does_not_wait_for_a_stopped_process(tmp_path: Path) -> None:
    """With the lock taken by a stopped process, a bus with members closes within its seconds."""
    path = tmp_path / "bus.db"
    bus = await SqliteBus.open(str(path))
    await bus.join("g", [STORIES.name])
    holder = start("hold", path)
    try:
        assert heard(holder) == "held"
        holder.send_signal(signal.SIGSTOP)
        await bus.close()
        with pytest.raises(BusUnavailable, match="closed"):
            await bus.append(stories(1))
    finally:
        finish(holder)
