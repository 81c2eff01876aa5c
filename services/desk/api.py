"""The JSON side of the desk: one table of endpoints, from which router and OpenAPI are made.

Queries are pydantic models that refuse unknown names; whatever is wrong comes back as RFC 9457 problem details.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Literal, TypeVar
from urllib.parse import urlencode

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from schemas.alert import Alert, AlertKind
from schemas.common import Severity
from services.desk.projection import Entry, Filter, Projection, position_text, read_position

API = "/api/v1"
PAGE_DEFAULT = 100
PAGE_MAX = 200
PROBLEM = "application/problem+json"

Language = Annotated[str, Field(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$")]


class Query(BaseModel):
    """A query string: unknown names are refused, so that a misspelt filter cannot pass for an answer."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class NoQuery(Query):
    """No parameters."""


class AlertsQuery(Query):
    """Which alerts, and how many."""

    severity_min: Severity = 1
    language: Language | None = None
    kind: AlertKind | None = None
    limit: Annotated[int, Field(ge=1, le=PAGE_MAX)] = PAGE_DEFAULT
    cursor: Annotated[str, Field(max_length=64)] | None = None
    """As given in ``next``."""

    @property
    def filter(self) -> Filter:
        """The part that says which."""
        return Filter(self.severity_min, self.language, self.kind)


class StreamQuery(Query):
    """Which alerts, and from where on."""

    severity_min: Severity = 1
    language: Language | None = None
    kind: AlertKind | None = None
    last_event_id: Annotated[str, Field(pattern=r"^0:[0-9]{1,18}$")] | None = None
    """For clients that cannot set the header ``Last-Event-ID``."""

    @property
    def filter(self) -> Filter:
        """The part that says which."""
        return Filter(self.severity_min, self.language, self.kind)


class AlertsAnswer(BaseModel):
    """A page of alerts, newest first."""

    items: tuple[Alert, ...]
    next: str | None
    """Cursor of the next page; null on the last."""
    as_of: str | None
    """Position in the log that this answer reflects: resume the stream from here."""


class Problem(BaseModel):
    """What went wrong (RFC 9457)."""

    type: Literal["about:blank"] = "about:blank"
    title: str
    status: int
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One line of the table: what is asked and what is answered."""

    path: str
    operation: str
    summary: str
    query: type[Query]
    answer: type[BaseModel] | None
    media_type: str
    problems: tuple[int, ...]


ALERTS = Endpoint(
    f"{API}/alerts",
    "listAlerts",
    "Newest alerts first",
    AlertsQuery,
    AlertsAnswer,
    "application/json",
    (400,),
)
STREAM = Endpoint(
    f"{API}/alerts/stream",
    "streamAlerts",
    "Alerts as they come: server-sent events hello, alert, beat, reset, bye",
    StreamQuery,
    None,
    "text/event-stream",
    (400, 503),
)
ALERT = Endpoint(
    f"{API}/alerts/{{id}}", "getAlert", "One alert", NoQuery, Alert, "application/json", (400, 404)
)
OPENAPI = Endpoint(
    f"{API}/openapi.json", "getOpenApi", "This description", NoQuery, None, "application/json", (400,)
)
ENDPOINTS = (ALERTS, STREAM, ALERT, OPENAPI)

Q = TypeVar("Q", bound=Query)


class BadRequest(Exception):  # noqa: N818 - the status it becomes
    """A request that cannot be answered; the message is one line for its sender."""


def read_query(query: Mapping[str, str], model: type[Q]) -> Q:
    """Return the query as its model; BadRequest names the parameter and what is wrong with it.

    An empty value is no value: forms send their empty fields, too.
    """
    names = [name for name, _ in query.items()]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        message = f"{repeated[0]}: given more than once"
        raise BadRequest(message)
    try:
        return model.model_validate(
            {name: query[name] for name in names if query[name] or name not in model.model_fields}
        )
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        known = ", ".join(model.model_fields) or "none"
        message = f"{'.'.join(map(str, first['loc']))}: {first['msg']}; parameters: {known}"
        raise BadRequest(message) from error


def cursor_text(before: int) -> str:
    """Return the opaque form of where the next page begins."""
    return base64.urlsafe_b64encode(position_text(before).encode()).decode().rstrip("=")


def read_cursor(text: str | None) -> int | None:
    """Return where a page begins; BadRequest for a cursor that was never given out."""
    if text is None:
        return None
    try:
        decoded = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError, ValueError):
        decoded = ""
    before = read_position(decoded)
    if before is None:
        raise BadRequest("cursor: not one that was given out")
    return before


def alerts_answer(projection: Projection, query: AlertsQuery) -> web.Response:
    """Return a page of alerts; their bytes were encoded when they came in."""
    page = projection.page(query.filter, query.limit, read_cursor(query.cursor))
    following = None if page.next_before is None else cursor_text(page.next_before)
    headers = {"Link": f'<{ALERTS.path}?{next_query(query, following)}>; rel="next"'} if following else {}
    body = b'{"items":[' + b",".join(entry.json for entry in page.entries)
    body += (
        b'],"next":'
        + json.dumps(following).encode()
        + b',"as_of":'
        + json.dumps(as_of(projection)).encode()
        + b"}"
    )
    return json_answer(body, headers)


def as_of(projection: Projection) -> str | None:
    """Return the position that a projection reflects, None before the first alert."""
    return None if projection.as_of < 0 else position_text(projection.as_of)


def next_query(query: AlertsQuery, cursor: str | None) -> str:
    """Return the query string of the next page: the same filters, another cursor."""
    given = query.model_dump(exclude_defaults=True, exclude={"cursor"})
    return urlencode({**given, "cursor": cursor} if cursor else given)


def alert_answer(entry: Entry) -> web.Response:
    """Return one alert."""
    return json_answer(entry.json)


def json_answer(body: bytes, headers: Mapping[str, str] | None = None) -> web.Response:
    """Return JSON, not to be kept by caches."""
    response = web.Response(
        body=body, content_type="application/json", headers={"Cache-Control": "no-store", **(headers or {})}
    )
    response.enable_compression()
    return response


def problem(status: int, detail: str | None = None) -> web.Response:
    """Return problem details."""
    body = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail)
    return web.Response(
        status=status,
        body=body.model_dump_json(exclude_none=True).encode(),
        content_type=PROBLEM,
        headers={"Cache-Control": "no-store"},
    )
