"""Who wants this alert, and who has asked for quiet? Pure.

An empty list in a subscriber's match wants all; a filled one wants any of its words. A silence holds where every
one of its matchers does; a matcher on a field that alerts do not have never does, so that a typo silences nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from services.text.times import moment

if TYPE_CHECKING:
    from datetime import datetime

    from schemas import Alert, Silence, Subscriber
    from schemas.silence import Matcher
    from schemas.subscriber import Match


def wanting(alert: Alert, subscribers: Iterable[Subscriber]) -> list[Subscriber]:
    """Return the enabled subscribers whose match holds, in the order of their ids."""
    wanted = (one for one in subscribers if one.enabled and matches(alert, one.match))
    return sorted(wanted, key=lambda subscriber: subscriber.id)


def matches(alert: Alert, match: Match) -> bool:
    """Return whether an alert is what a match wants."""
    return alert.severity >= match.severity_min and all(
        not wanted or any(_holds(field, word, alert) for word in wanted)
        for field, wanted in (
            ("tier", match.tiers),
            ("language", match.languages),
            ("claim_type", match.claim_types),
            ("direction", match.directions),
            ("materiel", match.materiel),
            ("claimant", match.claimants),
            ("entity", match.entities),
            ("source", match.sources),
            ("keyword", match.keywords),
        )
    )


def silenced(alert: Alert, subscriber: Subscriber, silences: Iterable[Silence], now: datetime) -> bool:
    """Return whether a silence that is in force covers this alert for this subscriber."""
    return any(
        _in_force(silence, now)
        and silence.matchers
        and all(_matcher_holds(matcher, alert, subscriber) for matcher in silence.matchers)
        for silence in silences
    )


def _in_force(silence: Silence, now: datetime) -> bool:
    ends_at = min(silence.ends_at, silence.expired_at or silence.ends_at)
    try:
        return moment(silence.starts_at) <= now < moment(ends_at)
    except (
        ValueError
    ):  # the 31st of February, which a pattern cannot see: silences nobody, like any typing error
        return False


def _matcher_holds(matcher: Matcher, alert: Alert, subscriber: Subscriber) -> bool:
    """``=`` any value equals, ``!=`` none does, ``~`` any contains; case never counts."""
    if matcher.field == "subscriber":
        values: Sequence[str] = (subscriber.id,)
    elif matcher.field in FIELDS:
        values = FIELDS[matcher.field](alert)
    else:
        return False
    wanted, folded = matcher.value.casefold(), [value.casefold() for value in values]
    if matcher.op == "~":
        return any(wanted in value for value in folded)
    return (wanted in folded) == (matcher.op == "=")


def _holds(field: str, word: str, alert: Alert) -> bool:
    """Return whether a value equals the word; a keyword may stand anywhere, a language be wider (``zh``)."""
    wanted, values = word.casefold(), [value.casefold() for value in FIELDS[field](alert)]
    if field == "keyword":
        return any(wanted in value for value in values)
    if field == "language":
        return any(value == wanted or value.startswith(f"{wanted}-") for value in values)
    return wanted in values


def _materiel(alert: Alert) -> list[str]:
    """Return the categories of the claims, and those of the evidence with and without ``materiel.``."""
    kinds = [evidence.kind for evidence in alert.evidence if evidence.kind.startswith("materiel.")]
    claimed = [materiel.cat for claim in alert.claims for materiel in claim.materiel]
    return [*claimed, *kinds, *(kind.removeprefix("materiel.") for kind in kinds)]


def _keywords(alert: Alert) -> list[str]:
    """Return every text of an alert that a reader would see."""
    quoted = (evidence.text for evidence in alert.evidence)
    return [alert.title, alert.body, *(source.title for source in alert.sources), *quoted]


FIELDS: dict[str, Callable[[Alert], Sequence[str]]] = {
    "tier": lambda alert: (alert.tier,),
    "kind": lambda alert: (alert.kind,),
    "severity": lambda alert: (str(alert.severity),),
    "arrival": lambda alert: (alert.arrival,),
    "language": lambda alert: alert.languages,
    "claim_type": lambda alert: [claim.claim_type for claim in alert.claims],
    "direction": lambda alert: [claim.direction for claim in alert.claims],
    "claimant": lambda alert: [claim.claimant.name for claim in alert.claims],
    "materiel": _materiel,
    "entity": lambda alert: [word for one in alert.entities for word in (one.id, one.name)],
    "source": lambda alert: [word for one in alert.sources for word in (one.domain, one.name)],
    "title": lambda alert: (alert.title,),
    "keyword": _keywords,
    "storyline": lambda alert: (alert.storyline_id,),
    "alert": lambda alert: (alert.id,),
}
"""What subscribers and silences may ask of an alert."""
