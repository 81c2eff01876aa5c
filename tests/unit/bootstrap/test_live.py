"""Live processes, in parts: ports, lists, and what a service under observation says of itself."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from io import StringIO
from typing import TYPE_CHECKING

import pytest

from schemas import Feed
from services.bootstrap.imports import import_settings_lists
from services.bootstrap.live import health_port
from services.bootstrap.observed import Observed
from services.bootstrap.opening import open_bus, warn_of_partitions
from services.bootstrap.parts import SERVICES, poller_settings
from services.bootstrap.reading import latest
from services.bus.loop import Progress
from services.bus.ports import BusUnavailable
from services.bus.topics import FEEDS
from services.clock import SystemClock
from services.obs.metrics import Metrics
from services.poller.model import PollerSettings
from services.settings import PollerSection, Settings, SettingsError

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 5, 12, tzinfo=UTC)
LIST = '[[feeds]]\nxmlUrl = "https://good.example/feed"\n\n[[feeds]]\nxmlUrl = "ftp://bad.example/"\n'


def test_services_alone_take_ports_of_their_own() -> None:
    """9642 + n; all in one process: the first; 0 is any port for each of them."""
    assert [health_port(9642, [name]) for name in SERVICES] == [9642, 9643, 9644, 9645, 9646]
    assert health_port(9642, SERVICES) == 9642
    assert {health_port(0, [name]) for name in SERVICES} == {0}


def test_a_process_imports_no_service_that_it_does_not_host() -> None:
    """A container starts with its own service's code; what the others and the other log need is not read."""
    unwanted = {
        "services.poller.loop",
        "services.classifier.classify",
        "services.correlator.stage",
        "services.alerter.loop",
        "services.desk.service",
        "apsw",
        "aiokafka",
    }
    program = "import sys, services.bootstrap.live; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not unwanted & set(done.stdout.split())


@pytest.mark.parametrize("strict", [True, False])
async def test_a_faulty_list_is_imported_for_its_good_entries_unless_strict(
    tmp_path: Path, strict: bool
) -> None:
    """Strict says file and line and has written nothing."""
    path = tmp_path / "feeds.toml"
    path.write_text(LIST, encoding="utf-8")
    settings = Settings(feeds=str(path))
    async with open_bus("sqlite::memory:") as bus:
        if strict:
            with pytest.raises(SettingsError, match=r"feeds\.toml:4: xmlUrl: scheme 'ftp'"):
                await import_settings_lists(bus, settings, NOW, strict=True)
        else:
            await import_settings_lists(bus, settings, NOW, strict=False)
        urls = [feed.url async for feed in latest(bus, FEEDS, Feed)]
    assert urls == ([] if strict else ["https://good.example/feed"])


async def test_on_kafka_a_service_leaves_the_lists_alone_and_names_the_command(logged: StringIO) -> None:
    """An old replica with an old list rolls nothing back: it does not even read the files."""
    settings = Settings(bus="kafka://broker.example:9092", feeds="old.opml", subscribers="old.toml")
    async with open_bus("sqlite::memory:") as bus:
        await import_settings_lists(bus, settings, NOW, strict=True)
        assert [feed async for feed in latest(bus, FEEDS, Feed)] == []
    lines = [json.loads(line) for line in logged.getvalue().splitlines()]
    assert [(line["event"], line["level"], line["run"]) for line in lines] == [
        ("list.not_imported", "warning", "tumen feeds import old.opml"),
        ("list.not_imported", "warning", "tumen subscribers import old.toml"),
    ]


async def test_other_partitions_than_the_settings_say_are_one_warning(logged: StringIO) -> None:
    """An operator who counts on sixteen pollers learns at the start that there is work for eight."""
    kafka = {"topic_prefix": "news", "partitions": 16}
    async with open_bus("sqlite::memory:") as bus:
        for url, partitions in (("sqlite::memory:", 16), ("kafka://a:9092", 8), ("kafka://a:9092", 16)):
            settings = Settings.model_validate({"bus": url, "kafka": kafka | {"partitions": partitions}})
            await warn_of_partitions(bus, settings)
    (line,) = [json.loads(line) for line in logged.getvalue().splitlines()]
    assert (line["event"], line["level"]) == ("topic.partitions_differ", "warning")
    assert (line["have"], line["want"]) == (8, 16)
    assert line["topic"].startswith("news.feeds.v1, news.feed-state.v1, ")
    assert "news.verdicts.v1" not in line["topic"]


def test_the_poller_starts_from_the_defaults_that_the_settings_name() -> None:
    """Demo and tests make PollerSettings by themselves: both tables of defaults are one."""
    assert poller_settings(PollerSection()) == PollerSettings()


class Failing:
    """A service whose drain fails."""

    name = "alerter"

    def __init__(self, error: Exception) -> None:
        """Take the error."""
        self._error = error

    async def drain(self, now: datetime) -> Progress:
        """Fail."""
        raise self._error

    def next_wakeup(self) -> datetime | None:
        """No timers."""
        return None

    async def wait(self, timeout_s: float) -> None:
        """Do not wait."""

    async def close(self) -> None:
        """Hold nothing."""


@pytest.mark.parametrize(
    ("error", "events"),
    [
        (BusUnavailable("locked"), []),
        (BrokenPipeError(), []),
        (ValueError("a bug"), ["service.failed"]),
    ],
)
async def test_only_what_ends_a_service_is_called_its_failure(
    error: Exception, events: list[str], logged: StringIO
) -> None:
    """A log that is waited for and a closed pipe are no failures."""
    with pytest.raises(type(error)):
        await Observed(Failing(error), SystemClock(), Metrics()).drain(NOW)
    assert [json.loads(line)["event"] for line in logged.getvalue().splitlines()] == events
