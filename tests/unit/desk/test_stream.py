"""Live streams: bounded, in order, honest at the end."""

from __future__ import annotations

import asyncio

import pytest

from services.desk import stream
from services.desk.projection import Entry, Filter
from services.desk.stream import QUEUE_MAX, STREAMS_MAX, Hub, event, note, pump, send
from tests.builders import an_alert


def entry(position: int, severity: int = 4) -> Entry:
    """Return an entry."""
    alert = an_alert(str(position), severity=severity)
    return Entry(position, alert, alert.to_json())


class Sink:
    """Collects what is written."""

    def __init__(self) -> None:
        """Start empty."""
        self.data = b""

    async def write(self, data: bytes) -> None:
        """Take it."""
        self.data += data


def beat() -> bytes:
    """Return a beat."""
    return note("beat")


async def test_a_reader_gets_what_it_wants_in_order_and_a_goodbye() -> None:
    """Filters are kept per stream; the end is said."""
    hub, sink = Hub(), Sink()
    with hub.reader(Filter(severity_min=4)) as reader:
        hub.publish([entry(1), entry(2, severity=1), entry(3)])
        hub.close()
        assert await pump(reader, sink.write, beat) == "bye"
    lines = [line for line in sink.data.decode().splitlines() if not line.startswith("data")]
    assert lines == ["id: 0:1", "event: alert", "", "id: 0:3", "event: alert", "", "event: bye", ""]
    assert len(hub) == 0


async def test_a_slow_reader_is_let_go() -> None:
    """One more than the queue holds ends the stream; it resumes where it was."""
    hub, sink = Hub(), Sink()
    with hub.reader(Filter()) as reader:
        hub.publish([entry(position) for position in range(QUEUE_MAX + 1)])
        assert await pump(reader, sink.write, beat) == "slow"


async def test_a_socket_that_takes_nothing_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also while a reader that came back is told what it missed: nobody may hold megabytes for ever."""

    async def full(_data: bytes) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(stream, "WRITE_SECONDS_MAX", 0.01)
    with pytest.raises(TimeoutError):
        await send(full, note("hello"))


async def test_a_quiet_stream_beats() -> None:
    """Silence would look like a dead link."""
    hub, sink = Hub(), Sink()
    beats = 0

    def counted() -> bytes:
        nonlocal beats
        beats += 1
        if beats == 3:
            hub.close()
        return beat()

    with hub.reader(Filter()) as reader:
        async with asyncio.timeout(5):
            await pump(reader, sink.write, counted, beat_seconds=0.001)
    assert sink.data.count(b"event: beat") == 3


async def test_the_number_of_streams_is_bounded() -> None:
    """A full hub says so, and a closed one is full."""
    hub = Hub()
    with hub.reader(Filter()):
        assert not hub.full
    readers = [hub.reader(Filter()) for _ in range(STREAMS_MAX)]
    for reader in readers:
        reader.__enter__()
    assert hub.full
    for reader in readers:
        reader.__exit__(None, None, None)
    assert not hub.full
    hub.close()
    assert hub.full


@pytest.mark.parametrize("title", ["a\nb", "a\r\ndata: x", "\u2028", "event: bye\n\n"])
def test_an_event_is_one_line_of_data(title: str) -> None:
    """No title can end an event or begin another."""
    alert = an_alert(title=title)
    lines = event("alert", alert.to_json(), 7).decode().split("\n")
    assert [line.partition(":")[0] for line in lines] == ["id", "event", "data", "", ""]
    assert "\r" not in lines[2]
