"""Lists from files onto the log: feeds and subscribers, what changed and no more."""

# ruff: noqa: PLC0415 - a service that is given no list starts without what reads one

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from schemas import Feed, Subscriber
from services.bootstrap.reading import latest
from services.bus.topics import FEEDS, SUBSCRIBERS
from services.obs import log
from services.settings import KAFKA, SettingsError
from services.text.times import stamp

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from services.alerter.subscriberlist import SubscriberList
    from services.bus.ports import Bus
    from services.poller.feedlist import FeedList
    from services.settings import Settings
    from services.text.tables import Problem

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Changes:
    """What an import did to the log, in entries of the list; only ``removed`` are of the log alone."""

    added: int
    changed: int
    removed: int
    unchanged: int


def read_list(path: str) -> bytes:
    """Return a list's bytes; SettingsError names the file and why it cannot be read."""
    from services.poller.rows import LIST_BYTES_MAX

    try:
        with Path(path).open("rb") as file:
            data = file.read(LIST_BYTES_MAX + 1)
    except OSError as error:
        message = f"{path}: cannot be read: {error.strerror}"
        raise SettingsError(message) from error
    if len(data) > LIST_BYTES_MAX:
        message = f"{path}: larger than {LIST_BYTES_MAX >> 20} MiB"
        raise SettingsError(message)
    return data


async def import_settings_lists(bus: Bus, settings: Settings, now: datetime, *, strict: bool) -> None:
    """Import ``feeds`` and ``subscribers`` of the settings; with ``strict`` any problem ends it before it writes.

    A log on Kafka has many hosts: an old one that starts again must not roll back a newer list, so there only the
    import commands write.
    """
    if settings.bus.startswith(KAFKA):
        for kind, file in (("feeds", settings.feeds), ("subscribers", settings.subscribers)):
            if file:
                log.emit("list.not_imported", file=file, run=f"tumen {kind} import {file}")
        return
    if not (settings.feeds or settings.subscribers):
        return
    from services.alerter.subscriberlist import read_subscribers
    from services.poller.feedlist import read_feed_list

    feeds = read_feed_list(read_list(settings.feeds), settings.feeds) if settings.feeds else None
    people = (
        read_subscribers(read_list(settings.subscribers), settings.subscribers)
        if settings.subscribers
        else None
    )
    problems = [problem for found in (feeds, people) if found is not None for problem in found.problems]
    if strict and problems:
        raise SettingsError(str(problems[0]))
    _warn(problems)
    if feeds is not None and settings.feeds:
        await import_feeds(bus, feeds, settings.feeds, now)
    if people is not None and settings.subscribers:
        await import_subscribers(bus, people, settings.subscribers, now)


async def import_feeds(
    bus: Bus, found: FeedList, name: str, now: datetime, *, replace: bool = False
) -> Changes:
    """Put a feed list on the log; with ``replace``, feeds that it does not name are removed."""
    from services.poller.feedlist import feed_messages

    known = {feed.id: feed async for feed in latest(bus, FEEDS, Feed)}
    partitions = await bus.partitions(FEEDS.name)
    await bus.append(feed_messages(found.feeds, known, partitions, now, replace=replace))
    log.emit("feeds.imported", file=name, feeds=len(found.feeds), skipped=len(found.problems))
    return _changes(known, {feed.id: feed for feed in found.feeds}, replace=replace)


async def import_subscribers(
    bus: Bus, found: SubscriberList, name: str, now: datetime, *, replace: bool = False
) -> Changes:
    """Put a subscriber list on the log; with ``replace``, subscribers that it does not name are removed."""
    from services.alerter.subscriberlist import subscriber_messages

    known = {one.id: one async for one in latest(bus, SUBSCRIBERS, Subscriber)}
    fresh = [one for one in found.subscribers if known.get(one.id) != one]
    listed = {one.id: one for one in found.subscribers}
    unlisted = [key for key in known if key not in listed]
    await bus.append(subscriber_messages(fresh, at=stamp(now), known=unlisted, replace=replace))
    log.emit(
        "subscribers.imported",
        file=name,
        subscribers=len(found.subscribers),
        skipped=len(found.problems),
    )
    return _changes(known, listed, replace=replace)


def _changes(known: Mapping[str, T], listed: Mapping[str, T], *, replace: bool) -> Changes:
    both = listed.keys() & known.keys()
    unchanged = sum(known[key] == listed[key] for key in both)
    removed = len(known) - len(both) if replace else 0
    return Changes(len(listed) - len(both), len(both) - unchanged, removed, unchanged)


def _warn(problems: Sequence[Problem]) -> None:
    for problem in problems:
        log.emit("settings.ignored", file=problem.file, line=problem.line, detail=problem.what)
