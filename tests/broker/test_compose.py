"""What docker-compose.yml runs, run without an engine: its broker's settings, jobs and services, on real Kafka."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from services.bootstrap.parts import SERVICES
from services.obs.probe import fault
from tests.kafka_broker import NoKafkaError, free_ports, running
from tests.live import ARMS_TITLE, PLAIN_TITLE, newsroom, tumen, until

pytestmark = pytest.mark.broker

CONTAINERS: dict[str, Any] = YAML(typ="safe").load(Path(__file__).parents[2] / "docker-compose.yml")[
    "services"
]
OWN = ("KAFKA_LISTENERS", "KAFKA_ADVERTISED_LISTENERS", "KAFKA_CONTROLLER_QUORUM_VOTERS", "KAFKA_LOG_DIRS")
"""Addresses and folders are the test's."""
NOT_PROPERTIES = ("KAFKA_HEAP_OPTS",)
JOBS = ("topics", "feeds", "subscribers")
HEALTHY_S_MAX = 40.0
TOLD_S_MAX = 40.0
STOPPED_S_MAX = 10.0


def properties() -> str:
    """Return the broker's settings as the image makes them: KAFKA_LOG_DIRS is log.dirs."""
    given = CONTAINERS["kafka"]["environment"].items()
    return "\n".join(
        f"{name.removeprefix('KAFKA_').lower().replace('_', '.')}={value}"
        for name, value in given
        if name.startswith("KAFKA_") and name not in (*OWN, *NOT_PROPERTIES)
    )


def environment(name: str, address: str) -> dict[str, str]:
    """Return a container's settings, on loopback and on the test's broker."""
    given: dict[str, str] = CONTAINERS[name]["environment"]
    local = {
        key: "127.0.0.1" if key.endswith("__BIND") else value
        for key, value in given.items()
        if not key.endswith("__USER_AGENT")
    }
    return {**local, "TUMEN_BUS": f"kafka://{address}"}


async def work(name: str, address: str, lists: dict[str, Path]) -> None:
    """Run a job to its end."""
    command = [str(lists.get(word, word)) for word in CONTAINERS[name]["command"]]
    job = await tumen(*command, environment=environment(name, address))
    _, said = await job.communicate()
    assert job.returncode == 0, said.decode()


@pytest.mark.timeout(240)
async def test_jobs_and_services_of_the_compose_file_tell_of_a_story(tmp_path: Path) -> None:
    """Jobs run twice and are done; services become healthy and ready, tell an alert once, and end when told to."""
    async with AsyncExitStack() as stack:
        try:
            broker = stack.enter_context(running(properties()))
        except NoKafkaError as error:
            pytest.skip(str(error))
        room = await stack.enter_async_context(newsroom())
        room.publish("harbour", PLAIN_TITLE)
        lists = {
            "/etc/tumen/feeds": room.list_of(["harbour"], tmp_path),
            "/etc/tumen/subscribers": Path(__file__).parents[2] / "deploy" / "subscribers.toml",
        }
        for job in JOBS:
            await work(job, broker.address, lists)
        await asyncio.gather(*(work(job, broker.address, lists) for job in JOBS))

        ports = dict(zip(SERVICES, free_ports(len(SERVICES)), strict=True))
        started: dict[str, asyncio.subprocess.Process] = {}
        for name in SERVICES:
            command = [str(ports[name]) if word == "9642" else word for word in CONTAINERS[name]["command"]]
            process = await tumen(*command, environment=environment(name, broker.address))
            started[name] = process
            stack.callback(lambda left: left.kill() if left.returncode is None else None, process)
        for name, port in ports.items():
            for probe in ("live", "ready"):
                await healthy(f"http://127.0.0.1:{port}/{probe}", started[name])

        await until(lambda: len(room.requests) > 1, HEALTHY_S_MAX)
        room.publish("harbour", ARMS_TITLE)
        told = started["alerter"].stdout
        assert told
        alert = json.loads(await asyncio.wait_for(told.readline(), TOLD_S_MAX))
        for process in started.values():
            process.terminate()
        async with asyncio.timeout(STOPPED_S_MAX):
            rest = {name: await process.communicate() for name, process in started.items()}

    assert ARMS_TITLE in alert["title"]
    assert rest["alerter"][0] == b"", "told once"
    assert {name: process.returncode for name, process in started.items()} == dict.fromkeys(SERVICES, 0), rest


async def healthy(url: str, process: asyncio.subprocess.Process) -> None:
    """Ask a probe until it says yes; a process that ended never will."""
    never = asyncio.get_running_loop().create_future()
    async with asyncio.timeout(HEALTHY_S_MAX):
        while (what := await asyncio.to_thread(fault, url)) is not None:
            assert process.returncode is None, f"{url}: {what}"
            await asyncio.wait({never}, timeout=0.2)
