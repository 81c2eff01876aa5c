"""Real parts for tests of live processes: a feed server, a webhook receiver, and tumen as its own process."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.utils import format_datetime
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web
from aiohttp.test_utils import TestServer

from services.clock import SystemClock

if TYPE_CHECKING:
    from datetime import datetime

ARMS_TITLE = "North Korea ships artillery shells to Russia, Seoul says"
PLAIN_TITLE = "Town council plants forty lime trees along the old canal"


@dataclass
class Newsroom:
    """A feed server and webhook receiver on loopback; entries can be added while it runs."""

    entries: dict[str, list[tuple[str, datetime]]] = field(default_factory=dict)
    requests: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)
    received: list[tuple[Mapping[str, str], bytes]] = field(default_factory=list)
    hook_status: int = 200
    base: str = ""

    def publish(self, feed: str, title: str) -> None:
        """Put an entry into a feed, now."""
        self.entries.setdefault(feed, []).append((title, SystemClock().now()))

    async def feed(self, request: web.Request) -> web.Response:
        """Serve a feed with an honest ETag."""
        name = request.match_info["feed"]
        self.requests.append((name, dict(request.headers)))
        entries = self.entries.get(name, [])
        tag = f'"{name}-{len(entries)}"'
        if request.headers.get("If-None-Match") == tag:
            return web.Response(status=304, headers={"ETag": tag})
        items = "".join(
            f"<item><title>{escape(title)}</title><guid isPermaLink='false'>{name}-{number}</guid>"
            f"<link>{self.base}/article/{name}/{number}</link><pubDate>{format_datetime(at)}</pubDate></item>"
            for number, (title, at) in enumerate(entries)
        )
        text = f"<rss version='2.0'><channel><title>{name}</title>{items}</channel></rss>"
        return web.Response(text=text, content_type="application/rss+xml", headers={"ETag": tag})

    async def hook(self, request: web.Request) -> web.Response:
        """Take a webhook."""
        self.received.append((dict(request.headers), await request.read()))
        return web.Response(status=self.hook_status)

    def list_of(self, feeds: list[str], folder: Path) -> Path:
        """Write a feed list for feeds of this server."""
        lines = [
            f'[[feeds]]\nxmlUrl = "{self.base}/feeds/{name}"\ntitle = "{name.title()} Gazette"\nlanguage = "en"\n'
            for name in feeds
        ]
        path = folder / "feeds.toml"
        path.write_text("\n".join(lines), encoding="utf-8")
        return path

    def subscribers(self, folder: Path) -> Path:
        """Write a subscriber list with a webhook of this server."""
        path = folder / "subscribers.toml"
        path.write_text(
            f'[[subscribers]]\nid = "desk"\nchannel = "{self.base}/hook"\nmatch = {{ severity_min = 1 }}\n',
            encoding="utf-8",
        )
        return path


@asynccontextmanager
async def newsroom() -> AsyncIterator[Newsroom]:
    """Serve a newsroom on a free port of loopback."""
    room = Newsroom()
    app = web.Application()
    app.router.add_get("/feeds/{feed}", room.feed)
    app.router.add_post("/hook", room.hook)
    async with TestServer(app) as server:
        room.base = f"http://127.0.0.1:{server.port}"
        yield room


LIVE_ENVIRONMENT = {
    "TUMEN_POLLER__ALLOW_PRIVATE": "true",
    "TUMEN_ALERTER__ALLOW_PRIVATE": "true",
    "TUMEN_POLLER__INTERVAL": "1s",
    "TUMEN_POLLER__INTERVAL_MIN": "0s",
    "TUMEN_POLLER__HOST_SPACING": "0s",
    "TUMEN_DESK__PORT": "0",
    "TUMEN_LOG__FORMAT": "json",
}


async def tumen(*arguments: str, environment: Mapping[str, str] | None = None) -> asyncio.subprocess.Process:
    """Start tumen as its own process."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={"PATH": "/usr/bin:/bin", **LIVE_ENVIRONMENT, **(environment or {})},
    )


@asynccontextmanager
async def none_left(*processes: asyncio.subprocess.Process) -> AsyncIterator[None]:
    """Have no process outlive the block, also where a test fails in it."""
    try:
        yield
    finally:
        for process in processes:
            if process.returncode is None:
                process.kill()
            await process.wait()


async def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait until a condition holds, looking often; TimeoutError when it does not."""
    never = asyncio.get_running_loop().create_future()
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.wait({never}, timeout=0.02)
