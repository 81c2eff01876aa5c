"""The audit of chaos: what `read_committed` readers see, held against what must be there. Every fault is one line.

Pure but for reading the log. A planted bug must make it speak, or its silence proves nothing.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, zip_longest
from typing import TYPE_CHECKING, Any, TypeVar

from schemas import Alert, Delivery, Storyline, StorylineMember
from services.bus.codec import decode
from services.bus.topics import (
    ALERTS,
    DELIVERIES,
    PRIMARY,
    STORIES,
    STORYLINE_MEMBERS,
    STORYLINES,
    VERDICTS,
)
from services.correlator.news import TIER_RANK

if TYPE_CHECKING:
    from schemas.common import Wire
    from services.bus.ports import Bus, Record
    from services.bus.topics import Topic

SHOWN_MAX = 5
"""Keys named in one line; the number says how many there are."""

M = TypeVar("M", bound="Wire")
K = TypeVar("K", bound=Hashable)


def once(what: str, wanted: Iterable[K], got: Iterable[K]) -> list[str]:
    """Return what is missing, what is there more than once, and what nobody expects."""
    counts, expected = Counter(got), set(wanted)
    return [
        f"{what}: {len(keys):,} {fault}: {_shown(keys)}"
        for fault, keys in (
            ("missing", [key for key in expected if not counts[key]]),
            ("double", [key for key, count in counts.items() if count > 1]),
            ("not expected", [key for key in counts if key not in expected]),
        )
        if keys
    ]


def _shown(keys: Iterable[Hashable]) -> str:
    texts = sorted(map(str, keys))
    return ", ".join(texts[:SHOWN_MAX]) + (" …" if len(texts) > SHOWN_MAX else "")


def rising(what: str, numbers: Mapping[str, Sequence[int]]) -> list[str]:
    """Return the keys whose numbers do not rise strictly: something was written twice, or out of order."""
    wrong = [key for key, row in numbers.items() if any(later <= earlier for earlier, later in pairwise(row))]
    return [f"{what}: {len(wrong):,} out of order: {_shown(wrong)}"] if wrong else []


def same(what: str, wanted: Mapping[str, Any], got: Mapping[str, Any]) -> list[str]:
    """Return the keys under which two results differ, with the first difference."""
    wrong = sorted(key for key in wanted.keys() | got.keys() if wanted.get(key) != got.get(key))
    if not wrong:
        return []
    first = wrong[0]
    return [f"{what}: {len(wrong):,} differ: {first}: {_change(wanted.get(first), got.get(first))}"]


def _change(wanted: Any, got: Any) -> str:
    """Return what became of a result; of a row, what is different first."""
    if not isinstance(wanted, list) and not isinstance(got, list):
        return f"{wanted} became {got}"
    pairs = enumerate(zip_longest(wanted or [], got or []))
    place, (one, other) = next((place, pair) for place, pair in pairs if pair[0] != pair[1])
    return f"{one} became {other} at {place:,}"


@dataclass(frozen=True, slots=True)
class Line:
    """A story or a verdict, as far as the audit looks at it."""

    partition: int
    feed_id: str
    story_id: str
    revision: int
    flagged: bool = False

    @property
    def key(self) -> str:
        """The story and its revision."""
        return f"{self.story_id}/{self.revision}"


@dataclass(frozen=True, slots=True)
class Ledger:
    """All that a run came to, record by record."""

    stories: tuple[Line, ...]
    verdicts: tuple[Line, ...]
    storylines: tuple[Storyline, ...]
    members: tuple[StorylineMember, ...]
    alerts: tuple[Alert, ...]
    deliveries: tuple[Delivery, ...]
    dead: int
    """Dead letters, of every topic."""

    @classmethod
    async def read(cls, bus: Bus) -> Ledger:
        """Read the log."""
        return cls(
            stories=tuple([_story(record) async for record in bus.read(STORIES.name)]),
            verdicts=tuple([_verdict(record) async for record in bus.read(VERDICTS.name)]),
            storylines=await _all(bus, STORYLINES, Storyline),
            members=await _all(bus, STORYLINE_MEMBERS, StorylineMember),
            alerts=await _all(bus, ALERTS, Alert),
            deliveries=await _all(bus, DELIVERIES, Delivery),
            dead=sum([1 for topic in PRIMARY async for _ in bus.read(topic.dlq.name)]),
        )

    def summary(self) -> str:
        """Return how much of everything there is."""
        flagged = sum(verdict.flagged for verdict in self.verdicts)
        return (
            f"{len(self.stories):,} stories, {len(self.verdicts):,} verdicts ({flagged:,} flagged), "
            f"{len(self.last(self.storylines)):,} storylines, {len(self.alerts):,} alerts, {self.dead} dead letters"
        )

    @staticmethod
    def last(records: Iterable[M]) -> dict[str, M]:
        """Return the last record of each id."""
        return {str(record.id): record for record in records}  # type: ignore[attr-defined]


async def _all(bus: Bus, topic: Topic, model: type[M]) -> tuple[M, ...]:
    return tuple([decode(record, model) async for record in bus.read(topic.name) if record.value is not None])


def _story(record: Record) -> Line:
    story = json.loads(record.value or b"")
    return Line(record.partition, story["feed_id"], story["id"], story["revision"])


def _verdict(record: Record) -> Line:
    verdict = json.loads(record.value or b"")
    story = verdict["story"]
    return Line(0, story["feed_id"], verdict["story_id"], verdict["story_revision"], verdict["flagged"])


def audit(
    wanted: Mapping[str, Sequence[tuple[str, int]]],
    undisturbed: Ledger,
    got: Ledger,
    *,
    verdicts_again: bool = False,
) -> list[str]:
    """Return every fault of a run: ``wanted`` are the world's stories, ``undisturbed`` is how it ends in peace.

    ``verdicts_again``: the classifier has forgotten what it judged, and says everything twice.
    """
    keys = [f"{story_id}/{revision}" for feed in wanted.values() for story_id, revision in feed]
    said = {verdict.key for verdict in got.verdicts} if verdicts_again else [one.key for one in got.verdicts]
    return [
        *once("stories", keys, [story.key for story in got.stories]),
        *_in_order(wanted, got, verdicts_again=verdicts_again),
        *once("verdicts", keys, said),
        *once("alerts", [alert.id for alert in undisturbed.alerts], [alert.id for alert in got.alerts]),
        *once("deliveries sent", [alert.id for alert in undisturbed.alerts], _sent(got.deliveries)),
        *same("storylines", outcome(undisturbed), outcome(got)),
        *same("fold of the alerts", fold(got.alerts), _folded(got)),
        *([f"dead letters: {got.dead:,}"] if got.dead else []),
    ]


def _in_order(
    wanted: Mapping[str, Sequence[tuple[str, int]]], got: Ledger, *, verdicts_again: bool
) -> list[str]:
    """Return what came out of order: stories within a feed, verdicts within a lane, states within a key."""
    places = {one: place for feed in wanted.values() for place, one in enumerate(feed)}
    feeds: dict[str, list[int]] = defaultdict(list)
    for story in got.stories:
        if story.revision == 1:
            feeds[story.feed_id].append(places.get((story.story_id, 1), -1))
    lanes: dict[str, list[int]] = defaultdict(list)
    numbers = {story.key: (story.partition, number) for number, story in enumerate(got.stories)}
    for verdict in () if verdicts_again else got.verdicts:
        partition, number = numbers.get(verdict.key, (-1, -1))
        lanes[str(partition)].append(number)
    return [
        *rising("stories of a feed", feeds),
        *rising("revisions of a story", _grouped((story.story_id, story.revision) for story in got.stories)),
        *rising("verdicts of a lane", lanes),
        *rising("revisions of a storyline", _grouped((line.id, line.revision) for line in got.storylines)),
        *rising("revisions of a member", _grouped((one.id, one.story_revision) for one in got.members)),
    ]


def _grouped(pairs: Iterable[tuple[str, int]]) -> dict[str, list[int]]:
    grouped: dict[str, list[int]] = defaultdict(list)
    for key, number in pairs:
        grouped[key].append(number)
    return grouped


def _sent(deliveries: Iterable[Delivery]) -> list[str]:
    return [delivery.alert_id for delivery in deliveries if delivery.status == "sent"]


def outcome(ledger: Ledger) -> dict[str, Any]:
    """Return what a run comes to, without its times: each storyline, its members and what was told of it."""
    members: dict[str, list[tuple[str, ...]]] = defaultdict(list)
    for one in ledger.last(ledger.members).values():
        members[one.storyline_id].append((one.story_id, one.role, one.copy_of or "", one.title))
    told: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for alert in ledger.alerts:
        told[alert.storyline_id].append((alert.id, alert.kind, alert.severity, alert.tier, alert.supersedes))
    return {
        line.id: {
            "state": line.state,
            "headline": line.headline,
            "tier": line.tier,
            "severity": line.severity,
            "counts": line.counts.model_dump(),
            "revision": line.revision,
            "members": sorted(members[line.id]),
            "alerts": told[line.id],
        }
        for line in ledger.last(ledger.storylines).values()
    }


def fold(alerts: Iterable[Alert]) -> dict[str, tuple[str, str]]:
    """Return what the alerts alone say: each storyline's first story and its highest tier."""
    folded: dict[str, tuple[str, str]] = {}
    for alert in alerts:
        first, tier = folded.get(alert.storyline_id, (alert.verdict_ids[0], alert.tier))
        folded[alert.storyline_id] = first, max(tier, alert.tier, key=lambda one: TIER_RANK[one])
    return folded


def _folded(ledger: Ledger) -> dict[str, tuple[str, str]]:
    origins = {
        one.storyline_id: one.story_id for one in ledger.last(ledger.members).values() if one.role == "origin"
    }
    return {
        line.id: (origins.get(line.id, ""), line.tier) for line in ledger.last(ledger.storylines).values()
    }


@dataclass(frozen=True, slots=True)
class Call:
    """A webhook as its receiver saw it: when, under which idempotency key, which alert."""

    at: float
    key: str
    alert_id: str


@dataclass(frozen=True, slots=True)
class Repeats:
    """What the receiver got more than once."""

    count: int
    faults: tuple[str, ...]


def delivered(
    keys: Mapping[str, str], calls: Sequence[Call], struck: Sequence[float], round_max: int
) -> Repeats:
    """Hold the receiver's calls against the alerts (id: idempotency key).

    A call is repeated only where its sender was struck in between, and no more of them than were on their way.
    """
    heard: dict[str, list[Call]] = defaultdict(list)
    for call in calls:
        heard[call.alert_id].append(call)
    pairs = [pair for row in heard.values() for pair in pairwise(row)]
    calm = [
        later.alert_id for earlier, later in pairs if not any(earlier.at <= at <= later.at for at in struck)
    ]
    foreign = [call.alert_id for call in calls if call.key != keys.get(call.alert_id)]
    lost = [alert_id for alert_id in keys if alert_id not in heard]
    faults = [
        f"webhooks: {len(ids):,} {fault}: {_shown(ids)}"
        for fault, ids in (
            ("lost", lost),
            ("under another key", foreign),
            ("repeated without a strike in between", calm),
        )
        if ids
    ]
    if len(pairs) > round_max * len(struck):
        faults.append(f"webhooks: {len(pairs):,} repeated, {len(struck)} strikes explain {round_max} each")
    return Repeats(len(pairs), tuple(faults))


def relayed(stories: Sequence[Record], verdicts: Sequence[Record]) -> list[str]:
    """Return every fault of a relay (tests/relay.py): each story once, in the order and with the number of its lane."""
    wanted: dict[str, list[str]] = defaultdict(list)
    for story in stories:
        wanted[str(story.partition)].append(story.key)
    got: dict[str, list[str]] = defaultdict(list)
    numbers: dict[str, list[int]] = defaultdict(list)
    for verdict in verdicts:
        partition, _, number = dict(verdict.headers)["number"].decode().partition("/")
        got[partition].append(verdict.key)
        numbers[partition].append(int(number))
    return [
        *once("verdicts", [story.key for story in stories], [verdict.key for verdict in verdicts]),
        *same("order of a lane", wanted, got),
        *same(
            "numbers of a lane",
            {name: list(range(1, len(keys) + 1)) for name, keys in wanted.items()},
            dict(numbers),
        ),
    ]
