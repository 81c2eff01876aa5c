"""Read the source texts of the day; every problem is named with its file and entry, all at once."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError

from schemas.story import SourceKind, Trust
from services.demo.model import (
    DAY_END,
    DAY_START,
    Behaviour,
    DayError,
    DemoFeed,
    DemoItem,
    Effect,
    Fault,
    Format,
    Revision,
    Validators,
)

DAY_FOLDER = Path(__file__).parent / "day"

_CLOCK = re.compile(r"(?:-(\d{1,3})d )?(\d\d):(\d\d)")
_SLUG = r"^[a-z0-9][a-z0-9-]*$"
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot carry, not even escaped; JSON Feed can."""


def day_moment(text: object) -> datetime:
    """Read ``07:42`` as a moment of the day and ``-3d 14:00`` as one before it; ValueError says what is wrong."""
    match = _CLOCK.fullmatch(str(text))
    if match is None or int(match[2]) > 23 or int(match[3]) > 59:  # noqa: PLR2004 - hours and minutes of a clock
        message = f"not a time of the day: {text!r} (write 07:42 or -3d 14:00)"
        raise ValueError(message)
    return DAY_START + timedelta(days=-int(match[1] or 0), hours=int(match[2]), minutes=int(match[3]))


When = Annotated[datetime, BeforeValidator(day_moment)]
Line = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
Prose = Annotated[str, StringConstraints(strip_whitespace=True)]


class StrictTable(BaseModel):
    """A table of a source file: an unknown key is a mistake of its writer."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class _RevisionTable(StrictTable):
    at: When
    title: Line | None = None
    summary: Prose | None = None
    text: Prose | None = None


class _ItemTable(StrictTable):
    id: Annotated[str, StringConstraints(pattern=_SLUG)]
    at: When
    title: Annotated[str, StringConstraints(min_length=1)]
    summary: Prose
    feed: str | None = None
    text: Prose = ""
    link: str | None = None
    guid: str | None = None
    author: str = ""
    published: When | None = None
    credit: str = ""
    revisions: tuple[_RevisionTable, ...] = ()


class _BehaviourTable(StrictTable):
    since: When = Field(DAY_START, alias="from")
    until: When | None = None
    status: Annotated[int, Field(ge=300, le=599)] | None = None
    retry_after: Annotated[int, Field(gt=0)] | None = None
    fault: Literal["timeout", "dns", "connect", "redirect-loop"] | None = None
    only: Literal["304"] | None = None
    html: bool = False
    empty: bool = False
    oversized: bool = False
    truncate: bool = False
    silent_from: When | None = None
    malformed_from: When | None = None


class _FeedTable(StrictTable):
    slug: Annotated[str, StringConstraints(pattern=_SLUG)]
    title: Line
    url: Annotated[str, StringConstraints(pattern=r"^https://[a-z0-9.-]+\.example/")]
    site: Annotated[str, StringConstraints(pattern=r"^https://[a-z0-9.-]+\.example/$")]
    format: Format
    language: Line
    country: Annotated[str, StringConstraints(pattern="^[A-Z]{2}$")]
    kind: SourceKind
    trust: Trust
    label: str | None = None
    category: str | None = None
    interval: str | None = None
    priority: Literal["normal", "breaking"] = "normal"
    full_text: Literal["never", "candidates"] | None = None
    description: Line
    encoding: str = "utf-8"
    items_shown: Annotated[int, Field(ge=1, le=100)] = 25
    gzip: bool = False
    validators: Validators = "both"
    max_age: Annotated[int, Field(ge=0)] | None = None
    ttl: Annotated[int, Field(ge=1)] | None = None
    update_period: Literal["hourly", "daily"] | None = None
    behaviour: tuple[_BehaviourTable, ...] = ()


def load_feeds(folder: Path) -> tuple[DemoFeed, ...]:
    """Read ``feeds.toml``; DayError names every table that cannot be used."""
    path = folder / "feeds.toml"
    problems: list[str] = []
    feeds: list[DemoFeed] = []
    for number, table in enumerate(tables(path, "feeds"), 1):
        name = f"{path.name}: {table.get('slug', f'feed {number}')}"
        try:
            feeds.append(_feed(_FeedTable.model_validate(table)))
        except ValidationError as error:
            problems.extend(faults_of(name, error))
    problems += [f"{path.name}: slug {slug} stands twice" for slug in _twice(f.slug for f in feeds)]
    problems += [f"{path.name}: url {url} stands twice" for url in _twice(f.url for f in feeds)]
    refuse(problems)
    return tuple(feeds)


def load_items(folder: Path, feeds: Iterable[DemoFeed]) -> tuple[DemoItem, ...]:
    """Read every entry under ``board/`` and ``items/``, oldest first; DayError names every bad one."""
    known = {feed.slug: feed for feed in feeds}
    problems: list[str] = []
    items: list[DemoItem] = []
    for path in sorted([*folder.glob("board/*.toml"), *folder.glob("items/*.toml")]):
        for number, table in enumerate(tables(path, "items"), 1):
            name = f"{path.parent.name}/{path.name}: {table.get('id', f'item {number}')}"
            found = _item(name, table, path, known)
            if isinstance(found, DemoItem):
                items.append(found)
            else:
                problems.extend(found)
    problems += [f"id {name} stands twice" for name in _twice(i.id for i in items)]
    refuse(problems)
    return tuple(sorted(items, key=lambda item: (item.at, item.id)))


def tables(path: Path, name: str) -> list[dict[str, Any]]:
    """Return the tables ``[[name]]`` of a TOML file."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        message = f"{path.parent.name}/{path.name}: {error}"
        raise DayError(message) from error
    tables = document.get(name, [])
    extra = sorted(set(document) - {name})
    if extra or not isinstance(tables, list):
        message = f"{path.parent.name}/{path.name}: only [[{name}]] is known, found {', '.join(extra)}"
        raise DayError(message)
    return tables


def _item(
    name: str, table: dict[str, Any], path: Path, feeds: Mapping[str, DemoFeed]
) -> DemoItem | list[str]:
    """Return the entry, or what is wrong with it."""
    try:
        read = _ItemTable.model_validate(table)
    except ValidationError as error:
        return faults_of(name, error)
    slug = path.stem if path.parent.name == "items" else read.feed
    if slug is None or read.feed not in (None, slug):
        return [f"{name}: feed is missing or does not fit its file (a board entry names its outlet)"]
    if slug not in feeds:
        return [f"{name}: no outlet {slug} in feeds.toml"]
    problems = [f"{name}: at lies after the day"] if read.at >= DAY_END else []
    if feeds[slug].format != "json" and (found := _NOT_IN_XML.search("".join(_texts(table)))):
        problems.append(f"{name}: character {found[0]!r} cannot stand in XML")
    return problems or _placed(read, feeds[slug])


def _texts(table: object) -> Iterator[str]:
    """Yield every string of a table, however deep."""
    if isinstance(table, str):
        yield table
    if isinstance(table, dict):
        table = list(table.values())
    if isinstance(table, list):
        for part in table:
            yield from _texts(part)


def _placed(read: _ItemTable, feed: DemoFeed) -> DemoItem:
    """Return the entry with what its outlet gives it: address and identity."""
    link = read.link or f"{feed.site}2026/{read.id}"
    return DemoItem(
        id=read.id,
        feed=feed.slug,
        at=read.at,
        published=read.published or read.at,
        link=link,
        guid=read.guid or f"tag:{urlsplit(feed.site).hostname},2026:{read.id}",
        title=read.title,
        summary=read.summary,
        text=read.text,
        author=read.author,
        credit=read.credit,
        revisions=tuple(Revision(r.at, r.title, r.summary, r.text) for r in read.revisions),
    )


def _feed(read: _FeedTable) -> DemoFeed:
    """Return the outlet of its table."""
    same = read.model_dump(exclude={"max_age", "ttl", "behaviour"})
    behaviour = tuple(_behaviour(table) for table in read.behaviour)
    return DemoFeed(**same, max_age_s=read.max_age, ttl_minutes=read.ttl, behaviour=behaviour)


def _behaviour(read: _BehaviourTable) -> Behaviour:
    """Return what a behaviour table asks for."""
    since = read.silent_from or read.malformed_from or read.since
    flags: dict[Effect, bool] = {
        "status": read.status is not None,
        "fault": read.fault is not None,
        "not-modified": read.only == "304",
        "html": read.html,
        "empty": read.empty,
        "oversized": read.oversized,
        "truncate": read.truncate,
        "silent": read.silent_from is not None,
        "malformed": read.malformed_from is not None,
    }
    effects = [effect for effect, wanted in flags.items() if wanted]
    if len(effects) != 1:
        message = f"feeds.toml: a behaviour has exactly one effect, found {', '.join(effects) or 'none'}"
        raise DayError(message)
    fault: Fault | None = "redirects" if read.fault == "redirect-loop" else read.fault
    return Behaviour(effects[0], since, read.until or DAY_END, read.status or 200, read.retry_after, fault)


def faults_of(name: str, error: ValidationError) -> list[str]:
    """Return one line for each thing a table has wrong."""
    return [f"{name}: {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]


def _twice(names: Iterable[str]) -> list[str]:
    """Return the names that occur more than once."""
    return sorted(name for name, times in Counter(names).items() if times > 1)


def refuse(problems: list[str]) -> None:
    """Raise when anything was found wrong."""
    if problems:
        raise DayError("\n".join(problems))
