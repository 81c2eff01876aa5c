"""Lists onto the log: feeds and subscribers, what changed and no more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from schemas import Feed, Subscriber
from services.alerter.subscriberlist import read_subscribers, subscriber_messages
from services.bootstrap.reading import latest
from services.bus.topics import FEEDS, SUBSCRIBERS
from services.obs import log
from services.poller.feedlist import feed_messages, read_feed_list
from services.text.times import stamp

if TYPE_CHECKING:
    from datetime import datetime

    from services.bus.ports import Bus


async def import_feeds(
    bus: Bus, data: bytes, name: str, now: datetime, *, replace: bool = False
) -> list[str]:
    """Put a feed list on the log and return its problems, a line each; with ``replace``, others are removed."""
    found = read_feed_list(data, name)
    known = {feed.id: feed async for feed in latest(bus, FEEDS, Feed)}
    partitions = await bus.partitions(FEEDS.name)
    messages = feed_messages(found.feeds, known, partitions, now, replace=replace)
    await bus.append(messages)
    problems = [str(problem) for problem in found.problems]
    _warn(name, problems)
    log.emit("feeds.imported", file=name, feeds=len(found.feeds), skipped=len(problems))
    return problems


async def import_subscribers(
    bus: Bus, text: str, name: str, now: datetime, *, replace: bool = False
) -> list[str]:
    """Put a subscriber list on the log and return its problems, a line each."""
    found = read_subscribers(text, name)
    known = {one.id: one async for one in latest(bus, SUBSCRIBERS, Subscriber)}
    fresh = [one for one in found.subscribers if known.get(one.id) != one]
    listed = {one.id for one in found.subscribers}
    unlisted = [key for key in known if key not in listed]
    messages = subscriber_messages(fresh, at=stamp(now), known=unlisted, replace=replace)
    await bus.append(messages)
    problems = [str(problem) for problem in found.problems]
    _warn(name, problems)
    log.emit("subscribers.imported", file=name, subscribers=len(found.subscribers), skipped=len(problems))
    return problems


def _warn(name: str, problems: Sequence[str]) -> None:
    for problem in problems:
        log.emit("settings.ignored", file=name, detail=problem)
