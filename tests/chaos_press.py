"""The feeds of a chaos world and a receiver of webhooks, a process of its own: ``python -m tests.chaos_press …``.

It begins to publish when it is told to, and remembers which pages its readers have proven to have, and every webhook.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from datetime import datetime

from aiohttp import web

from services.clock import SystemClock
from tests.chaos_world import Shape, Site, World, document, etag, known_page, numbered
from tests.kafka_broker import free_ports

HOOK_S = 0.02
"""A receiver takes its time: a kill falls between the call and its record now and then."""


class Press:
    """What has come out, and who has it."""

    def __init__(self, world: World, seconds: float) -> None:
        """Hold back everything but each feed's first page."""
        now = SystemClock().now()
        self.world = world
        self.page_s = seconds / world.shape.pages
        self.shares = {site.name: share for share, site in numbered(world.sites)}
        self.times: dict[str, list[datetime]] = {name: [now] for name in world.sites}
        self.known = dict.fromkeys(world.sites, -1)
        self.begun: float | None = None
        self.requests = 0
        self.hooks: list[tuple[float, str, str]] = []

    def _publish(self, site: Site) -> None:
        """Let out the pages whose time has come, unless a reader must have another one first."""
        if self.begun is None:
            return
        times, elapsed = self.times[site.name], asyncio.get_running_loop().time() - self.begun
        while len(times) < len(site.pages):
            due = (len(times) - 1 + self.shares[site.name]) * self.page_s
            if due > elapsed or site.waits_for(len(times)) > self.known[site.name]:
                return
            now = SystemClock().now()
            if (now - times[-1]).total_seconds() < 1:  # a date of a feed has whole seconds
                return
            times.append(now)

    async def feed(self, request: web.Request) -> web.Response:
        """Answer a conditional request."""
        site = self.world.sites[request.match_info["name"]]
        known = known_page(request.headers.get("If-None-Match"))
        self.requests += 1
        self.known[site.name] = max(known, self.known[site.name])
        self._publish(site)
        times = self.times[site.name]
        headers = {"ETag": etag(len(times) - 1)}
        if known == len(times) - 1:
            return web.Response(status=304, headers=headers)
        body = document(site, known, times)
        return web.Response(body=body, content_type="application/rss+xml", headers=headers)

    async def hook(self, request: web.Request) -> web.Response:
        """Take a webhook, and the time it needs."""
        body = await request.json()
        at = asyncio.get_running_loop().time()
        self.hooks.append((at, request.headers["webhook-id"], body["data"]["id"]))
        await asyncio.wait({asyncio.get_running_loop().create_future()}, timeout=HOOK_S)
        return web.Response()

    async def go(self, _request: web.Request) -> web.Response:
        """Begin to publish."""
        self.begun = asyncio.get_running_loop().time()
        return web.Response()

    async def state(self, _request: web.Request) -> web.Response:
        """Say how far the readers have proven to be."""
        return web.json_response(
            {
                "least": min(self.known.values()),
                "read": sum(page + 1 for page in self.known.values()),
                "out": sum(map(len, self.times.values())),
                "requests": self.requests,
                "hooks": len(self.hooks),
            }
        )

    async def calls(self, _request: web.Request) -> web.Response:
        """Give every webhook: when, under which idempotency key, which alert."""
        return web.json_response(self.hooks)

    def app(self) -> web.Application:
        """Return the server."""
        app = web.Application()
        app.add_routes(
            [
                web.get("/feeds/{name}", self.feed),
                web.post("/hook", self.hook),
                web.post("/go", self.go),
                web.get("/state", self.state),
                web.get("/calls", self.calls),
            ]
        )
        return app


async def serve(world: World, seconds: float) -> None:
    """Serve on every host of the world, on one port, until the process is ended; say the port."""
    runner = web.AppRunner(Press(world, seconds).app())
    await runner.setup()
    (port,) = free_ports(1)
    for host in sorted({"127.0.0.1", *(site.host for site in world.sites.values())}):
        await web.TCPSite(runner, host, port).start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    await asyncio.get_running_loop().create_future()


def main() -> None:
    """Read the world's numbers and serve it."""
    parser = argparse.ArgumentParser()
    for name in ("seed", "sites", "pages", "entries"):
        parser.add_argument(name, type=int)
    parser.add_argument("seconds", type=float)
    given = parser.parse_args()
    asyncio.run(serve(World(given.seed, Shape(given.sites, given.pages, given.entries)), given.seconds))


if __name__ == "__main__":
    main()
