"""Tapes are standard, deterministic, and answer as the recorded servers would have."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime, timedelta
from io import BytesIO

import pytest

from services.clock import VirtualClock
from services.poller.model import Failure, Request, Response
from services.replay.player import TapePlayer
from services.replay.tape import Answered, Attached, Entry, Failed, TapeError, read_tape, write_tape

DAY = datetime(2026, 5, 12, tzinfo=UTC)
URL = "https://news.example/feed"
FIRST = Answered(
    URL, DAY, 200, (("ETag", '"one"'), ("Last-Modified", "Tue, 12 May 2026 00:00:00 GMT")), b"<rss>1</rss>"
)
DOWN = Answered(URL, DAY + timedelta(hours=4), 503, (("Retry-After", "900"),), b"")
STALLED = Failed(URL, DAY + timedelta(hours=5), "timeout", "no answer in 30 s")
SECOND = Answered(URL, DAY + timedelta(hours=6), 200, (("ETag", '"two"'),), b"<rss>2</rss>")
LIST = Attached("feeds.opml", DAY, "text/x-opml", b"<opml/>")
ENTRIES: tuple[Entry, ...] = (FIRST, DOWN, STALLED, SECOND, LIST)


def recorded(entries: tuple[Entry, ...] = ENTRIES) -> bytes:
    """Return the bytes of a tape."""
    out = BytesIO()
    write_tape(out, entries, title="a test day", start=DAY, end=DAY + timedelta(days=1))
    return out.getvalue()


def test_what_is_written_is_read_back() -> None:
    """Every entry survives, with its span and title."""
    tape = read_tape(BytesIO(recorded()), "day.warc.gz")

    assert tape.entries == ENTRIES
    assert (tape.title, tape.start, tape.end) == ("a test day", DAY, DAY + timedelta(days=1))
    assert tape.attached("feeds.opml") == b"<opml/>"


def test_two_exports_of_one_world_hold_the_same_records() -> None:
    """The uncompressed records depend on nothing but their content."""
    assert gzip.decompress(recorded()) == gzip.decompress(recorded())


@pytest.mark.parametrize(
    "damage", [b"", b"hello", recorded()[:200], b"\x1f\x8bnonsense", b"WARC/1.1\r\n\r\n"]
)
def test_what_is_not_a_tape_is_said_in_one_line(damage: bytes) -> None:
    """A damaged tape names its file and ends in no traceback."""
    with pytest.raises(TapeError, match=r"^day\.warc\.gz: not a tumen tape: [^\n]+$"):
        read_tape(BytesIO(damage), "day.warc.gz")


async def answered(
    hours: float, headers: tuple[tuple[str, str], ...] = (), url: str = URL
) -> Response | Failure:
    """Return what the tape says at an hour of the day."""
    clock = VirtualClock(DAY + timedelta(hours=hours))
    player = TapePlayer(read_tape(BytesIO(recorded()), "day"), clock, 1_000)
    return await player.fetch(Request(url, headers))


async def test_between_two_records_the_world_stands_still() -> None:
    """A request at any time gets the newest answer recorded before it."""
    assert await answered(3.9) == Response(URL, 200, FIRST.headers, FIRST.body, ())
    assert await answered(4) == Response(URL, 503, DOWN.headers, b"", ())
    assert await answered(5.5) == Failure("timeout", "no answer in 30 s")
    assert await answered(23) == Response(URL, 200, SECOND.headers, SECOND.body, ())


@pytest.mark.parametrize(
    ("header", "value", "status"),
    [
        ("If-None-Match", '"one"', 304),
        ("If-None-Match", 'W/"one"', 304),
        ("If-None-Match", '"two"', 200),
        ("If-Modified-Since", "Tue, 12 May 2026 00:00:00 GMT", 304),
        ("If-Modified-Since", "Mon, 11 May 2026 00:00:00 GMT", 200),
    ],
)
async def test_matching_validators_are_answered_304(header: str, value: str, status: int) -> None:
    """Conditional requests work on a tape as on the server."""
    got = await answered(1, ((header, value),))

    assert isinstance(got, Response)
    assert got.status == status
    assert bool(got.body) == (status == 200)


async def test_an_etag_that_differs_wins_over_a_date_that_matches() -> None:
    """If-None-Match takes precedence (RFC 9110 13.2.2)."""
    headers = (("If-None-Match", '"other"'), ("If-Modified-Since", "Tue, 12 May 2026 00:00:00 GMT"))
    got = await answered(1, headers)

    assert isinstance(got, Response)
    assert got.status == 200


async def test_what_is_not_on_the_tape_is_a_connection_failure() -> None:
    """Unknown URLs and times before the first record fail as an unreachable server does."""
    assert isinstance(await answered(1, url="https://other.example/"), Failure)
    assert isinstance(await answered(-1), Failure)


async def test_a_body_over_the_cap_fails_as_it_would_when_fetched() -> None:
    """A replay meets the same limits as the poller did."""
    player = TapePlayer(read_tape(BytesIO(recorded()), "day"), VirtualClock(DAY), len(FIRST.body) - 1)

    assert await player.fetch(Request(URL)) == Failure("too_large", f"more than {len(FIRST.body) - 1} bytes")
