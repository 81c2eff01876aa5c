"""Did the day lead to the alerts it must lead to? Pure: expected events, alerts and items in, plain lines out.

An alert belongs to an event when one of its sources has the address of one of the event's items. What is filed as
``backfill`` is no alert to anyone and is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from schemas.alert import Alert
from services.demo.load import DAY_FOLDER, StrictTable, faults_of, refuse, tables
from services.demo.model import DemoItem
from services.text.times import moment
from services.text.urls import canonical_url


@dataclass(frozen=True, slots=True)
class ExpectedEvent:
    """Something that happens on the day, and what its readers must or must not be told."""

    id: str
    title: str
    items: tuple[str, ...]
    must_minutes: int | None = None
    at_most: int | None = None
    never: bool = False
    why: str = ""


class _EventTable(StrictTable):
    id: str
    title: str
    items: Annotated[tuple[str, ...], Field(min_length=1)]
    must: Annotated[int, Field(gt=0)] | None = None
    at_most: Annotated[int, Field(gt=0)] | None = None
    never: bool = False
    why: str = ""


def load_expected(folder: Path = DAY_FOLDER) -> tuple[ExpectedEvent, ...]:
    """Read ``expected_alerts.toml``; DayError names every event that cannot be used."""
    path = folder / "expected_alerts.toml"
    events: list[ExpectedEvent] = []
    problems: list[str] = []
    for number, table in enumerate(tables(path, "events"), 1):
        name = f"{path.name}: {table.get('id', f'event {number}')}"
        try:
            read = _EventTable.model_validate(table)
        except ValidationError as error:
            problems.extend(faults_of(name, error))
            continue
        if read.never and (read.must or read.at_most or not read.why):
            problems.append(f"{name}: never needs a why, and goes with neither must nor at_most")
        events.append(
            ExpectedEvent(read.id, read.title, read.items, read.must, read.at_most, read.never, read.why)
        )
    refuse(problems)
    return tuple(events)


def check(expected: Sequence[ExpectedEvent], alerts: Iterable[Alert], items: Iterable[DemoItem]) -> list[str]:
    """Return one line for each thing that is missing, late, too many, forbidden or extra; none when all is well."""
    by_id = {item.id: item for item in items}
    pushed = sorted((a for a in alerts if a.arrival != "backfill"), key=lambda a: (a.detected_at, a.id))
    homes = _homes(expected, by_id)
    told: dict[str, list[Alert]] = {event.id: [] for event in expected}
    lines: list[str] = []
    for alert in pushed:
        found = {homes[url] for url in _addresses(alert) if url in homes}
        for event_id in found:
            told[event_id].append(alert)
        if not found:
            lines.append(f"extra: {_named(alert)} <{alert.headline_url}>: no event expects it")
    return [line for event in expected for line in _judged(event, told[event.id], by_id)] + lines


def _homes(expected: Iterable[ExpectedEvent], items: Mapping[str, DemoItem]) -> dict[str, str]:
    """Return which event each address belongs to."""
    return {
        canonical_url(items[name].link): event.id
        for event in expected
        for name in event.items
        if name in items
    }


def _addresses(alert: Alert) -> set[str]:
    """Return the addresses of everything behind an alert."""
    return {canonical_url(url) for url in (alert.headline_url, *(source.url for source in alert.sources))}


def _judged(event: ExpectedEvent, told: Sequence[Alert], items: Mapping[str, DemoItem]) -> list[str]:
    """Return what is wrong with the alerts of one event."""
    lines = [f"unknown item: {event.id}: {name}" for name in event.items if name not in items]
    if event.never:
        lines += [f"never: {event.id}: {_named(alert)}, but {event.why}" for alert in told]
    known = [items[name].at for name in event.items if name in items]
    if event.must_minutes is not None and known:
        lines += _in_time(event, told, min(known) + timedelta(minutes=event.must_minutes))
    if event.at_most is not None and len(told) > event.at_most:
        lines.append(f"too many: {event.id}: {len(told)} alerts, at most {event.at_most}: {event.title}")
    return lines


def _in_time(event: ExpectedEvent, told: Sequence[Alert], deadline: datetime) -> list[str]:
    """Return a line when the first alert is missing or late."""
    if not told:
        return [f"missing: {event.id}: no alert, wanted by {deadline:%H:%M}: {event.title}"]
    first = moment(told[0].detected_at)
    if first > deadline:
        return [f"late: {event.id}: first alert at {first:%H:%M}, wanted by {deadline:%H:%M}: {event.title}"]
    return []


def _named(alert: Alert) -> str:
    """Return an alert in a few words."""
    return f"{moment(alert.detected_at):%H:%M} {alert.kind} {alert.title!r}"
