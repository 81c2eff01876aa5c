"""The live stream's endpoint: hello, what was missed, what comes, beats, goodbye."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

import services
from services.desk import api
from services.desk.projection import read_position
from services.desk.service import Desk
from services.desk.stream import BEAT_SECONDS, RETRY_MS, STREAMS_MAX, Reader, alert_event, note, pump, send
from services.obs import log
from services.text.times import stamp

RETRY_AFTER_SECONDS = 30
HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store, no-transform",
    "X-Accel-Buffering": "no",
}


class Live:
    """Serves the streams of one desk."""

    def __init__(self, desk: Desk, beat_seconds: float = BEAT_SECONDS) -> None:
        """Stream what this desk reads."""
        self._desk = desk
        self._beat_seconds = beat_seconds

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Stream alerts: what came since the reader's last one, then what comes.

        The reader joins the hub before what it missed is looked up, with no wait in between: there is no gap.
        """
        query = api.read_query(request.query, api.StreamQuery)
        if self._desk.hub.full:
            return _refused()
        response = web.StreamResponse(headers=HEADERS)
        if request.method == "HEAD":
            return response
        with self._desk.hub.reader(query.filter) as reader:
            opening = self._opening(request.headers.get("Last-Event-ID") or query.last_event_id, query)
            self._count()
            await response.prepare(request)
            await self._write(response, reader, opening)
        self._count()
        return response

    async def _write(self, response: web.StreamResponse, reader: Reader, opening: Sequence[bytes]) -> None:
        try:
            for event in opening:
                await send(response.write, event)
            reason = await pump(reader, response.write, self._beat, self._beat_seconds)
        except TimeoutError:
            reason = "slow"
        except ConnectionError:
            return
        if reason == "slow":
            self._desk.metrics.skip("stream_too_slow")
            log.emit("desk.stream_closed", reason=reason)

    def _opening(self, last_event_id: str | None, query: api.StreamQuery) -> list[bytes]:
        """Return hello and, for a reader that comes back, what it missed or that this cannot be told."""
        parts = [f"retry: {RETRY_MS}\n".encode() + self._note("hello", version=services.__version__)]
        if last_event_id is not None:
            position = read_position(last_event_id)
            missed = None if position is None else self._desk.projection.since(position)
            if missed is None:
                parts.append(self._note("reset"))
            parts += [alert_event(entry) for entry in missed or () if query.filter.wants(entry.alert)]
        return parts

    def _beat(self) -> bytes:
        return self._note("beat")

    def _note(self, name: str, **fields: object) -> bytes:
        """Return a note with the server's time and the position reached: the page's clock is not to be trusted."""
        now = stamp(self._desk.clock.now())
        return note(name, now=now, as_of=api.as_of(self._desk.projection), **fields)

    def _count(self) -> None:
        self._desk.metrics.set("tumen_desk_streams", len(self._desk.hub))


def _refused() -> web.Response:
    refused = api.problem(503, f"{STREAMS_MAX} streams are open, or the desk is stopping")
    refused.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return refused
