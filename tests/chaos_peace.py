"""How a chaos world ends when nobody disturbs it: one process, a log in memory, virtual time, page after page."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from schemas import Subscriber
from services.alerter.channels.webhook import PostResult
from services.alerter.subscriberlist import subscriber_messages
from services.bootstrap import open_bus
from services.bootstrap.imports import import_feeds
from services.bootstrap.parts import Outside, Parts
from services.clock import VirtualClock
from services.driver import settle
from services.obs.metrics import Metrics
from services.poller.feedlist import read_feed_list
from services.poller.model import PollerSettings, Request, Response
from services.text.times import stamp
from tests.chaos_audit import Ledger
from tests.chaos_world import World, document, etag, known_page
from tests.fakes import InlineParser, ScriptedFetcher

if TYPE_CHECKING:
    from services.poller.model import Failure

BEGINNING = datetime(2026, 5, 12, tzinfo=UTC)
PAGE = timedelta(minutes=1)
SETTINGS = PollerSettings(
    interval=timedelta(seconds=1), interval_min=timedelta(0), host_spacing=timedelta(0), host_concurrency=16
)


class GladPoster:
    """Takes every webhook."""

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> PostResult:
        """Say yes."""
        return PostResult(200, {})

    async def close(self) -> None:
        """Hold nothing."""


async def undisturbed(world: World, port: int, subscriber: Subscriber) -> Ledger:
    """Play the world through the whole pipeline, at the addresses it has on a port."""
    clock = VirtualClock(BEGINNING)
    times: list[datetime] = []

    def respond(request: Request) -> Response | Failure:
        site = world.sites[urlsplit(request.url).path.rpartition("/")[2]]
        known = known_page(dict(request.headers).get("If-None-Match"))
        body = document(site, known, times)
        return Response(request.url, 200, (("ETag", etag(len(times) - 1)),), body)

    outside = Outside(
        fetcher=ScriptedFetcher(respond),
        parser=InlineParser(),
        poster=GladPoster(),
        show=lambda _: None,
        resolve_secret=lambda _: "",
    )
    async with open_bus("sqlite::memory:") as bus:
        feeds = read_feed_list(world.feed_list(port).encode(), "feeds.toml")
        await import_feeds(bus, feeds, "feeds.toml", clock.now())
        await bus.append(subscriber_messages([subscriber], at=stamp(clock.now()), known=(), replace=False))
        parts = Parts(bus, clock, Metrics(), SETTINGS, ordered=True, publish_all=True)
        names = ("poller", "classifier", "correlator", "alerter")
        services = [await parts.make(name, outside) for name in names]
        for _ in range(world.shape.pages + 1):
            times.append(clock.now())
            await settle(services, clock.now())
            clock.advance(clock.now() + PAGE)
        ledger = await Ledger.read(bus)
        for service in services:
            await service.close()
    return ledger
