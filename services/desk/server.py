"""Serving a desk: on the wanted port or the next free one, and gone within a second when told to stop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aiohttp import web

from services.desk.app import make_app
from services.desk.service import Desk
from services.obs.listen import Listener, listen

CLOSE_SECONDS_MAX = 0.5
"""Requests under way at the stop get this long; streams have been told goodbye before."""


@dataclass(frozen=True, slots=True)
class DeskServer:
    """A desk being served; ``listener`` says where, and whether the wanted port was busy."""

    listener: Listener
    runner: web.AppRunner

    @property
    def url(self) -> str:
        """The address for a browser on this machine."""
        return self.listener.url

    async def close(self) -> None:
        """Stop serving: streams are told goodbye, requests under way get half a second."""
        await self.runner.cleanup()


async def serve(desk: Desk, host: str, port: int, hosts: Sequence[str] = ()) -> DeskServer:
    """Serve a desk; ``hosts`` are the names, besides localhost and IP literals, under which it answers."""
    listener = listen(host, port)
    runner = web.AppRunner(make_app(desk, hosts), access_log=None, shutdown_timeout=CLOSE_SECONDS_MAX)
    await runner.setup()
    await web.SockSite(runner, listener.socket).start()
    return DeskServer(listener, runner)
