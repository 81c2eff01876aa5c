"""Fakes of what lies outside: servers that answer from a script, parsing without a process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from email.utils import format_datetime
from typing import TYPE_CHECKING

from services.poller.model import Document, Failure, Request, Response
from services.poller.parse.entries import read_document

if TYPE_CHECKING:
    from datetime import datetime

Script = Callable[[Request], Response | Failure]


class ScriptedFetcher:
    """Answers from a function; remembers what was asked; ``stall`` holds back a URL until it is released."""

    def __init__(self, script: Script) -> None:
        """Take the function that answers."""
        self._script = script
        self._stalled: dict[str, asyncio.Event] = {}
        self.asked: list[Request] = []

    def stall(self, url: str) -> asyncio.Event:
        """Hold back the answers of a URL until the returned event is set."""
        return self._stalled.setdefault(url, asyncio.Event())

    async def fetch(self, request: Request) -> Response | Failure:
        """Answer as scripted."""
        self.asked.append(request)
        if (gate := self._stalled.get(request.url)) is not None:
            await gate.wait()
        return self._script(request)

    async def close(self) -> None:
        """Hold nothing."""

    def urls(self) -> list[str]:
        """Return the URLs asked, in order."""
        return [request.url for request in self.asked]


class InlineParser:
    """Parses in this process: for tests of what comes after parsing."""

    async def parse(self, body: bytes, url: str, content_type: str) -> Document:
        """Read a document."""
        return read_document(body, url, content_type)

    async def close(self) -> None:
        """Hold nothing."""


def an_rss(*items: str, language: str = "en") -> bytes:
    """Return an RSS document of items made by ``an_item``."""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><rss version="2.0"><channel><title>Outlet</title>'
        f"<language>{language}</language>{''.join(items)}</channel></rss>"
    ).encode()


def an_item(
    name: str, *, title: str | None = None, summary: str = "", published: datetime | None = None
) -> str:
    """Return an RSS item whose id and link follow from its name."""
    date = f"<pubDate>{format_datetime(published)}</pubDate>" if published else ""
    return (
        f"<item><guid isPermaLink='false'>{name}</guid><link>https://outlet.example/{name}</link>"
        f"<title>{title or f'Title of {name}'}</title><description>{summary}</description>{date}</item>"
    )


def ok(body: bytes, url: str = "https://outlet.example/feed", **headers: str) -> Response:
    """Return 200 with a body; header names are given with underscores."""
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Response(url, 200, named, body)
