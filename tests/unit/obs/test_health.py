"""Probes: live, ready with named reasons, metrics; a busy port is no obstacle."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import aiohttp
import pytest

from services.obs.health import Check, Health, read_port
from services.obs.listen import CannotListen, Listener, listen
from services.obs.metrics import Metrics


@asynccontextmanager
async def served(
    checks: Mapping[str, Check] | None = None,
) -> AsyncIterator[tuple[str, aiohttp.ClientSession]]:
    """Run a health server on any port; yield its address and a client."""
    health = Health(Metrics(), checks)
    listener = await health.start("127.0.0.1", 0)
    try:
        async with aiohttp.ClientSession() as client:
            yield listener.url, client
    finally:
        await health.close()


async def test_live_is_200_while_the_loop_runs() -> None:
    """Liveness asks nothing of anybody."""
    async with served({"bus": lambda: "unreachable"}) as (url, client), client.get(f"{url}/live") as answer:
        assert answer.status == 200


async def test_ready_names_what_is_missing() -> None:
    """503 while any check gives a reason; a check that breaks is a reason, too; 200 when all are well."""
    reasons: dict[str, str | None] = {"bus": "unreachable", "lanes": None}
    checks: dict[str, Check] = {
        "bus": lambda: reasons["bus"],
        "lanes": lambda: reasons["lanes"],
        "broken": lambda: reasons["broken"],
    }
    async with served(checks) as (url, client):
        async with client.get(f"{url}/ready") as answer:
            assert answer.status == 503
            assert await answer.json() == {
                "ready": False,
                "missing": {"bus": "unreachable", "broken": "check failed: KeyError"},
            }
        reasons |= {"bus": None, "broken": None}
        async with client.get(f"{url}/ready") as answer:
            assert (answer.status, await answer.json()) == (200, {"ready": True, "missing": {}})


async def test_metrics_are_exposed() -> None:
    """Prometheus finds the table."""
    async with served() as (url, client), client.get(f"{url}/metrics") as answer:
        assert answer.status == 200
        assert "tumen_build_info" in await answer.text()


async def test_a_busy_port_leads_to_the_next_free_one() -> None:
    """The listener says what was wanted and what it got."""
    first = listen("127.0.0.1", 0)
    second = listen("127.0.0.1", first.port)
    try:
        assert (second.wanted, second.moved) == (first.port, True)
        assert first.port < second.port <= first.port + 20
        assert not first.moved
    finally:
        first.socket.close()
        second.socket.close()


def test_no_free_port_is_one_clear_line() -> None:
    """The end of the port range ends the search."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):
            stack.enter_context(listen("127.0.0.1", 65_535).socket)
        with pytest.raises(CannotListen, match=r"no free port on 127\.0\.0\.1 from 65535 to 65535"):
            listen("127.0.0.1", 65_535)


async def test_the_server_closes_within_a_second() -> None:
    """An idle keep-alive connection does not hold up the stop."""
    health = Health(Metrics())
    listener = await health.start("127.0.0.1", 0)
    async with aiohttp.ClientSession() as client, client.get(f"{listener.url}/live") as answer:
        await answer.read()
        async with asyncio.timeout(1):
            await health.close()
        with pytest.raises(aiohttp.ClientConnectionError):
            await client.get(f"{listener.url}/live")


@pytest.mark.parametrize(("text", "port"), [("off", None), ("0", 0), ("9642", 9642)])
def test_health_port_words(text: str, port: int | None) -> None:
    """What ``--health-port`` takes: off, 0 for any, or a port."""
    assert read_port(text) == port


@pytest.mark.parametrize("text", ["", "on", "-1", "65536", "९"])
def test_other_words_are_refused(text: str) -> None:
    """One clear line."""
    with pytest.raises(ValueError, match="not a port"):
        read_port(text)


def test_urls_for_a_browser() -> None:
    """A wildcard address is shown as loopback; IPv6 gets its brackets."""
    with_v4 = listen("0.0.0.0", 0)
    with_v4.socket.close()
    assert with_v4.url == f"http://127.0.0.1:{with_v4.port}"
    assert Listener(with_v4.socket, "::1", 80, 80).url == "http://[::1]:80"
