"""Headers as bytes: what goes in comes out, and what every message carries costs little."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.bus.codec import encode
from services.bus.sqlite.headers import NAMES, WHOLE, pack, unpack
from services.bus.topics import STORIES
from tests.builders import T0, a_story

names = st.sampled_from(NAMES) | st.text(min_size=1, max_size=300)
headers = st.lists(st.sampled_from(WHOLE) | st.tuples(names, st.binary(max_size=600)))


@given(headers.map(tuple))
def test_headers_survive(given_headers: tuple[tuple[str, bytes], ...]) -> None:
    """Any names and values, in any order, repeated or not."""
    assert unpack(pack(given_headers)) == given_headers


def test_the_envelope_is_small() -> None:
    """The names and constants of a message's envelope do not weigh more than its values."""
    message = encode(STORIES, a_story(), partition=0, key="k", source="poller", at=T0)
    values = sum(len(value) for header in message.headers if header not in WHOLE for value in header[1:])
    assert len(pack(message.headers)) <= values + 2 * len(message.headers)


def test_codes_never_change() -> None:
    """They stand in databases: this test changes only by appending."""
    assert pack((("ce_id", b"1"), ("dlq-version", b"2"))) == b"\x01\x011\x11\x012"
    assert pack(WHOLE) == b"\xc8\xc9"
