"""Live processes: from a feed on a real server to a webhook, alone or together, stopped and killed."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from services.bootstrap import open_bus
from services.bootstrap.live import LiveOptions, run_live
from services.bus.codec import encode
from services.bus.topics import STORIES
from services.cli.main import main
from services.settings import Settings
from tests.builders import a_story
from tests.live import ARMS_TITLE, PLAIN_TITLE, newsroom, none_left, tumen, until

STOP_S_MAX = 5.0
SERVICES = ("poller", "classifier", "correlator", "alerter")


async def test_a_story_reaches_a_subscriber_once_and_the_process_stops_when_told(tmp_path: Path) -> None:
    """`tumen run`: what a feed held at first sight is filed, what it adds is told, SIGTERM ends it in seconds."""
    async with newsroom() as room:
        room.publish("harbour", "Kim sends 152mm shells to Russia, an older story")
        process = await tumen(
            "run",
            "--bus",
            f"sqlite:{tmp_path}/live.db",
            "--feeds",
            str(room.list_of(["harbour", "canal"], tmp_path)),
            "--subscribers",
            str(room.subscribers(tmp_path)),
            "--health-port",
            "0",
        )
        async with none_left(process):
            await until(lambda: {name for name, _ in room.requests} == {"harbour", "canal"})
            room.publish("canal", PLAIN_TITLE)
            room.publish("harbour", ARMS_TITLE)
            await until(lambda: len(room.received) == 1)
            begun = time.monotonic()
            process.send_signal(signal.SIGTERM)
            _, logged = await asyncio.wait_for(process.communicate(), STOP_S_MAX)

    assert process.returncode == 0, logged.decode()
    assert time.monotonic() - begun < STOP_S_MAX
    headers, body = room.received[0]
    told = json.loads(body)
    assert told["type"] == "alert.opened"
    assert ARMS_TITLE in told["data"]["title"]
    assert headers["webhook-id"]
    assert len(room.received) == 1
    conditional = [seen for name, seen in room.requests if name == "harbour" and "If-None-Match" in seen]
    assert conditional, "the second poll of a feed is conditional"


@pytest.mark.chaos
async def test_services_alone_make_the_same_pipeline(tmp_path: Path) -> None:
    """Each service as its own process on one database; each stops within five seconds.

    In the quick suite the other tests hold its parts: a story told once, a service alone, processes on one database.
    """
    async with newsroom() as room:
        feeds, subscribers = room.list_of(["harbour"], tmp_path), room.subscribers(tmp_path)
        bus = f"sqlite:{tmp_path}/shared.db"
        lists = ("--feeds", str(feeds), "--subscribers", str(subscribers))
        processes = [await tumen(name, "--bus", bus, "--health-port", "off", *lists) for name in SERVICES]
        async with none_left(*processes):
            await until(lambda: bool(room.requests))
            room.publish("harbour", ARMS_TITLE)
            await until(lambda: len(room.received) == 1)
            for process in processes:
                process.send_signal(signal.SIGTERM)
            ends = [await asyncio.wait_for(process.communicate(), STOP_S_MAX) for process in processes]

    assert [process.returncode for process in processes] == [0] * len(SERVICES), ends
    assert len(room.received) == 1


async def test_once_does_what_is_due_and_ends(tmp_path: Path) -> None:
    """`--once` runs each service to the end of its work; failing feeds are no failure of the poller."""
    async with newsroom() as room:
        room.publish("harbour", ARMS_TITLE)
        room.publish("harbour", PLAIN_TITLE)
        feeds = room.list_of(["harbour"], tmp_path)
        feeds.write_text(
            feeds.read_text() + '[[feeds]]\nxmlUrl = "http://127.0.0.1:9/closed"\ntitle = "Closed"\n'
        )
        bus = f"sqlite:{tmp_path}/once.db"
        process = await tumen("poller", "--once", "--bus", bus, "--feeds", str(feeds))
        async with none_left(process):
            _, logged = await asyncio.wait_for(process.communicate(), 30)
        assert process.returncode == 0, logged.decode()
    for name in SERVICES[1:]:
        await asyncio.wait_for(run_live(Settings(bus=bus), LiveOptions((name,), once=True), print), 30)
    printed = await asyncio.to_thread(CliRunner().invoke, main, ["tail", "verdicts", "--bus", bus])

    verdict = json.loads(printed.stdout)
    assert verdict["flagged"]
    assert verdict["story"]["arrival"] == "backfill"


def test_every_verdict_is_published_where_it_is_asked_for(tmp_path: Path) -> None:
    """`--publish-all`: a story that says nothing has its line, too; without it, it has none."""
    counts = []
    for name, options in (("all", ["--publish-all"]), ("telling", [])):
        bus = f"sqlite:{tmp_path}/{name}.db"
        asyncio.run(_append_plain(bus))
        done = CliRunner().invoke(main, ["classifier", "--once", "--bus", bus, *options])
        assert done.exit_code == 0, done.output
        printed = CliRunner().invoke(main, ["tail", "verdicts", "--bus", bus])
        counts.append(len(printed.stdout.splitlines()))
    assert counts == [1, 0]


async def _append_plain(url: str) -> None:
    story = a_story(title=PLAIN_TITLE, summary="", text=None)
    message = encode(STORIES, story, partition=0, key=story.id, source="test", at=story.fetched_at)
    async with open_bus(url) as bus:
        await bus.append([message])
