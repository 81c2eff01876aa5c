"""For machines that watch: /live (the loop runs), /ready (what is missing, by name), /metrics."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias

from aiohttp import web

from services.obs.listen import PORT_MAX, Listener, listen
from services.obs.metrics import Metrics

Check: TypeAlias = Callable[[], str | None]
"""None when all is well, else the reason in a few words."""

CLOSE_SECONDS_MAX = 0.5
"""A probe under way at the stop gets this long."""


def read_port(text: str) -> int | None:
    """Return the port of ``--health-port 0|PORT|off``, None for off; ValueError says what is wrong."""
    if text == "off":
        return None
    if text.isascii() and text.isdigit() and int(text) <= PORT_MAX:
        return int(text)
    message = f"not a port: {text!r} (write 0 for any, a number up to {PORT_MAX}, or off)"
    raise ValueError(message)


class Health:
    """The server behind the probes of one process."""

    def __init__(self, metrics: Metrics, checks: Mapping[str, Check] | None = None) -> None:
        """Take the metrics to show and the named checks that decide readiness."""
        self._metrics = metrics
        self._checks = dict(checks or {})
        self._runner: web.AppRunner | None = None

    async def start(self, host: str, port: int) -> Listener:
        """Serve on this port, or the next free one; the answer says which it became."""
        listener = listen(host, port)
        self._runner = web.AppRunner(self._app(), access_log=None, shutdown_timeout=CLOSE_SECONDS_MAX)
        await self._runner.setup()
        await web.SockSite(self._runner, listener.socket).start()
        return listener

    async def close(self) -> None:
        """Stop serving."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def _app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/live", _live)
        app.router.add_get("/ready", self._ready)
        app.router.add_get("/metrics", self._exposition)
        return app

    async def _ready(self, _request: web.Request) -> web.Response:
        missing = {
            name: reason for name, check in self._checks.items() if (reason := _ask(check)) is not None
        }
        status: Literal[200, 503] = 503 if missing else 200
        return web.json_response(
            {"ready": not missing, "missing": missing}, status=status, dumps=json.dumps, headers=_NO_STORE
        )

    async def _exposition(self, _request: web.Request) -> web.Response:
        body, content_type = self._metrics.render()
        return web.Response(body=body, headers={"Content-Type": content_type, **_NO_STORE})


_NO_STORE = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


async def _live(_request: web.Request) -> web.Response:
    return web.json_response({"live": True}, headers=_NO_STORE)


def _ask(check: Check) -> str | None:
    """Return a check's reason; one that fails is a reason, never a 500: the prober must learn the name."""
    try:
        return check()
    except Exception as error:  # noqa: BLE001 - whatever it is, the answer is "not ready"
        return f"check failed: {type(error).__name__}"
