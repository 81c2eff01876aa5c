"""A recorded stream of items through classifier, correlator and alerts, on an embedded log in memory.

Time is the items' own: an item without a date takes the time of the one before it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from schemas import Alert, Source, Story, Verdict
from schemas.story import TEXT_MAX, TITLE_MAX
from services.bootstrap.opening import open_bus
from services.bootstrap.parts import Parts
from services.bus.codec import decode, encode
from services.bus.topics import ALERTS, STORIES, VERDICTS
from services.clock import VirtualClock
from services.driver import settle
from services.obs.metrics import Metrics
from services.poller.model import PollerSettings
from services.text.ids import stable_id
from services.text.times import stamp
from services.text.urls import canonical_url, partition_for, registered_domain

if TYPE_CHECKING:
    from services.bus.ports import Message, Record

CHUNK = 500
"""Items between two drains; the storylines are worked out in the order of the stream either way."""
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
LATEST = datetime(2100, 1, 1, tzinfo=UTC)
"""Dates outside of these are mistakes: the item takes the time of the one before it."""
LINK_MAX = 2_000


@dataclass(slots=True)
class Backtest:
    """What a stream came to."""

    items: int = 0
    flagged: int = 0
    storylines: int = 0
    by_severity: Counter[int] = field(default_factory=Counter)
    by_week: Counter[str] = field(default_factory=Counter)
    seen_keys: set[str] = field(default_factory=set)
    """What items are known by in a labelled file: their URL, or without one their title."""
    flagged_keys: set[str] = field(default_factory=set)


async def run_backtest(
    items: Iterable[dict[str, Any]], show: Callable[[Alert], None], progress: Callable[[int], None]
) -> Backtest:
    """Play a stream; alerts are shown as they come up."""
    result = Backtest()
    stream = stories_from(items)
    async with open_bus("sqlite::memory:") as bus:
        metrics = Metrics()
        parts = Parts(bus, VirtualClock(EPOCH), metrics, PollerSettings(), ordered=True)
        services = (await parts.make_classifier(), await parts.make_correlator())
        outcome = await bus.tail([VERDICTS.name, ALERTS.name])
        partitions = await bus.partitions(STORIES.name)
        while chunk := list(islice(stream, CHUNK)):
            await bus.append([message_of(story, partitions) for story in chunk])
            now = max(datetime.fromisoformat(story.first_seen) for story in chunk)
            await settle(services, now)
            result.items += len(chunk)
            result.seen_keys.update(story.url or story.title for story in chunk)
            while records := await outcome.poll():
                _count(records, result, show)
            progress(result.items)
        result.flagged = int(metrics.value("tumen_verdicts_total", flagged="true"))
        result.storylines = int(metrics.value("tumen_storylines_opened_total"))
        for service in services:
            await service.close()
    return result


def _count(records: Iterable[Record], result: Backtest, show: Callable[[Alert], None]) -> None:
    for record in records:
        if record.topic == VERDICTS.name:
            verdict = decode(record, Verdict)
            if verdict.flagged and verdict.story is not None:
                result.flagged_keys.add(verdict.story.url or verdict.story.title)
            continue
        alert = decode(record, Alert)
        result.by_severity[alert.severity] += 1
        year, week, _ = datetime.fromisoformat(alert.created_at).isocalendar()
        result.by_week[f"{year}-W{week:02d}"] += 1
        show(alert)


def stories_from(items: Iterable[dict[str, Any]]) -> Iterator[Story]:
    """Return items as the poller would have published them."""
    now = EPOCH
    for number, item in enumerate(items, start=1):
        now = _moment(item.get("published"), now)
        yield _story(item, number, now)


def _moment(text: object, before: datetime) -> datetime:
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) else before
        aware = found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return before
    return aware if EPOCH <= aware < LATEST else before


def _story(item: dict[str, Any], number: int, now: datetime) -> Story:
    url = _text(item, "url")[:LINK_MAX]
    outlet = _text(item, "source") or registered_domain(url) or "unknown"
    domain = registered_domain(outlet if "://" in outlet else url) or "unknown"
    title, summary, text = (_text(item, key) for key in ("title", "summary", "text"))
    content = stable_id(title, summary, text)
    feed_id = stable_id(outlet)
    return Story(
        id=stable_id(feed_id, _text(item, "id") or url or f"line:{number}"),
        revision=1,
        change="new",
        arrival="live",
        feed_id=feed_id,
        source=Source(name=domain, domain=domain, kind="newspaper"),
        guid=url,
        url=url,
        canonical_url=canonical_url(url),
        title=title[:TITLE_MAX],
        summary=summary[:TEXT_MAX],
        text=text[:TEXT_MAX] or None,
        language=_text(item, "language") or None,
        published=stamp(now),
        first_seen=stamp(now),
        fetched_at=stamp(now),
        content_hash=content,
        body_sha256=content,
    )


def _text(item: dict[str, Any], key: str) -> str:
    """Return a field as text; lone surrogates, which no message can carry, become question marks."""
    value = item.get(key)
    return "" if value is None else str(value).encode("utf-8", "replace").decode()


def message_of(story: Story, partitions: int) -> Message:
    """Return a story as it goes to the log."""
    partition = partition_for(story.source.domain, partitions)
    return encode(
        STORIES,
        story,
        partition=partition,
        key=story.id,
        source="backtest",
        at=story.first_seen,
        trace=story.id,
    )
