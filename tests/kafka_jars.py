"""Apache Kafka as jars: Maven fetches what deploy/kafka/pom.xml pins, once, into a cache outside the repository.

A half-fetched cache never has the cache's name, and of two processes the second waits for the first.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from xml.etree import ElementTree as ET

POM = Path(__file__).parents[1] / "deploy" / "kafka" / "pom.xml"
FETCH_S_MAX = 240
TURN_S_MAX = 300
"""Somebody else's fetch, and a little."""
LOOK_S = 0.1
POM_DIGITS = 8
SAID_MAX = 500


class FetchError(Exception):
    """The jars could not be fetched; the message has what Maven said."""


def version(pom: Path = POM) -> str:
    """Return the version of Kafka that the POM pins."""
    found = ET.parse(pom).find("{*}properties/{*}kafka.version")
    assert found is not None
    assert found.text
    return found.text


def cache(pom: Path = POM) -> Path:
    """Return where the jars are kept: one folder for each content of the POM."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"  # noqa: TID251 - no setting of the product's
    content = hashlib.sha256(pom.read_bytes()).hexdigest()[:POM_DIGITS]
    return Path(root) / "tumen" / f"kafka-{version(pom)}-{content}"


def maven(pom: Path, folder: Path) -> list[str]:
    """Return the command that fetches; `-C` makes a wrong checksum an error instead of a warning."""
    goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={folder}"]
    return ["mvn", "--quiet", "--batch-mode", "--strict-checksums", "--file", str(pom), *goal]


def fetched(folder: Path, command: Sequence[str] | None = None) -> Path:
    """Return the folder of jars; the first time, have them fetched into it: all of them or none."""
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _turn(folder.with_name(f"{folder.name}.lock")):
        if not folder.is_dir():
            _fetch(folder, command)
    return folder


@contextmanager
def _turn(lock: Path) -> Iterator[None]:
    """Let one process fetch at a time; the system takes the lock from one that dies."""
    with lock.open("w") as held:
        for _ in range(int(TURN_S_MAX / LOOK_S)):
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                Event().wait(LOOK_S)
            else:
                yield
                return
    message = f"another process has been fetching for {TURN_S_MAX} s: {lock}"
    raise FetchError(message)


def _fetch(folder: Path, command: Sequence[str] | None) -> None:
    for left in folder.parent.glob(f"{folder.name}.part-*"):  # of a process that was killed: the lock is ours
        shutil.rmtree(left, ignore_errors=True)
    part = Path(tempfile.mkdtemp(prefix=f"{folder.name}.part-", dir=folder.parent))
    try:
        done = subprocess.run(
            [*command, str(part)] if command else maven(POM, part),
            capture_output=True, text=True, timeout=FETCH_S_MAX, check=False,
        )  # fmt: skip
        if done.returncode:
            raise FetchError((done.stdout + done.stderr).strip()[-SAID_MAX:])
        part.rename(folder)
    except subprocess.TimeoutExpired as error:
        message = f"Maven was not done within {FETCH_S_MAX} s"
        raise FetchError(message) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
