"""The whole poller, live: a real server, real parsing processes, a real log."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from aiohttp import web
from aiohttp.test_utils import TestServer

from schemas import Feed, FeedState, Story
from services.bus.codec import decode
from services.bus.sqlite import SqliteBus
from services.bus.topics import FEED_STATE, FEEDS, SQLITE_SHARDS, STORIES
from services.net.gate import Gate
from services.poller.feedlist import feed_messages
from services.poller.fetch import AiohttpFetcher
from services.poller.lane import POLLER
from services.poller.loop import Poller
from services.poller.model import PollerSettings
from services.poller.parse.pool import ParserPool
from services.text.ids import stable_id
from tests.fakes import an_item, an_rss

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 5, 12, tzinfo=UTC)
SETTINGS = PollerSettings(host_spacing=timedelta(0), timeout_total=timedelta(seconds=10))


async def test_a_feed_on_the_network_becomes_stories_on_the_log(tmp_path: Path) -> None:
    """Asked once unconditionally, then with its validator; the gate stays shut without leave."""
    asked: list[str | None] = []

    async def serve(request: web.Request) -> web.Response:
        asked.append(request.headers.get("If-None-Match"))
        if asked[-1] == 'W/"1"':
            return web.Response(status=304)
        return web.Response(body=an_rss(an_item("a"), an_item("b")), headers={"ETag": 'W/"1"'})

    app = web.Application()
    app.router.add_get("/feed", serve)
    server = TestServer(app)
    await server.start_server()
    url = f"http://127.0.0.1:{server.port}/feed"
    feed = Feed(id=stable_id(url), url=url, title="Local")
    bus = await SqliteBus.open(str(tmp_path / "bus.db"))
    await bus.append(feed_messages([feed], {}, SQLITE_SHARDS, NOW))
    parser = ParserPool(1)
    for private, settings, days in ((False, PollerSettings(), 0), (True, SETTINGS, 1), (True, SETTINGS, 3)):
        now = NOW + timedelta(days=days)
        fetcher = AiohttpFetcher(Gate(allow_private=private), settings)
        poller = Poller(await bus.join(POLLER, [FEEDS.name]), fetcher, parser, settings, ordered=False)
        await poller.drain(now)
        while poller.owes(now, now):
            await poller.wait(5)
            await poller.drain(now)
        await poller.close()
        await fetcher.close()
    await parser.close()
    stories = [decode(record, Story) async for record in bus.read(STORIES.name)]
    states = [decode(record, FeedState) async for record in bus.read(FEED_STATE.name)]
    await bus.close()
    await server.close()
    assert asked == [None, 'W/"1"']
    assert sorted(story.guid for story in stories) == ["a", "b"]
    assert [state.http_status for state in states] == [None, 200, 304]
    assert (states[0].error or "").startswith("refused_address: ")
