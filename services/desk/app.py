"""The desk's routes: the newest alerts, one alert, the API, the live stream, static files."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from typing import Annotated

from aiohttp import web
from pydantic import Field

from services.desk import api
from services.desk.assets import environment, load_static, static_handler
from services.desk.guard import add_headers, guard
from services.desk.live import Live
from services.desk.openapi import openapi
from services.desk.service import Desk
from services.desk.stream import BEAT_SECONDS
from services.desk.view import alert_view, when
from services.text.times import stamp

PAGE_SIZE = 50
"""Alerts on a page of the desk: more than anybody reads at once, and painted at once."""
BODY_BYTES_MAX = 16 * 1024
LANGUAGES_OFFERED_MAX = 40


class PageQuery(api.AlertsQuery):
    """The page takes what the API takes and shows at most ``PAGE_SIZE``."""

    limit: Annotated[int, Field(ge=1, le=PAGE_SIZE)] = PAGE_SIZE


class Pages:
    """The handlers of one desk that answer at once."""

    def __init__(self, desk: Desk) -> None:
        """Load templates, static files and the API's description."""
        self._desk = desk
        self._openapi = openapi()
        self.static = load_static()
        self._templates = environment()

    async def newest(self, request: web.Request) -> web.Response:
        """Show the newest alerts."""
        query = api.read_query(request.query, PageQuery)
        projection, now = self._desk.projection, self._desk.clock.now()
        page = projection.page(query.filter, query.limit, api.read_cursor(query.cursor))
        newest = projection.entries[-1].alert if projection.entries else None
        filters = api.next_query(query, None)
        following = None if page.next_before is None else api.cursor_text(page.next_before)
        return self._html(
            "newest.html",
            alerts=[alert_view(entry.alert, now) for entry in page.entries],
            query=query,
            following=f"/?{api.next_query(query, following)}" if following else None,
            twin=f"{api.ALERTS.path}{'?' if filters else ''}{filters}",
            stream=f"{api.STREAM.path}{'?' if filters else ''}{filters}",
            as_of=api.as_of(projection) or "",
            now=when(stamp(now), now),
            last=when(newest.detected_at, now) if newest else None,
            today=projection.on_day(stamp(now)[:10]),
            held=len(projection.entries),
            languages=self._languages(),
            watching=self._desk.watching,
        )

    async def one(self, request: web.Request) -> web.Response:
        """Show one alert with all that is known of it."""
        api.read_query(request.query, api.NoQuery)
        entry = self._desk.projection.by_id.get(request.match_info["id"])
        if entry is None:
            return self.error(404, "No such alert among the newest; older ones are in the log.")
        now = self._desk.clock.now()
        return self._html(
            "one.html", view=alert_view(entry.alert, now), twin=f"{api.ALERTS.path}/{entry.alert.id}"
        )

    async def alerts(self, request: web.Request) -> web.Response:
        """Answer with a page of alerts."""
        return api.alerts_answer(self._desk.projection, api.read_query(request.query, api.AlertsQuery))

    async def alert(self, request: web.Request) -> web.Response:
        """Answer with one alert."""
        api.read_query(request.query, api.NoQuery)
        entry = self._desk.projection.by_id.get(request.match_info["id"])
        return (
            api.problem(404, "no such alert among the newest") if entry is None else api.alert_answer(entry)
        )

    async def description(self, request: web.Request) -> web.Response:
        """Answer with the description of the API."""
        api.read_query(request.query, api.NoQuery)
        return api.json_answer(self._openapi)

    def error(self, status: int, detail: str | None) -> web.Response:
        """Answer with a page that says what is wrong."""
        response = self._html("error.html", phrase=HTTPStatus(status).phrase, detail=detail)
        response.set_status(status)
        return response

    def _languages(self) -> list[str]:
        found = {language for entry in self._desk.projection.entries for language in entry.alert.languages}
        return sorted(found)[:LANGUAGES_OFFERED_MAX]

    def _html(self, template: str, **values: object) -> web.Response:
        text = self._templates.get_template(template).render(values)
        response = web.Response(text=text, content_type="text/html", headers={"Cache-Control": "no-store"})
        response.enable_compression()
        return response


def make_app(desk: Desk, hosts: Sequence[str] = (), beat_seconds: float = BEAT_SECONDS) -> web.Application:
    """Return the web application of a desk; ``hosts`` as in ``[desk] hosts``."""
    pages = Pages(desk)
    app = web.Application(middlewares=[guard(hosts, pages.error)], client_max_size=BODY_BYTES_MAX)
    app.add_routes(
        [
            web.get("/", pages.newest),
            web.get("/alerts/{id}", pages.one),
            web.get(api.ALERTS.path, pages.alerts),
            web.get(api.STREAM.path, Live(desk, beat_seconds).stream),
            web.get(api.ALERT.path, pages.alert),
            web.get(api.OPENAPI.path, pages.description),
            *(web.get(file.url, static_handler(file)) for file in pages.static.values()),
        ]
    )
    app.on_response_prepare.append(add_headers)
    app.on_response_prepare.append(_counting(desk))
    app.on_shutdown.append(_goodbye(desk))
    return app


def _counting(desk: Desk) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    async def count(_request: web.Request, response: web.StreamResponse) -> None:
        desk.metrics.inc("tumen_desk_responses_total", status=f"{response.status // 100}xx")

    return count


def _goodbye(desk: Desk) -> Callable[[web.Application], Awaitable[None]]:
    async def close(_app: web.Application) -> None:
        desk.hub.close()

    return close
