"""The demo day's tape answers as its world does, at any moment, to any request."""

from __future__ import annotations

import gzip
from datetime import datetime, timedelta
from io import BytesIO

import pytest

from services.bootstrap.day import export_tape, tape_of
from services.clock import VirtualClock
from services.demo.model import DAY_END, DAY_START
from services.demo.world import World
from services.poller.model import Failure, Request, Response
from services.replay.player import TapePlayer
from services.replay.tape import read_tape

WORLD = World.load()
PLAYED = read_tape(tape_of(WORLD), "the demo day")
BODY_MAX = 64 * 1024 * 1024
MOMENTS = [DAY_START + timedelta(minutes=97 * number + 1) for number in range(15)]


async def both(url: str, at: datetime, headers: tuple[tuple[str, str], ...]) -> tuple[object, object]:
    """Return what world and tape say, in one form."""
    world = WORLD.respond(url, at, dict(headers))
    tape = await TapePlayer(PLAYED, VirtualClock(at), BODY_MAX).fetch(Request(url, headers))
    if isinstance(tape, Failure):
        return world.fault, tape.kind
    validators = {name: value for name, value in tape.headers if name in {"ETag", "Last-Modified"}}
    expected = {name: value for name, value in world.headers if name in {"ETag", "Last-Modified"}}
    return (world.status, world.body, expected), (tape.status, tape.body, validators)


@pytest.mark.parametrize("url", WORLD.urls())
async def test_the_tape_says_what_the_world_says(url: str) -> None:
    """Asked plainly, and asked again with the validators just given: the same status, body and validators."""
    for at in MOMENTS:
        plain_world, plain_tape = await both(url, at, ())
        assert plain_tape == plain_world
        answer = await TapePlayer(PLAYED, VirtualClock(at), BODY_MAX).fetch(Request(url))
        if isinstance(answer, Response) and (tag := answer.header("etag")):
            again_world, again_tape = await both(url, at, (("If-None-Match", tag),))
            assert again_tape == again_world


def test_two_exports_have_the_same_records() -> None:
    """On any machine and any day the uncompressed tape is the same, to the byte; so is what a player reads."""
    packed = BytesIO()
    count = export_tape(WORLD, packed)

    assert gzip.decompress(packed.getvalue()) == tape_of(World.load()).getvalue()
    assert count == len(PLAYED.entries)
    assert (PLAYED.start, PLAYED.end) == (DAY_START, DAY_END)
