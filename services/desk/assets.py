"""Templates and static files of the desk, loaded once."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import jinja2
from aiohttp import web

import services
from services.desk.view import QUOTATIONS_LISTED, SEVERITY_WORDS, concept_words, shown

HERE = Path(__file__).parent
STATIC_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
HASH_HEX_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Static:
    """One file of ours; its address holds the hash of its bytes, so a browser may keep it for ever."""

    url: str
    body: bytes
    content_type: str


@cache
def load_static() -> dict[str, Static]:
    """Return our static files by name."""
    files = sorted(path for path in (HERE / "static").iterdir() if path.suffix in STATIC_TYPES)
    return {path.name: _static(path) for path in files}


def static_handler(file: Static) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Return the handler that serves one file."""

    async def handler(_request: web.Request) -> web.Response:
        response = web.Response(
            body=file.body,
            content_type=file.content_type,
            charset="utf-8",
            headers={"Cache-Control": "public, max-age=31536000, immutable"},
        )
        response.enable_compression()
        return response

    return handler


@cache
def environment() -> jinja2.Environment:
    """Return the templates: everything escaped, a missing value is a bug."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(shown=shown, concept=concept_words)
    made.globals.update(
        static={name: file.url for name, file in load_static().items()},
        severities=SEVERITY_WORDS,
        quotations_listed=QUOTATIONS_LISTED,
        version=services.__version__,
    )
    return made


def _static(path: Path) -> Static:
    body = path.read_bytes()
    digest = hashlib.sha256(body).hexdigest()[:HASH_HEX_DIGITS]
    return Static(f"/static/{path.stem}.{digest}{path.suffix}", body, STATIC_TYPES[path.suffix])
