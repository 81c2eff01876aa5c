"""A Fetcher that answers from a tape, as the recorded servers would have at that moment.

A request is answered with the newest entry of its URL not later than the clock; a request whose validators match is
answered 304, as RFC 9110 section 13 has it. A URL or a time that the tape does not know is a connection failure.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from services.poller.model import Failure, Request, Response
from services.replay.tape import Answered, Failed, Tape

if TYPE_CHECKING:
    from datetime import datetime

    from services.clock import Clock

NOT_ON_TAPE = "the tape has no answer"
# What a 304 repeats of the 200 it stands for (RFC 9110 section 15.4.5).
KEPT_BY_304 = frozenset({"etag", "last-modified", "cache-control", "expires", "date", "vary"})


class TapePlayer:
    """Answers requests from a tape, at the clock's moment."""

    def __init__(self, tape: Tape, clock: Clock, body_max: int) -> None:
        """Index the tape by URL, in the order of time; larger bodies fail as they would when fetched (bytes)."""
        self._clock = clock
        self._body_max = body_max
        self._entries: dict[str, list[Answered | Failed]] = {}
        for entry in tape.entries:
            if isinstance(entry, Answered | Failed):
                self._entries.setdefault(entry.url, []).append(entry)
        for entries in self._entries.values():
            entries.sort(key=lambda entry: entry.at)
        self._moments = {url: [entry.at for entry in found] for url, found in self._entries.items()}

    async def fetch(self, request: Request) -> Response | Failure:
        """Answer one request; never waits."""
        answered = answer(request, self._standing(request.url, self._clock.now()))
        if isinstance(answered, Response) and len(answered.body) > self._body_max:
            return Failure("too_large", f"more than {self._body_max} bytes")
        return answered

    async def close(self) -> None:
        """Hold nothing."""

    def _standing(self, url: str, now: datetime) -> Answered | Failed | None:
        place = bisect_right(self._moments.get(url, ()), now)
        return self._entries[url][place - 1] if place else None


def answer(request: Request, standing: Answered | Failed | None) -> Response | Failure:
    """Return what a server whose unconditional answer is ``standing`` says to a request."""
    if standing is None:
        return Failure("connect", NOT_ON_TAPE)
    if isinstance(standing, Failed):
        return Failure(standing.kind, standing.detail)
    if unmodified(dict(request.headers), standing):
        headers = tuple((name, value) for name, value in standing.headers if name.lower() in KEPT_BY_304)
        return Response(standing.url, 304, headers, b"", ())
    return Response(standing.url, standing.status, standing.headers, standing.body, ())


def unmodified(asked: dict[str, str], standing: Answered) -> bool:
    """Whether the request's validators match; If-None-Match wins over If-Modified-Since (RFC 9110 13.2.2)."""
    if standing.status != 200:  # noqa: PLR2004 - OK
        return False
    held = {name.lower(): value for name, value in standing.headers}
    wanted = {name.lower(): value for name, value in asked.items()}
    if "if-none-match" in wanted:
        tags = {tag.strip().removeprefix("W/") for tag in wanted["if-none-match"].split(",")}
        return "etag" in held and held["etag"].removeprefix("W/") in tags
    return "if-modified-since" in wanted and wanted["if-modified-since"] == held.get("last-modified")
