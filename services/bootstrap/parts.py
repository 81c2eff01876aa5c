"""Every service, made from a log and what lies outside: used by live processes, the demo day, replay and tests.

Each is imported where it is made: a process that hosts one starts without the others.
"""

# ruff: noqa: PLC0415
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from schemas import Feed
from services.bootstrap.reading import latest
from services.bus.aisle import Aisle
from services.bus.loop import LaneService
from services.bus.topics import ALERTS, FEEDS, SILENCES, STORIES, SUBSCRIBERS, VERDICTS
from services.obs.records import RecordReports
from services.poller.model import PollerSettings

if TYPE_CHECKING:
    from schemas import Alert
    from services.alerter.channels import Channel
    from services.alerter.channels.webhook import Poster, SecretResolver
    from services.alerter.loop import Alerter
    from services.bus.loop import Service
    from services.bus.ports import Bus
    from services.clock import Clock
    from services.desk.service import Desk
    from services.obs.metrics import Metrics
    from services.poller.fetch import Fetcher
    from services.poller.loop import Poller
    from services.poller.parse.pool import Parser
    from services.settings import PollerSection

POLLER, CLASSIFIER, CORRELATOR, ALERTER, DESK = "poller", "classifier", "correlator", "alerter", "desk"
SERVICES = (POLLER, CLASSIFIER, CORRELATOR, ALERTER, DESK)


@dataclass(frozen=True, slots=True)
class Outside:
    """What the services reach the world through: the network, the console, the secrets."""

    fetcher: Fetcher
    parser: Parser
    poster: Poster
    show: Callable[[Alert], None]
    resolve_secret: SecretResolver

    async def close(self) -> None:
        """Release connections and processes."""
        await self.fetcher.close()
        await self.parser.close()
        await self.poster.close()


@dataclass(frozen=True, slots=True)
class Parts:
    """Makes services on one log."""

    bus: Bus
    clock: Clock
    metrics: Metrics
    poller: PollerSettings
    ordered: bool = False
    """Publish polls in (due_at, feed_id) order: virtual time."""
    start_spread: timedelta = timedelta(0)
    """Over which overdue feeds are spread at the start: live only; ``--once`` and virtual time ask at once."""
    publish_all: bool = False
    """Publish every verdict, not only the telling ones."""
    live: bool = False
    """The clock is the machine's: how long an alert took means something, and lanes are worked side by side."""
    aisle: Aisle = field(default_factory=Aisle)
    """Shared by the services of this process: a suspect record is run while nothing else is."""

    async def make(self, name: str, outside: Outside) -> Service:
        """Return a service by its name."""
        match name:
            case "poller":
                return await self.make_poller(outside)
            case "classifier":
                return await self.make_classifier()
            case "correlator":
                return await self.make_correlator()
            case "alerter":
                return await self.make_alerter(outside)
            case _:
                return await self.make_desk()

    async def make_poller(self, outside: Outside) -> Poller:
        """Return the poller, a member of its group."""
        from services.poller.loop import Poller

        membership = await self.bus.join(POLLER, [FEEDS.name])
        return Poller(
            membership,
            outside.fetcher,
            outside.parser,
            self.poller,
            ordered=self.ordered,
            start_spread=self.start_spread,
            metrics=self.metrics,
        )

    async def make_classifier(self) -> LaneService:
        """Return the classifier; its model is loaded here, once."""
        from services.classifier.classify import load_model
        from services.classifier.stage import ClassifierStage

        model = load_model()
        membership = await self.bus.join(CLASSIFIER, [STORIES.name])
        return LaneService(
            CLASSIFIER,
            membership,
            lambda lane: ClassifierStage(lane, model, publish_all=self.publish_all, metrics=self.metrics),
            live=self.live,
            reports=RecordReports(CLASSIFIER, self.metrics),
            aisle=self.aisle,
        )

    async def make_correlator(self) -> LaneService:
        """Return the correlator."""
        from services.correlator.stage import CorrelatorStage

        clock = self.clock if self.live else None
        membership = await self.bus.join(CORRELATOR, [VERDICTS.name])
        return LaneService(
            CORRELATOR,
            membership,
            lambda lane: CorrelatorStage(lane, self.metrics, clock),
            live=self.live,
            reports=RecordReports(CORRELATOR, self.metrics),
            aisle=self.aisle,
        )

    async def make_alerter(self, outside: Outside) -> Alerter:
        """Return the alerter with its channels."""
        from services.alerter.channels.console import ConsoleChannel
        from services.alerter.channels.webhook import WebhookChannel
        from services.alerter.loop import Alerter

        webhook = WebhookChannel(outside.poster, outside.resolve_secret)
        channels: dict[str, Channel] = {
            "console": ConsoleChannel(outside.show),
            "https": webhook,
            "http": webhook,
        }
        return Alerter(
            self.bus,
            await self.bus.join(ALERTER, [ALERTS.name]),
            subscribers=await self.bus.tail([SUBSCRIBERS.name]),
            silences=await self.bus.tail([SILENCES.name]),
            channels=channels,
            metrics=self.metrics,
        )

    async def make_desk(self) -> Desk:
        """Return the desk, not yet served."""
        from services.desk.service import Desk

        feeds = [feed async for feed in latest(self.bus, FEEDS, Feed)]
        languages = len({feed.language for feed in feeds if feed.language})
        watching = (f"{len(feeds)} feeds in {languages} languages",) if feeds else ()
        return Desk(await self.bus.tail([ALERTS.name]), self.clock, self.metrics, watching)


def poller_settings(section: PollerSection) -> PollerSettings:
    """Return what the poller is to know of ``[poller]``."""
    names = PollerSettings.__dataclass_fields__
    return PollerSettings(**{name: getattr(section, name) for name in names})
