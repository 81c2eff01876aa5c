"""Turns: in order, one at a time a host, spaced, and never lost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.poller.schedule import Schedule

NOW = datetime(2026, 5, 12, tzinfo=UTC)
S = timedelta(seconds=1)


def taken(schedule: Schedule, now: datetime, turns_max: int = 100) -> list[str]:
    """Return whose turn it is."""
    return [turn.feed_id for turn in schedule.take(now, turns_max)]


def test_turns_come_in_the_order_of_due_time_and_id() -> None:
    """Not in the order in which feeds were put."""
    schedule = Schedule(1, S)
    for feed, seconds in (("c", 2), ("b", 1), ("a", 1), ("later", 60)):
        schedule.put(feed, f"{feed}.example", NOW + seconds * S)
    assert taken(schedule, NOW + 5 * S, 2) == ["a", "b"]
    assert taken(schedule, NOW + 5 * S) == ["c"]
    assert schedule.next_at() == NOW + 60 * S


def test_a_host_is_asked_one_at_a_time_and_spaced() -> None:
    """The next turn comes when the answer is there and the pause is over."""
    schedule = Schedule(1, S)
    for feed in "abc":
        schedule.put(feed, "one.example", NOW)
    assert taken(schedule, NOW) == ["a"]
    assert (taken(schedule, NOW + 9 * S), schedule.next_at()) == ([], None)
    schedule.done("one.example")
    assert taken(schedule, NOW + 9 * S) == ["b"]
    schedule.done("one.example")
    assert (taken(schedule, NOW + 9 * S), schedule.next_at()) == ([], NOW + 10 * S)


def test_a_held_host_waits_and_others_do_not() -> None:
    """Retry-After speaks for the host."""
    schedule = Schedule(1, S)
    schedule.put("a", "held.example", NOW)
    schedule.put("b", "free.example", NOW)
    schedule.hold("held.example", NOW + 60 * S)
    assert taken(schedule, NOW) == ["b"]
    assert schedule.next_at() == NOW + 60 * S
    assert not schedule.owes(NOW, NOW)
    assert taken(schedule, NOW + 60 * S) == ["a"]


def test_a_removed_or_moved_feed_has_no_old_turn() -> None:
    """Dropped is never asked; put again counts from the new time."""
    schedule = Schedule(1, S)
    for feed in "abc":
        schedule.put(feed, f"{feed}.example", NOW)
    schedule.drop("a")
    schedule.drop("unknown")
    schedule.put("b", "b.example", NOW + 60 * S)
    assert taken(schedule, NOW) == ["c"]
    assert taken(schedule, NOW + 60 * S) == ["b"]


def test_what_was_due_at_the_start_is_owed_until_it_was_asked() -> None:
    """``--once`` waits for the spacing of a host, not for what is due later."""
    schedule = Schedule(1, S)
    schedule.put("a", "one.example", NOW)
    schedule.put("b", "one.example", NOW)
    schedule.put("later", "two.example", NOW + S)
    assert taken(schedule, NOW) == ["a"]
    schedule.done("one.example")
    assert schedule.owes(NOW, NOW)
    assert taken(schedule, NOW + S) == ["b", "later"]
    assert not schedule.owes(NOW, NOW + S)


@given(
    st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 50)), min_size=1, max_size=30),
    st.integers(1, 3),
    st.integers(1, 4),
)
def test_every_feed_gets_its_turn_and_hosts_their_peace(
    puts: list[tuple[str, int]], concurrency: int, turns_max: int
) -> None:
    """Whatever is put: asked once, never early, never too many at a host, starts spaced."""
    schedule = Schedule(concurrency, S)
    due = dict(puts)
    for feed, seconds in puts:
        schedule.put(feed, f"host-{ord(feed) % 3}", NOW + seconds * S)
    asked, flying, starts, now = list[str](), list[str](), dict[str, datetime](), NOW
    while len(asked) < len(due):
        for feed in taken(schedule, now, turns_max):
            host = f"host-{ord(feed) % 3}"
            assert now >= NOW + due[feed] * S
            assert host not in starts or now - starts[host] >= S
            starts[host] = now
            flying.append(host)
            assert flying.count(host) <= concurrency
            asked.append(feed)
        if flying:
            schedule.done(flying.pop(0))
        following = schedule.next_at()
        now = max(now, following) if following is not None else now
    assert sorted(asked) == sorted(due)
