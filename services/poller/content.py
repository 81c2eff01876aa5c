"""The content of a feed: which entries are news to us. Moved only by a document that was read.

Seen is decided by identity, never by date: two items of one second, a back-dated one and a re-ordered feed all count.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal, TypeAlias

from schemas.feed_seen import FeedSeen
from schemas.story import Source, Story
from services.poller.identity import HASH_DIGITS, headline, identify
from services.text.ids import stable_id
from services.text.times import moment, stamp
from services.text.urls import canonical_url, registered_domain

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from schemas.feed import Feed
    from schemas.feed_seen import SeenEntry
    from services.poller.identity import Identified
    from services.poller.model import Document, Entry

LATE_AFTER = timedelta(hours=6)
"""Published longer than this before we first saw it: late (contract)."""
FUTURE_MAX = timedelta(hours=24)
"""A date further ahead is a mistake, whatever the time zone."""
EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
"""No feed is older than the web; years like 1 or 1970 are mistakes of software."""
OUTAGE_LONG = timedelta(days=3)
RETURN_AGE_MAX = timedelta(days=14)
"""A feed that was away for OUTAGE_LONG may bring items older than this: they are filed, not news."""
REVISIONS_MAX = 24
"""Of one story: a page that embeds the time of day changes at every poll."""
FORGET_AFTER = timedelta(days=90)
SEEN_MAX = 5_000
"""Entries remembered after they left the document; those still in it always are."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Arrival: TypeAlias = Literal["live", "backfill", "late"]


@dataclass(frozen=True, slots=True)
class Content:
    """What a document changed: ``seen`` is None when nothing did."""

    seen: FeedSeen | None = None
    stories: tuple[Story, ...] = ()
    skipped: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """One document of one feed, with what is needed to judge its entries."""

    feed: Feed
    document: Document
    body_sha256: str
    seen: FeedSeen | None
    good: bool
    """Whether what is absent from the document has left it."""
    ok_at: datetime | None
    now: datetime

    @property
    def first(self) -> bool:
        """Whether this address was never read before."""
        return self.seen is None or self.seen.source_url != self.feed.url

    @property
    def returned(self) -> bool:
        """Whether the feed comes back after a long time."""
        return self.ok_at is not None and self.now - self.ok_at > OUTAGE_LONG


@dataclass(slots=True)
class _Work:
    """The seen-set while a document is worked through."""

    known: dict[str, SeenEntry]
    addresses: dict[str, str]
    named: dict[str, str]
    """Story ids that entries of this document have by their own id, and those entries' addresses."""
    present: dict[str, SeenEntry] = field(default_factory=dict)
    stories: list[Story] = field(default_factory=list)
    repeated: int = 0
    over_revisions: int = 0
    undatable: int = 0


def read_content(reading: Reading) -> Content:
    """Compare a document with what was seen; the stories come oldest first."""
    if not reading.document.entries and not (reading.first and reading.good):
        return Content()
    identified = identify(reading.document.entries)
    entries = () if reading.seen is None else reading.seen.entries
    named = {stable_id(reading.feed.id, item.identity): item.address for item in identified.entries}
    work = _Work({seen[0]: seen for seen in entries}, _addresses(entries, named), named)
    for item in _oldest_first(identified.entries, reading.now):
        _take(work, item, reading)
    counts = {
        "entry_repeated": work.repeated,
        "entry_undatable": work.undatable,
        "entry_over_limit": reading.document.over_limit,
        "revision_over_limit": work.over_revisions,
    }
    skipped = tuple((name, count) for name, count in counts.items() if count)
    return Content(_seen_after(work, reading), tuple(work.stories), (*identified.skipped, *skipped))


def _addresses(entries: Iterable[SeenEntry], named: Collection[str]) -> dict[str, str]:
    """Return the story that had each link and title.

    Of several, one that was there the last time and that no entry of this document has for its own: the same
    document read again must choose as it chose before.
    """
    worst_first = sorted(entries, key=lambda seen: (seen[0] in named, seen[6] != ""), reverse=True)
    return {seen[4]: seen[0] for seen in worst_first if seen[4]}


def _oldest_first(items: Iterable[Identified], now: datetime) -> list[Identified]:
    """Order by date, undated ones last; feeds put the newest first, so ties are read from the bottom."""
    ranked = sorted(enumerate(items), key=lambda pair: (pair[1].entry.published or now, -pair[0]))
    return [item for _, item in ranked]


def _take(work: _Work, item: Identified, reading: Reading) -> None:
    """Publish an entry if it is new or changed, and remember it."""
    story_id = _story_id(work, item, reading.feed)
    if story_id in work.present:
        work.repeated += 1
        return
    before = work.known.get(story_id)
    if before is not None and not _revised(work, before, item.entry, reading):
        work.present[story_id] = (*before[:4], item.address or before[4], before[5], "")
    else:
        story = _story(story_id, item.entry, before, reading)
        work.stories.append(story)
        work.undatable += story.published is None and bool(item.entry.published_raw)
        work.present[story_id] = _packed(story, item)
    if item.address:
        work.addresses[item.address] = story_id


def _story_id(work: _Work, item: Identified, feed: Feed) -> str:
    """Return the story of an entry: by its id, else the one that had this link and title under another id.

    Not, however, a story whose id now stands on an entry with another link or title: that one has moved on.
    """
    by_id = stable_id(feed.id, item.identity)
    if by_id in work.known or by_id in work.present:
        return by_id
    by_address = work.addresses.get(item.address, by_id)
    return by_address if work.named.get(by_address, item.address) == item.address else by_id


def _revised(work: _Work, before: SeenEntry, entry: Entry, reading: Reading) -> bool:
    """Tell whether a known entry says something else now; the end of a cut document proves nothing."""
    if not reading.good or before[3] == content_hash(entry)[:HASH_DIGITS]:
        return False
    if before[1] >= REVISIONS_MAX:
        work.over_revisions += 1
        return False
    return True


def _packed(story: Story, item: Identified) -> SeenEntry:
    content = story.content_hash[:HASH_DIGITS]
    first_seen = _unix_ms(story.first_seen)
    return (story.id, story.revision, headline(item.entry), content, item.address, first_seen, "")


def _story(story_id: str, entry: Entry, before: SeenEntry | None, reading: Reading) -> Story:
    published = _trusted(entry.published, reading.now)
    first_seen = reading.now if before is None else _moment(before[5])
    change = _change(entry, before)
    return Story(
        id=story_id,
        revision=1 if before is None else before[1] + 1,
        change=change,
        arrival=_arrival(published, first_seen, change, before, reading),
        feed_id=reading.feed.id,
        source=source_of(reading.feed),
        guid=entry.guid,
        url=entry.url,
        canonical_url=canonical_url(entry.url),
        title=entry.title,
        language=entry.language or reading.document.language or reading.feed.language,
        authors=entry.authors,
        published=None if published is None else stamp(published),
        published_raw=entry.published_raw,
        first_seen=stamp(first_seen),
        fetched_at=stamp(reading.now),
        content_hash=content_hash(entry),
        body_sha256=reading.body_sha256,
        truncated=entry.truncated,
        summary=entry.summary,
        text=entry.text,
    )


def source_of(feed: Feed) -> Source:
    """Return who publishes a feed, in the words of the list."""
    return Source(
        name=feed.title,
        domain=registered_domain(feed.url),
        country=feed.country,
        kind=feed.source_kind,
        label=feed.label,
        trust=feed.trust,
    )


def content_hash(entry: Entry) -> str:
    """Return the hash of what an entry says."""
    return stable_id(entry.title, entry.summary, "" if entry.text is None else f"+{entry.text}")


def _trusted(published: datetime | None, now: datetime) -> datetime | None:
    if published is None or published - now > FUTURE_MAX or published < EARLIEST:
        return None
    return published


def _change(entry: Entry, before: SeenEntry | None) -> Literal["new", "minor", "major"]:
    if before is None:
        return "new"
    return "minor" if before[2] == headline(entry) else "major"


def _arrival(
    published: datetime | None, first_seen: datetime, change: str, before: SeenEntry | None, reading: Reading
) -> Arrival:
    """Return how an entry came: filed in bulk, late, or live."""
    if before is None and _filed(published, reading):
        return "backfill"
    if before is not None and change == "minor" and _was_filed(before, reading.seen):
        return "backfill"
    if published is not None and first_seen - published > LATE_AFTER:
        return "late"
    return "live"


def _filed(published: datetime | None, reading: Reading) -> bool:
    """Tell whether an unknown entry belongs to the past of a feed that we only begin, or begin again, to know."""
    if reading.first or reading.seen is None:
        return True
    age = None if published is None else reading.now - published
    if reading.seen.first_good_at is None or not reading.seen.entries:
        return age is None or age > LATE_AFTER
    return reading.returned and age is not None and age > RETURN_AGE_MAX


def _was_filed(before: SeenEntry, seen: FeedSeen | None) -> bool:
    return seen is not None and (seen.first_good_at is None or before[5] <= _unix_ms(seen.first_good_at))


def _seen_after(work: _Work, reading: Reading) -> FeedSeen | None:
    """Return the new seen-set, or None when it holds what the old one does."""
    old = reading.seen
    left_on = reading.now.date().isoformat() if reading.good else ""
    gone = [(*entry[:6], entry[6] or left_on) for key, entry in work.known.items() if key not in work.present]
    kept = _remembered(gone, SEEN_MAX - len(work.present), reading.now)
    entries = (*kept, *work.present.values())
    first_good_at = None if reading.first or old is None else old.first_good_at
    if first_good_at is None and reading.good:
        first_good_at = stamp(reading.now)
    forgotten = (0 if old is None else old.forgotten) + len(gone) - len(kept)
    after = FeedSeen(
        id=reading.feed.id,
        first_good_at=first_good_at,
        source_url=reading.feed.url,
        entries=entries,
        forgotten=forgotten,
    )
    return None if old is not None and _same(old, after) else after


def _same(old: FeedSeen, new: FeedSeen) -> bool:
    """Tell whether two seen-sets hold the same; the order of entries is no content."""
    return (old.first_good_at, old.source_url, set(old.entries)) == (
        new.first_good_at,
        new.source_url,
        set(new.entries),
    )


def _remembered(gone: list[SeenEntry], room: int, now: datetime) -> list[SeenEntry]:
    """Drop what left long ago, then what left first beyond the room there is; what has not left stays."""
    oldest = (now - FORGET_AFTER).date().isoformat()
    inside = [entry for entry in gone if not entry[6]]
    left = sorted((entry for entry in gone if entry[6] >= oldest), key=lambda entry: (entry[6], entry[5]))
    return left[max(len(left) - max(room - len(inside), 0), 0) :] + inside


def _unix_ms(timestamp: str) -> int:
    return round(moment(timestamp).timestamp() * 1000)


def _moment(unix_ms: int) -> datetime:
    return EPOCH + timedelta(milliseconds=unix_ms)
