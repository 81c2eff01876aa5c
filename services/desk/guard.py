"""What stands before every answer of the desk: who may ask, how, and what a browser may do with the answer."""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable, Collection
from typing import TYPE_CHECKING, TypeAlias

from aiohttp import web

from services.desk.api import API, BadRequest, problem
from services.obs import log

if TYPE_CHECKING:
    from aiohttp.typedefs import Middleware

Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]
ErrorPage: TypeAlias = Callable[[int, str | None], web.Response]

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
"""Only our own files; no inline anything; no string ever becomes markup in the browser."""

SECURITY_HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
METHODS = ("GET", "HEAD")
TARGET_CODE_POINTS_MAX = 4_096
"""Path and query: no filter of ours comes near."""
MISDIRECTED = 421


def may_answer(host_header: str | None, names: Collection[str]) -> bool:
    """Return whether the desk answers under this ``Host``: IP literals, localhost, configured names.

    A page elsewhere can point its own name at a loopback desk (DNS rebinding); it cannot do so with an IP literal.
    """
    if not host_header or "@" in host_header:
        return False
    host = _without_port(host_header.strip().lower())
    if host in {"localhost", *(name.lower() for name in names)}:
        return True
    try:
        ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0].removesuffix(".")


def guard(names: Collection[str], error_page: ErrorPage) -> Middleware:
    """Return the middleware: refuse what must be refused, and turn every error into an answer its reader can use."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        answer = problem if request.path.startswith(API) else error_page
        if not may_answer(request.headers.get("Host"), names):
            return problem(MISDIRECTED, "this desk does not answer under that host name; see [desk] hosts")
        if request.method not in METHODS:
            refused = answer(405, "only GET and HEAD")
            refused.headers["Allow"] = ", ".join(METHODS)
            return refused
        if len(request.raw_path) > TARGET_CODE_POINTS_MAX:
            return answer(414, None)
        return await _answered(request, handler, answer)

    return middleware


async def _answered(request: web.Request, handler: Handler, answer: ErrorPage) -> web.StreamResponse:
    try:
        return await handler(request)
    except BadRequest as error:
        return answer(400, str(error))
    except web.HTTPException as error:
        return answer(error.status, None)
    except (ConnectionError, TimeoutError):
        raise  # the reader went away: nobody is there to be answered
    except Exception as error:  # noqa: BLE001 - a bug in one page must not end the desk
        log.emit("desk.request_failed", path=request.path, error=repr(error), error_of=error)
        return answer(500, "a fault in tumen; the log has it")


async def add_headers(_request: web.Request, response: web.StreamResponse) -> None:
    """Set the security headers on every answer, errors and streams included."""
    response.headers.update(SECURITY_HEADERS)
