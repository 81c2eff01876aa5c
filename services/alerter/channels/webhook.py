"""Webhooks after the Standard Webhooks specification: an id that stays the same on every attempt, a time, a signature.

A secret is resolved at the moment of use, and stands neither in logs nor in reasons; nor does the URL it may be in.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Protocol, TypeAlias
from urllib.parse import quote

from schemas import Alert, Delivery, Subscriber
from services.alerter.channels import Delivered, Outcome, Refused, Retry
from services.alerter.render import webhook_body

SECRET_PREFIX = "whsec_"  # noqa: S105 - the prefix of the specification
PLACEHOLDER = "{secret}"
RETRIED = frozenset({408, 429})
"""Besides 5xx: the statuses by which a server says "later"."""
RETRY_AFTER_MAX = timedelta(hours=24)
"""A delivery is given up after a day: a longer wish means never."""


@dataclass(frozen=True, slots=True)
class PostResult:
    """The receiver answered."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""


@dataclass(frozen=True, slots=True)
class PostFailed:
    """There was no answer; ``reason`` names no URL."""

    reason: str
    may_retry: bool = True


class Poster(Protocol):
    """Sends one POST request, follows no redirect."""

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> PostResult | PostFailed:
        """Return the answer's status and headers, or why there is none."""

    async def close(self) -> None:
        """Release connections."""


SecretResolver: TypeAlias = Callable[[str], str]
"""From ``env:NAME`` or ``file:PATH`` to the secret; raises where there is none."""


class WebhookChannel:
    """Posts alerts as signed JSON."""

    def __init__(self, poster: Poster, resolve_secret: SecretResolver) -> None:
        """Take the sender of requests and the reader of secrets."""
        self._poster = poster
        self._resolve_secret = resolve_secret

    async def deliver(
        self, alert: Alert, delivery: Delivery, subscriber: Subscriber, now: datetime
    ) -> Outcome:
        """Post the alert once."""
        secret = self._secret(subscriber)
        if isinstance(secret, Refused):
            return secret
        body = webhook_body(alert)
        request = _request(subscriber.channel, secret, delivery.id, body, now)
        if isinstance(request, Refused):
            return request
        url, headers = request
        return outcome(await self._poster.post(url, headers, body), now)

    def _secret(self, subscriber: Subscriber) -> str | Refused:
        """Return the subscriber's secret, "" if it has none."""
        if subscriber.secret_ref is None:
            return (
                Refused("{secret} in the URL, but no secret_ref") if PLACEHOLDER in subscriber.channel else ""
            )
        try:
            secret = self._resolve_secret(subscriber.secret_ref).strip()
        except Exception:  # noqa: BLE001 - whatever is wrong with the secret, its text must not be repeated
            return Refused(f"secret {subscriber.secret_ref} cannot be read")
        return secret or Refused(f"secret {subscriber.secret_ref} is empty")


def _request(
    channel: str, secret: str, webhook_id: str, body: bytes, now: datetime
) -> tuple[str, dict[str, str]] | Refused:
    """Return URL and headers. A secret that fills the URL signs nothing: it proves itself there."""
    headers = {
        "content-type": "application/json",
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(now.timestamp())),
    }
    if PLACEHOLDER in channel:
        return channel.replace(PLACEHOLDER, quote(secret, safe="/")), headers
    if secret:
        try:
            headers["webhook-signature"] = signatures(secret, webhook_id, headers["webhook-timestamp"], body)
        except (ValueError, binascii.Error):
            return Refused("the secret is not whsec_ and base64")
    return channel, headers


def signatures(secret: str, webhook_id: str, timestamp: str, body: bytes) -> str:
    """Return ``v1,<base64>`` for each of the space-separated secrets: two while one is being replaced."""
    signed = f"{webhook_id}.{timestamp}.".encode() + body
    digests = (hmac.digest(_key(one), signed, hashlib.sha256) for one in secret.split())
    return " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests)


def _key(secret: str) -> bytes:
    if secret.startswith(SECRET_PREFIX):
        return base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    return secret.encode()


def outcome(answer: PostResult | PostFailed, now: datetime) -> Outcome:
    """Return what an answer means: delivered, later, or never."""
    if isinstance(answer, PostFailed):
        return Retry(answer.reason) if answer.may_retry else Refused(answer.reason)
    status = answer.status
    if 200 <= status < 300:  # noqa: PLR2004 - success, RFC 9110
        return Delivered(status)
    if status in RETRIED or 500 <= status < 600:  # noqa: PLR2004 - server error, RFC 9110
        return Retry(f"HTTP {status}", retry_after(answer.headers.get("retry-after"), now), status)
    return Refused(f"HTTP {status}", status)


def retry_after(value: str | None, now: datetime) -> timedelta | None:
    """Return what Retry-After asks for, in seconds or as a date, at most RETRY_AFTER_MAX; None where it is neither."""
    text = (value or "").strip()[:64]
    if text.isascii() and text.isdigit():
        return min(timedelta(seconds=min(int(text), RETRY_AFTER_MAX.total_seconds())), RETRY_AFTER_MAX)
    try:
        at = parsedate_to_datetime(text)
        wait = (at if at.tzinfo else at.replace(tzinfo=UTC)) - now
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return min(max(wait, timedelta()), RETRY_AFTER_MAX)
