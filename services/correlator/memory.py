"""What a correlator lane holds in memory: storylines, members, what was told, and how to find a member again.

A step works on a draft, whose reads fall through to the memory and whose writes stay apart until the commit.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from services.correlator.group import FOURTEEN_DAYS, article_url
from services.text.times import moment, stamp

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from schemas.storyline import Storyline
    from schemas.storyline_member import StorylineMember
    from services.correlator.news import Told

PRUNE_EVERY = timedelta(days=1)
"""The index of recent members may be this much longer than FOURTEEN_DAYS, which ``place`` checks itself."""

K = TypeVar("K")
V = TypeVar("V")
Ids: TypeAlias = tuple[str, ...]


@dataclass(slots=True)
class Memory:
    """The state of one lane, or a draft over it."""

    storylines: MutableMapping[str, Storyline] = field(default_factory=dict)
    members: MutableMapping[str, StorylineMember] = field(default_factory=dict)
    """By story id. Members older than FOURTEEN_DAYS keep no signature."""
    lines: MutableMapping[str, Ids] = field(default_factory=dict)
    """Story ids of each storyline."""
    told: MutableMapping[str, Told] = field(default_factory=dict)
    """The last alert of each storyline."""
    urls: MutableMapping[str, Ids] = field(default_factory=dict)
    titles: MutableMapping[str, Ids] = field(default_factory=dict)
    """Story ids that have, or had in an earlier revision, this URL or title key: whoever finds checks."""
    pruned_at: str = ""

    def draft(self) -> Memory:
        """Return a memory that reads through to this one and keeps its writes."""
        return Memory(
            ChainMap({}, self.storylines),
            ChainMap({}, self.members),
            ChainMap({}, self.lines),
            ChainMap({}, self.told),
            ChainMap({}, self.urls),
            ChainMap({}, self.titles),
        )

    def absorb(self, draft: Memory) -> None:
        """Take over what a draft wrote, and let old members go from the index once a day of event time."""
        self.storylines.update(written(draft.storylines))
        self.members.update(written(draft.members))
        self.lines.update(written(draft.lines))
        self.told.update(written(draft.told))
        self.urls.update(written(draft.urls))
        self.titles.update(written(draft.titles))
        newest = max((member.first_seen for member in written(draft.members).values()), default="")
        if newest and (not self.pruned_at or moment(newest) - moment(self.pruned_at) >= PRUNE_EVERY):
            self._prune(stamp(moment(newest) - FOURTEEN_DAYS))
            self.pruned_at = newest

    def put(self, member: StorylineMember) -> None:
        """Hold a member and let it be found."""
        _add(self.lines, member.storyline_id, member.story_id)
        _add(self.urls, article_url(member.url), member.story_id)
        _add(self.titles, member.fingerprint.title_key, member.story_id)
        self.members[member.story_id] = member

    def of(self, storyline_id: str) -> tuple[StorylineMember, ...]:
        """Return the members of a storyline, the origin first, then by time: the same after every restart."""
        members = (self.members[story_id] for story_id in self.lines.get(storyline_id, ()))
        return tuple(sorted(members, key=lambda one: (one.role != "origin", one.first_seen, one.story_id)))

    def with_url(self, url: str) -> Iterator[StorylineMember]:
        """Yield the recent members with this canonical URL."""
        members = (self.members[story_id] for story_id in self.urls.get(url, ()))
        return (member for member in members if article_url(member.url) == url)

    def with_title(self, title_key: str) -> Iterator[StorylineMember]:
        """Yield the recent members with this title key."""
        members = (self.members[story_id] for story_id in self.titles.get(title_key, ()))
        return (member for member in members if member.fingerprint.title_key == title_key)

    def forget(self, storyline_ids: Collection[str]) -> None:
        """Let storylines and their members go. Not for drafts."""
        gone = {story_id for storyline_id in storyline_ids for story_id in self.lines.get(storyline_id, ())}
        for storyline_id in storyline_ids:
            self.lines.pop(storyline_id, None)
            self.storylines.pop(storyline_id, None)
            self.told.pop(storyline_id, None)
        self._unindex(gone)
        for story_id in gone:
            del self.members[story_id]

    def _prune(self, oldest: str) -> None:
        """Drop members seen before ``oldest`` from the index, and their signatures."""
        old = {story_id for story_id, member in self.members.items() if member.first_seen < oldest}
        self._unindex(old)
        for member in [self.members[story_id] for story_id in old]:
            if member.fingerprint.signature:
                bare = member.fingerprint.model_copy(update={"signature": (), "paragraphs": ()})
                self.members[member.story_id] = member.model_copy(update={"fingerprint": bare})

    def _unindex(self, gone: Collection[str]) -> None:
        for index in (self.urls, self.titles):
            for key, story_ids in list(index.items()):
                if kept := tuple(story_id for story_id in story_ids if story_id not in gone):
                    index[key] = kept
                else:
                    del index[key]


def written(draft: MutableMapping[K, V]) -> MutableMapping[K, V]:
    """Return what was written to a draft's mapping."""
    return draft.maps[0] if isinstance(draft, ChainMap) else draft


def _add(index: MutableMapping[str, Ids], key: str | None, story_id: str) -> None:
    if key and story_id not in (known := index.get(key, ())):
        index[key] = (*known, story_id)
