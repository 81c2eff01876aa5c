"""Webhooks are signed as the specification says, tried again when that helps, and keep their secrets."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from schemas import Delivery
from services.alerter.channels import Delivered, Outcome, Refused, Retry
from services.alerter.channels.post import AiohttpPoster
from services.alerter.channels.webhook import (
    PostFailed,
    PostResult,
    WebhookChannel,
    outcome,
    retry_after,
    signatures,
)
from services.alerter.ledger import delivery_id
from services.net.gate import Gate
from tests.builders import T0, a_subscriber, an_alert

NOW = datetime(2026, 5, 12, 12, tzinfo=UTC)
KEY = b"0123456789abcdef0123456789abcdef"
SECRET = f"whsec_{base64.b64encode(KEY).decode()}"
SECRETS = {"env:HOOK": SECRET, "env:PATH_PART": "T0/B1/x y", "env:EMPTY": " ", "env:BAD": "whsec_%%%"}


class Receiver:
    """A server that keeps what it is sent and answers as told."""

    def __init__(self) -> None:
        """Answer 204 until told otherwise."""
        self.requests: list[tuple[str, Mapping[str, str], bytes]] = []
        self.answer = web.Response(status=204)
        self.hang: asyncio.Event | None = None

    async def take(self, request: web.Request) -> web.StreamResponse:
        """Keep a request."""
        self.requests.append((request.raw_path, request.headers.copy(), await request.read()))
        if self.hang is not None:
            await self.hang.wait()
        return self.answer


@pytest.fixture
async def server() -> AsyncIterator[tuple[Receiver, str]]:
    """Return a receiver and its address."""
    receiver = Receiver()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", receiver.take)
    async with TestServer(app) as running:
        yield receiver, f"http://127.0.0.1:{running.port}"


@pytest.fixture
async def poster() -> AsyncIterator[AiohttpPoster]:
    """Return a poster that may reach this machine."""
    poster = AiohttpPoster(Gate(allow_private=True), timeout_s=2)
    yield poster
    await poster.close()


async def send(poster: Any, channel: str, **fields: Any) -> Outcome:
    """Deliver an alert to a channel URL."""
    alert = an_alert()
    delivery = Delivery(
        id=delivery_id(alert.id, "reader"), alert_id=alert.id, subscriber_id="reader", status="intent", at=T0
    )
    webhook = WebhookChannel(poster, SECRETS.__getitem__)
    return await webhook.deliver(alert, delivery, a_subscriber(channel=channel, **fields), NOW)


async def test_a_receiver_can_verify_who_sent_it(server: tuple[Receiver, str], poster: AiohttpPoster) -> None:
    """Id, time and HMAC-SHA256 over id.time.body, as Standard Webhooks 1.0 has it."""
    receiver, url = server
    assert await send(poster, f"{url}/hook", secret_ref="env:HOOK") == Delivered(204)
    ((path, headers, body),) = receiver.requests
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.digest(KEY, signed, hashlib.sha256)).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert headers["webhook-id"] == delivery_id(an_alert().id, "reader")
    assert headers["webhook-timestamp"] == str(int(NOW.timestamp()))
    assert headers["content-type"] == "application/json"
    assert (path, json.loads(body)["type"]) == ("/hook", "alert.opened")


async def test_the_id_stays_the_same_on_every_attempt(
    server: tuple[Receiver, str], poster: AiohttpPoster
) -> None:
    """Whoever gets it twice can tell."""
    receiver, url = server
    for _ in range(2):
        await send(poster, url, secret_ref="env:HOOK")
    assert len({headers["webhook-id"] for _, headers, _ in receiver.requests}) == 1
    assert len({body for _, _, body in receiver.requests}) == 1


def test_two_secrets_give_two_signatures() -> None:
    """While one is being replaced, a receiver with either verifies; the vector is the specification's."""
    vector = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    body = b'{"test": 2432232314}'
    wanted = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    given = signatures(f"{vector} {SECRET}", "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", body)
    assert given.split()[0] == wanted
    assert len(given.split()) == 2


async def test_a_secret_in_the_url_is_filled_at_call_time(
    server: tuple[Receiver, str], poster: AiohttpPoster
) -> None:
    """It proves itself there and signs nothing."""
    receiver, url = server
    await send(poster, f"{url}/services/{{secret}}", secret_ref="env:PATH_PART")
    ((path, headers, _),) = receiver.requests
    assert path == "/services/T0/B1/x%20y"
    assert "webhook-signature" not in headers


async def test_without_a_secret_it_is_sent_unsigned(
    server: tuple[Receiver, str], poster: AiohttpPoster
) -> None:
    """Allowed; the receiver decides whether it takes it."""
    receiver, url = server
    assert await send(poster, url) == Delivered(204)
    assert "webhook-signature" not in receiver.requests[0][1]


@pytest.mark.parametrize(
    ("channel", "reference", "reason"),
    [
        ("https://h.example/", "env:MISSING", "secret env:MISSING cannot be read"),
        ("https://h.example/", "env:EMPTY", "secret env:EMPTY is empty"),
        ("https://h.example/", "env:BAD", "the secret is not whsec_ and base64"),
        ("https://h.example/{secret}", None, "{secret} in the URL, but no secret_ref"),
    ],
)
async def test_a_secret_that_cannot_be_had_parks(channel: str, reference: str | None, reason: str) -> None:
    """Nothing is sent, and the reason names the reference, not the secret."""
    assert await send(None, channel, secret_ref=reference) == Refused(reason)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *((status, Delivered) for status in (200, 201, 202, 204)),
        *((status, Retry) for status in (408, 429, 500, 502, 503, 504, 599)),
        *(
            (status, Refused)
            for status in (301, 302, 307, 400, 401, 403, 404, 405, 409, 410, 413, 418, 422, 600)
        ),
    ],
)
def test_each_status_means_delivered_later_or_never(status: int, kind: type[Outcome]) -> None:
    """5xx, 408 and 429 are tried again; a redirect is not followed; all else is somebody's to mend."""
    found = outcome(PostResult(status, {}), NOW)
    assert isinstance(found, kind)
    assert found.http_status == status


@pytest.mark.parametrize(
    ("value", "wait"),
    [
        ("120", timedelta(minutes=2)),
        ("Tue, 12 May 2026 12:05:00 GMT", timedelta(minutes=5)),
        ("Tue, 12 May 2026 11:00:00 GMT", timedelta()),
        ("9" * 60, timedelta(hours=24)),
        ("Tue, 12 May 2126 12:05:00 GMT", timedelta(hours=24)),
        ("-5", None),
        ("soon", None),
        ("²", None),
        ("", None),
        (None, None),
        ("Tue, 99 May 99999 12:05:00 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, wait: timedelta | None) -> None:
    """At most a day; what is neither is no wish."""
    assert retry_after(value, NOW) == wait


async def test_a_server_that_says_later_is_heard(server: tuple[Receiver, str], poster: AiohttpPoster) -> None:
    """Status and Retry-After come through."""
    receiver, url = server
    receiver.answer = web.Response(status=503, headers={"Retry-After": "90"})
    assert await send(poster, url) == Retry("HTTP 503", timedelta(seconds=90), 503)


async def test_a_receiver_that_hangs_is_left(server: tuple[Receiver, str]) -> None:
    """After its time, to be tried again."""
    receiver, url = server
    receiver.hang = asyncio.Event()
    poster = AiohttpPoster(Gate(allow_private=True), timeout_s=0.05)
    assert await send(poster, url) == Retry("timed out")
    receiver.hang.set()
    await poster.close()


async def test_a_redirect_is_not_followed(server: tuple[Receiver, str], poster: AiohttpPoster) -> None:
    """An alert goes where its subscriber said, and nowhere else."""
    receiver, url = server
    receiver.answer = web.Response(status=302, headers={"Location": f"{url}/elsewhere"})
    assert await send(poster, url) == Refused("HTTP 302", 302)
    assert len(receiver.requests) == 1


async def test_a_body_without_end_is_not_read(server: tuple[Receiver, str], poster: AiohttpPoster) -> None:
    """The status is all that is wanted of an answer."""
    receiver, url = server
    receiver.answer = web.Response(body=b"x" * 5_000_000)
    assert await send(poster, url) == Delivered(200)


async def test_private_addresses_are_refused(server: tuple[Receiver, str]) -> None:
    """Unless the operator allows them: no alert may poke at the inside of a network."""
    receiver, url = server
    poster = AiohttpPoster(Gate())
    assert await send(poster, url) == Refused("address 127.0.0.1 is not public")
    refused = await send(poster, f"{url.replace('127.0.0.1', 'localhost')}")
    await poster.close()
    assert refused == Refused("the address is not public")
    assert receiver.requests == []


async def test_a_closed_port_is_tried_again(unused_tcp_port: int, poster: AiohttpPoster) -> None:
    """The receiver may only be restarting."""
    assert await send(poster, f"http://127.0.0.1:{unused_tcp_port}/") == Retry("cannot connect")


@pytest.mark.parametrize(
    "channel", ["ftp://h.example/", "https:///nohost", "https://h.example:22/", "https://["]
)
async def test_a_url_that_is_none_parks(channel: str, poster: AiohttpPoster) -> None:
    """With a reason that does not repeat it."""
    found = await send(poster, channel)
    assert isinstance(found, Refused)
    assert channel not in found.reason


async def test_no_reason_holds_the_url_or_its_secret(poster: AiohttpPoster) -> None:
    """The ledger and the log can be shown to anybody."""
    for url in (
        "http://127.0.0.1:1/{secret}",
        "http://\x00{secret}/",
        "http://{secret}.invalid:x/",
        "x:{secret}",
    ):
        found = await send(poster, url, secret_ref="env:PATH_PART")
        assert isinstance(found, (Retry, Refused))
        assert "T0" not in found.reason


async def test_an_answer_that_is_no_http_is_tried_again() -> None:
    """Whatever went wrong on the way may go right later."""

    class Failing:
        async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> PostFailed:
            """Fail."""
            return PostFailed("no answer (ServerDisconnectedError)")

    assert await send(Failing(), "https://h.example/") == Retry("no answer (ServerDisconnectedError)")
