"""An invented world for chaos: feeds whose documents grow page by page. The same seed gives the same world.

All members of one storyline stand in one feed, in order, so that what becomes of them depends on no interleaving.
A document leaves out what the reader's own validator says it has: were a validator ever ahead of its stories, the
stories would be missing for good.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from functools import cached_property
from html import escape

from services.text.ids import stable_id
from services.text.urls import partition_for

PARTITIONS = 6
HOSTS_EACH = 2
"""Hosts for each partition, so that every lane has work and a host is not all of it."""
ARMS_SHARE, NEAR_SHARE = 0.01, 0.02
OVERLAP = 5
"""Entries of a document that its reader has already."""
SIZES = (1, 1, 2, 2, 3, 4)
"""Members of a storyline: one of these."""
REVISED_SHARE = 0.5
FIRST_NUMBER = 1_000

ARMS = (
    "North Korea ships {n} artillery shells to Russia, harbour office says",
    "Seoul: Pyongyang sent {n} containers of ammunition to Russia",
    "Russia gives North Korea {n} air defence launchers, ministry says",
    "Russia denies receiving {n} rockets from North Korea",
    "Russian minister visits Pyongyang for military cooperation talks, day {n}",
)
REVISED = (
    "Corrected: North Korea ships {n} artillery shells and missiles to Russia",
    "Russia denies report of {n} missiles from North Korea",
    "Harbour office withdraws its report number {n}",
)
"""A storyline may rise, be denied, or stop matching."""
NEAR = "North Korea and Russia agree on fishing quota number {n}"
PLAIN = "Town council plants {n} lime trees along the old canal"
COPIED_BY = ("", " - Harbour Courier", " | Evening Post")
SUMMARY = "Residents of Eastmere were told on Monday; the office gave no further details of number {n}."


@dataclass(frozen=True, slots=True)
class Item:
    """One wording of one entry; ``born`` is the page that held the entry first."""

    name: str
    title: str
    summary: str
    born: int
    revision: int = 1


@dataclass(frozen=True, slots=True)
class Site:
    """One feed and its pages, each what it publishes at one moment, oldest first."""

    name: str
    host: str
    pages: tuple[tuple[Item, ...], ...]

    def waits_for(self, page: int) -> int:
        """Return the page that must have been read before this one comes out: what is revised was seen before."""
        return max((item.born for item in self.pages[page] if item.revision > 1), default=-1)


@dataclass(frozen=True, slots=True)
class Shape:
    """How large a world is."""

    sites: int
    pages: int
    entries: int
    """On each page; page 0, which every reader files, holds one."""

    @property
    def stories(self) -> int:
        """How many entries there are."""
        return self.sites * (self.pages * self.entries + 1)


class World:
    """The feeds, and what they say when."""

    def __init__(self, seed: int, shape: Shape) -> None:
        """Invent the world of a seed."""
        self.seed = seed
        self.shape = shape

    @cached_property
    def sites(self) -> Mapping[str, Site]:
        """The feeds by name."""
        draw = random.Random(self.seed)
        hosts = some_hosts()
        titles = _arms(draw, self.shape)
        return {
            name: Site(name, hosts[number % len(hosts)], _pages(name, number, self.shape, titles))
            for number in range(self.shape.sites)
            if (name := f"gazette-{number}")
        }

    def url(self, site: Site, port: int) -> str:
        """Return the address of a feed."""
        return f"http://{site.host}:{port}/feeds/{site.name}"

    def wanted(self, port: int) -> dict[str, list[tuple[str, int]]]:
        """Return for each feed id the stories it must come to: (story id, revision), as they came out."""
        return {
            feed_id: [(stable_id(feed_id, item.name), item.revision) for page in site.pages for item in page]
            for site in self.sites.values()
            if (feed_id := stable_id(self.url(site, port)))
        }

    def feed_list(self, port: int) -> str:
        """Return the list of feeds as an operator writes it."""
        return "\n".join(
            f'[[feeds]]\nxmlUrl = "{self.url(site, port)}"\ntitle = "{site.name.title()}"\nlanguage = "en"\n'
            for site in self.sites.values()
        )


def some_hosts() -> list[str]:
    """Return loopback addresses whose feeds fill every partition alike."""
    found: dict[int, list[str]] = {number: [] for number in range(PARTITIONS)}
    for last in range(2, 255):
        host = f"127.0.0.{last}"
        hosts = found[partition_for(host, PARTITIONS)]
        if len(hosts) < HOSTS_EACH:
            hosts.append(host)
    return [host for turn in range(HOSTS_EACH) for host in (hosts[turn] for hosts in found.values())]


Place = tuple[int, int, int]
"""Site, page, entry."""


@dataclass(frozen=True, slots=True)
class _Titles:
    """The entries that are not plain, and the second wordings by (site, page)."""

    first: Mapping[Place, str]
    again: Mapping[tuple[int, int], Sequence[tuple[Place, str]]]


def _arms(draw: random.Random, shape: Shape) -> _Titles:
    """Place storylines and near misses; no two storylines share a number, and so no title."""
    first: dict[Place, str] = {}
    again: dict[tuple[int, int], list[tuple[Place, str]]] = {}
    number = FIRST_NUMBER
    while len(first) < shape.stories * ARMS_SHARE:
        number += 1
        title = draw.choice(ARMS).format(n=number)
        places = _free_places(draw, shape, first)
        first |= {place: title + (draw.choice(COPIED_BY) if at else "") for at, place in enumerate(places)}
        site, page, _ = places[0]
        if page < shape.pages and draw.random() < REVISED_SHARE:
            later = draw.randint(page + 1, shape.pages)
            again.setdefault((site, later), []).append((places[0], draw.choice(REVISED).format(n=number)))
    for _ in range(int(shape.stories * NEAR_SHARE)):
        number += 1
        first.setdefault(_place(draw, shape, draw.randrange(shape.sites)), NEAR.format(n=number))
    return _Titles(first, again)


def _free_places(draw: random.Random, shape: Shape, taken: Mapping[Place, str]) -> list[Place]:
    site, size = draw.randrange(shape.sites), draw.choice(SIZES)
    places = {_place(draw, shape, site) for _ in range(size)} - taken.keys()
    return sorted(places) or _free_places(draw, shape, taken)


def _place(draw: random.Random, shape: Shape, site: int) -> Place:
    return site, draw.randint(1, shape.pages), draw.randrange(shape.entries)


def _pages(name: str, site: int, shape: Shape, titles: _Titles) -> tuple[tuple[Item, ...], ...]:
    """Return the pages of a feed; second wordings come at the end of the page that brings them."""
    pages: list[tuple[Item, ...]] = [(_item(name, (site, 0, 0), {}),)]
    for page in range(1, shape.pages + 1):
        items = [_item(name, (site, page, entry), titles.first) for entry in range(shape.entries)]
        for place, title in titles.again.get((site, page), ()):
            items.append(Item(_name(name, place), title, SUMMARY.format(n=place[2]), place[1], revision=2))
        pages.append(tuple(items))
    return tuple(pages)


def _item(name: str, place: Place, titles: Mapping[Place, str]) -> Item:
    title = titles.get(place) or PLAIN.format(n=f"{place[0]}-{place[1]}-{place[2]}")
    return Item(_name(name, place), title, SUMMARY.format(n=place[2]), place[1])


def _name(name: str, place: Place) -> str:
    return f"{name}/{place[1]}/{place[2]}"


def document(site: Site, known: int, times: Sequence[datetime]) -> bytes:
    """Return a feed for a reader who has the pages up to ``known`` (-1: none); ``times``: when each page came out."""
    newest: dict[str, Item] = {}
    for page in site.pages[: len(times)]:
        newest |= {item.name: item for item in page}
    fresh = {item.name for page in site.pages[known + 1 : len(times)] for item in page}
    older = [name for name in newest if name not in fresh][-OVERLAP:]
    shown = [item for name, item in newest.items() if name in fresh or name in older]
    items = "".join(_rss(site, item, times[item.born]) for item in reversed(shown))
    return f"<rss version='2.0'><channel><title>{site.name}</title>{items}</channel></rss>".encode()


def _rss(site: Site, item: Item, at: datetime) -> str:
    link = f"https://{site.name}.example/{item.name}"
    return (
        f"<item><guid isPermaLink='false'>{item.name}</guid><link>{link}</link><title>{escape(item.title)}</title>"
        f"<description>{escape(item.summary)}</description><pubDate>{format_datetime(at)}</pubDate></item>"
    )


def etag(page: int) -> str:
    """Return the validator of a document with the pages up to this one."""
    return f'"page-{page}"'


def known_page(validator: str | None) -> int:
    """Return what a request's validator says its sender has; -1 without one."""
    return int(validator.strip('"').removeprefix("page-")) if validator else -1


def numbered(sites: Mapping[str, Site]) -> Iterator[tuple[float, Site]]:
    """Yield each feed with its share, 0 to 1, of a page's time: they do not all publish at once."""
    for number, site in enumerate(sites.values()):
        yield number / len(sites), site
