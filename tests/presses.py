"""A feed server that prints a new edition at every request, and so can tell which answers were lost.

Every answer has a validator of its own. The next request of a feed brings back the last validator that a poller
committed: where that is not the one given last, the answer before it was asked for and lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aiohttp import web
from aiohttp.test_utils import TestServer

if TYPE_CHECKING:
    from pathlib import Path

EDITIONS_MAX = 200
"""In a document: more than a test prints, so that a lost answer's stories come with the next."""


@dataclass(slots=True)
class Printing:
    """One request: for which feed, when, what it brought back, and which edition it was given."""

    host: str
    feed: str
    edition: int
    agent: str
    brought: str | None
    asked_at: float
    answered_at: float | None = None

    @property
    def tag(self) -> str:
        """The validator of the answer."""
        return tag_of(self.feed, self.edition)


def tag_of(feed: str, edition: int) -> str:
    """Return the validator of an edition."""
    return f'"{feed}-{edition}"'


@dataclass
class Presses:
    """The server; each feed is on a host of its own unless it is named ``host/feed``."""

    answer_s: float = 0.1
    retry_after: dict[str, int] = field(default_factory=dict)
    """Feeds whose next request is told to come back later, in so many seconds."""
    told_later: dict[str, float] = field(default_factory=dict)
    """When they were told so."""
    printed: list[Printing] = field(default_factory=list)
    port: int = 0

    async def feed(self, request: web.Request) -> web.Response:
        """Print an edition."""
        now = asyncio.get_running_loop().time
        feed, host = request.match_info["feed"], request.host
        if (later := self.retry_after.pop(feed, None)) is not None:
            self.told_later[feed] = now()
            return web.Response(status=429, headers={"Retry-After": str(later)})
        edition = 1 + sum(one.feed == feed for one in self.printed)
        one = Printing(
            host,
            feed,
            edition,
            request.headers.get("User-Agent", ""),
            request.headers.get("If-None-Match"),
            now(),
        )
        self.printed.append(one)
        await asyncio.wait({asyncio.get_running_loop().create_future()}, timeout=self.answer_s)
        one.answered_at = now()
        return web.Response(
            text=document(feed, edition), content_type="application/rss+xml", headers={"ETag": one.tag}
        )

    def of(self, feed: str) -> list[Printing]:
        """Return the requests of a feed, in order."""
        return [one for one in self.printed if one.feed == feed]

    def agents(self) -> set[str]:
        """Return the names of those who asked."""
        return {one.agent for one in self.printed}

    def feeds(self) -> list[str]:
        """Return the feeds that were asked."""
        return sorted({one.feed for one in self.printed})

    def lost(self) -> list[Printing]:
        """Return the answers that no poller committed before it, or another, asked again."""
        return [
            before
            for feed in self.feeds()
            for before, after in zip(self.of(feed), self.of(feed)[1:], strict=False)
            if after.brought != before.tag
        ]

    def list_of(self, feeds: dict[str, int], folder: Path) -> Path:
        """Write a feed list; the numbers are those of hosts, each an address of loopback and so a lane's."""
        entries = [
            f'[[feeds]]\nxmlUrl = "http://127.0.0.{number}:{self.port}/{feed}"\ntitle = "{feed}"\n'
            for feed, number in feeds.items()
        ]
        path = folder / "feeds.toml"
        path.write_text("\n".join(entries), encoding="utf-8")
        return path


def document(feed: str, edition: int) -> str:
    """Return a feed document that holds all editions so far."""
    first = max(1, edition - EDITIONS_MAX + 1)
    items = "".join(
        f"<item><title>Edition {number} of the {feed}</title><guid isPermaLink='false'>{number}</guid>"
        f"<link>https://{feed}.example/{number}</link></item>"
        for number in range(edition, first - 1, -1)
    )
    return f"<rss version='2.0'><channel><title>{feed}</title>{items}</channel></rss>"


@asynccontextmanager
async def presses() -> AsyncIterator[Presses]:
    """Serve on a free port of every address of this machine's loopback."""
    one = Presses()
    app = web.Application()
    app.router.add_get("/{feed}", one.feed)
    async with TestServer(app, host="0.0.0.0") as server:
        assert server.port
        one.port = server.port
        yield one
