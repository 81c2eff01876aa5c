"""The desk over real HTTP: pages, API, stream, doors."""

from __future__ import annotations

import asyncio
import html
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path

import aiohttp
import pytest
from aiohttp.test_utils import TestClient, TestServer
from jsonschema import Draft202012Validator

from schemas import Alert
from services.clock import VirtualClock
from services.desk import app as app_module
from services.desk.app import make_app
from services.desk.guard import CSP, may_answer
from services.desk.server import serve
from services.desk.service import Desk
from services.desk.view import shown
from services.obs.listen import listen
from tests.builders import an_alert
from tests.desk_alerts import FakeTail, arabic, day, english, korean

NOW = datetime(2026, 5, 12, 18, 0, tzinfo=UTC)
DESK = Path(app_module.__file__).parent


@asynccontextmanager
async def a_desk(
    *alerts: Alert, beat_seconds: float = 10
) -> AsyncIterator[tuple[TestClient, Desk, FakeTail]]:  # type: ignore[type-arg]
    """Serve a desk that has read these alerts."""
    tail = FakeTail(*alerts)
    desk = Desk(tail, VirtualClock(NOW), watching=("32 feeds in 9 languages",))
    await desk.drain(NOW)
    async with TestClient(TestServer(make_app(desk, ["desk.example"], beat_seconds))) as client:
        yield client, desk, tail


async def events(answer: aiohttp.ClientResponse, until: str) -> list[tuple[str, str, object]]:
    """Read (event, id, data) from a stream up to the first event of a name."""
    found: list[tuple[str, str, object]] = []
    async with asyncio.timeout(5):
        while not found or found[-1][0] != until:
            block = (await answer.content.readuntil(b"\n\n")).decode()
            fields = dict(line.split(": ", 1) for line in block.splitlines() if line)
            found.append(
                (fields.get("event", ""), fields.get("id", ""), json.loads(fields.get("data", "null")))
            )
    return found


async def test_the_page_shows_the_newest_alerts_with_their_words() -> None:
    """Newest first, severity in word and digit, outlet with label, highlighted evidence, counts, labelled times."""
    async with a_desk(*day()) as (client, _, _):
        text = await (await client.get("/")).text()
    assert re.findall(r'<article .*?id="a-(\w+)"', text) == [alert.id for alert in reversed(day())]
    for words in (
        "5 urgent",
        "corroborated",
        "state media RU",
        '<mark class="k-arms">포탄</mark>',
        '<mark class="k-stance">беспочвенны</mark>',
        "12 copies",
        "12 May 05:15 UTC",
        'rel="noopener noreferrer nofollow"',
        'dir="auto" lang="ar"',
        "outside the quotation",
    ):
        assert words in text


async def test_an_empty_desk_says_what_is_watched_and_claims_no_calm() -> None:
    """Nothing seen is not nothing there."""
    async with a_desk() as (client, _, _):
        text = await (await client.get("/")).text()
    assert "No alerts yet" in text
    assert "32 feeds in 9 languages" in text
    assert "not an all-clear" in text


async def test_a_filter_that_removes_everything_says_so() -> None:
    """An empty list is explained."""
    async with a_desk(korean()) as (client, _, _):
        text = await (await client.get("/?language=sv&severity_min=")).text()
    assert "No alert passes this filter" in text


async def test_older_pages_are_reached_without_javascript() -> None:
    """Links lead through all alerts, filters kept, each once."""
    async with a_desk(*(an_alert(str(n)) for n in range(7))) as (client, _, _):
        url, seen = "/?severity_min=2&limit=3", []
        while url:
            text = await (await client.get(url)).text()
            seen += re.findall(r'data-id="(\w+)"', text)
            match = re.search(r'href="([^"]+)" rel="next"', text)
            url = match[1].replace("&amp;", "&") if match else ""
    assert len(seen) == len(set(seen)) == 7


async def test_one_alert_has_a_page_and_a_twin_in_json() -> None:
    """All quotations, sources and the working of the severity."""
    async with a_desk(english()) as (client, _, _):
        text = await (await client.get(f"/alerts/{english().id}")).text()
        twin = await (await client.get(f"/api/v1/alerts/{english().id}")).json()
        assert (await client.get("/alerts/" + "0" * 32)).status == 404
        assert (await client.get("/api/v1/alerts/" + "0" * 32)).content_type == "application/problem+json"
    assert "한빛뉴스" in text
    assert "novelty 25" in text
    assert Alert.model_validate(twin) == english()


async def test_the_api_pages_and_filters() -> None:
    """Newest first, opaque cursor, Link header, filters."""
    async with a_desk(*day()) as (client, _, _):
        first = await client.get("/api/v1/alerts?limit=2")
        page = await first.json()
        assert [item["id"] for item in page["items"]] == [alert.id for alert in (day()[6], day()[5])]
        assert page["as_of"] == "0:6"
        assert 'rel="next"' in first.headers["Link"]
        rest = await (await client.get("/api/v1/alerts", params={"cursor": page["next"]})).json()
        assert (len(rest["items"]), rest["next"]) == (5, None)
        korean_ones = await (await client.get("/api/v1/alerts?language=ko&severity_min=5")).json()
        assert len(korean_ones["items"]) == 2
        denied = await (await client.get("/api/v1/alerts?kind=denied")).json()
        assert [item["kind"] for item in denied["items"]] == ["denied"]


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("severity=3", "severity"),
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=1&limit=2", "limit"),
        ("severity_min=6", "severity_min"),
        ("language=%3Cscript%3E", "language"),
        ("kind=loud", "kind"),
        ("cursor=abc", "cursor"),
        ("cursor=%FF", "cursor"),
        ("colour=", "colour"),
    ],
)
async def test_a_bad_query_is_named(query: str, named: str) -> None:
    """RFC 9457, 400, one line that names the parameter; the page says the same in HTML."""
    async with a_desk(korean()) as (client, _, _):
        answer = await client.get(f"/api/v1/alerts?{query}")
        problem = await answer.json(content_type="application/problem+json")
        page = await client.get(f"/?{query}")
        assert (page.status, page.content_type) == (400, "text/html")
    assert (answer.status, problem["status"], problem["title"]) == (400, 400, "Bad Request")
    assert problem["detail"].startswith(named)


async def test_the_description_matches_the_router_and_is_sound() -> None:
    """Every described path answers; answers obey the described schema."""
    async with a_desk(*day()) as (client, _, _):
        document = await (await client.get("/api/v1/openapi.json")).json()
        routes = {resource.canonical for resource in client.app.router.resources()} if client.app else set()
        described = {path for path in routes if path.startswith("/api/")}
        answer = await (await client.get("/api/v1/alerts")).json()
    assert set(document["paths"]) == described
    assert document["openapi"] == "3.1.0"
    schema = {"$ref": "#/components/schemas/AlertsAnswer", "components": document["components"]}
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(answer)
    assert {p["name"] for p in document["paths"]["/api/v1/alerts"]["get"]["parameters"]} >= {
        "limit",
        "cursor",
    }


async def test_a_stream_says_hello_and_gives_what_comes() -> None:
    """Hello, then each new alert with its position, whole."""
    async with a_desk(korean()) as (client, desk, tail), client.get("/api/v1/alerts/stream") as answer:
        assert answer.content_type == "text/event-stream"
        ((_, _, hello),) = await events(answer, "hello")
        tail.put(english())
        await desk.drain(NOW)
        ((_, position, data),) = await events(answer, "alert")
    assert isinstance(hello, dict)
    assert hello["as_of"] == "0:0"
    assert (position, Alert.model_validate(data)) == ("0:1", english())


async def test_a_reader_that_comes_back_misses_nothing() -> None:
    """By header or by query: what came since, then live."""
    async with a_desk(*day()) as (client, _, _):
        async with client.get("/api/v1/alerts/stream", headers={"Last-Event-ID": "0:4"}) as answer:
            missed = [
                await events(answer, "hello"),
                await events(answer, "alert"),
                await events(answer, "alert"),
            ]
        async with client.get("/api/v1/alerts/stream?last_event_id=0:5&severity_min=1") as answer:
            await events(answer, "hello")
            ((_, position, _),) = await events(answer, "alert")
    assert [found[-1][1] for found in missed] == ["", "0:5", "0:6"]
    assert position == "0:6"


@pytest.mark.parametrize("last", ["0:99", "junk"])
async def test_a_reader_that_cannot_resume_is_told(last: str) -> None:
    """A position of another log, or none at all, gives a reset instead of a silent gap."""
    headers = {"Last-Event-ID": last}
    async with (
        a_desk(korean()) as (client, _, _),
        client.get("/api/v1/alerts/stream", headers=headers) as answer,
    ):
        assert [name for name, _, _ in await events(answer, "reset")] == ["hello", "reset"]


async def test_beats_carry_the_servers_time() -> None:
    """The page's clock is not to be trusted."""
    async with a_desk(beat_seconds=0.01) as (client, _, _), client.get("/api/v1/alerts/stream") as answer:
        (*_, (_, position, data)) = await events(answer, "beat")
    assert (position, data) == ("", {"now": "2026-05-12T18:00:00.000Z", "as_of": None})


async def test_streams_end_with_a_goodbye_within_a_second_of_the_stop() -> None:
    """A stopping desk lets nobody wait."""
    tail = FakeTail(korean())
    desk = Desk(tail, VirtualClock(NOW))
    server = await serve(desk, "127.0.0.1", 0)
    async with aiohttp.ClientSession() as client, client.get(f"{server.url}/api/v1/alerts/stream") as answer:
        await events(answer, "hello")
        assert desk.metrics.value("tumen_desk_streams") == 1
        async with asyncio.timeout(1):
            await server.close()
        await events(answer, "bye")
    await desk.close()
    assert tail.closed
    assert desk.metrics.value("tumen_desk_streams") == 0


async def test_a_full_desk_asks_to_come_back_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """503 with Retry-After, not a stream that starves the others."""
    monkeypatch.setattr("services.desk.stream.STREAMS_MAX", 0)
    async with a_desk() as (client, _, _):
        answer = await client.get("/api/v1/alerts/stream")
        assert (answer.status, answer.headers["Retry-After"]) == (503, "30")


@pytest.mark.parametrize(
    "path", ["/", "/nowhere", "/api/v1/alerts", "/api/v1/nowhere", "/api/v1/openapi.json"]
)
async def test_every_answer_carries_the_security_headers(path: str) -> None:
    """Pages, files and errors alike."""
    async with a_desk(korean()) as (client, _, _):
        answer = await client.get(path)
    assert answer.headers["Content-Security-Policy"] == CSP
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"])
async def test_only_reading_is_allowed(method: str) -> None:
    """405 with Allow."""
    async with a_desk() as (client, _, _):
        answer = await client.request(method, "/api/v1/alerts")
    assert (answer.status, answer.headers["Allow"]) == (HTTPStatus.METHOD_NOT_ALLOWED, "GET, HEAD")


async def test_head_answers_without_a_body() -> None:
    """Also for the stream, which would never end."""
    async with a_desk(korean()) as (client, _, _):
        for path in ("/", "/api/v1/alerts", "/api/v1/alerts/stream"):
            answer = await client.head(path)
            assert (answer.status, await answer.read()) == (200, b"")


@pytest.mark.parametrize(
    ("host", "answers"),
    [
        ("127.0.0.1:8642", True),
        ("[::1]:8642", True),
        ("192.168.1.5", True),
        ("localhost", True),
        ("LOCALHOST:1", True),
        ("desk.example.", True),
        ("evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("localhost@evil.example", False),
        ("", False),
        (None, False),
    ],
)
def test_host_names(host: str | None, answers: object) -> None:
    """IP literals, localhost and configured names; anything else may be a rebinding page."""
    assert may_answer(host, ["desk.example"]) is answers


async def test_another_host_name_is_misdirected() -> None:
    """421, on every path."""
    async with a_desk(korean()) as (client, _, _):
        answer = await client.get("/", headers={"Host": "evil.example"})
        assert answer.status == 421
        assert "포탄" not in await answer.text()
        assert (await client.get("/", headers={"Host": "desk.example"})).status == 200


async def test_a_fault_in_a_page_is_a_500_and_the_desk_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """One alert that the template cannot show does not end the desk."""
    async with a_desk(arabic()) as (client, desk, _):
        monkeypatch.setattr("services.desk.app.alert_view", lambda *_: 1 // 0)
        assert (await client.get("/")).status == 500
        assert (await client.get("/api/v1/alerts")).status == 200
        assert desk.metrics.value("tumen_desk_responses_total", status="5xx") == 1


async def test_an_absurd_address_is_refused() -> None:
    """Longer than any filter of ours."""
    async with a_desk() as (client, _, _):
        assert (await client.get("/?language=" + "a" * 5_000)).status == 414


async def test_static_files_are_small_named_by_hash_and_kept() -> None:
    """The first view is light: style under 10 KB, script under 8 KB, nothing inline."""
    async with a_desk(*day()) as (client, _, _):
        text = await (await client.get("/")).text()
        files = re.findall(r'(?:href|src)="(/static/[^"]+)"', text)
        answers = [await client.get(url) for url in files]
        assert [answer.status for answer in answers] == [200, 200, 200]
        assert all("immutable" in answer.headers["Cache-Control"] for answer in answers)
        assert (await client.get("/static/../app.py")).status == 404
    assert (DESK / "static" / "desk.css").stat().st_size < 10_000
    assert (DESK / "static" / "desk.js").stat().st_size < 8_000
    assert not re.search(r"<style|<script(?! type=\"module\" src=)|\sstyle=|\son\w+=", text)


def test_templates_never_switch_escaping_off() -> None:
    """What a publisher wrote is text, always; markup is only in our own files."""
    for path in (DESK / "templates").glob("*.html"):
        assert not re.search(r"\|\s*safe|autoescape|Markup", path.read_text(encoding="utf-8")), path.name
    for path in DESK.glob("*.py"):
        assert "Markup(" not in path.read_text(encoding="utf-8"), path.name


HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</title></article>",
    "{{7*7}}",
    "\u202egnp.exe\x1b[31m",
    "x" * 1_000_000,
)


@pytest.mark.parametrize(
    "title", HOSTILE, ids=["script", "attribute", "closing", "template", "controls", "megabyte"]
)
async def test_hostile_text_is_text(title: str) -> None:
    """In titles, outlets, labels, reasons, terms and languages; on the list and on the alert's own page."""
    source = (
        english()
        .sources[0]
        .model_copy(
            update={
                "title": title,
                "name": title,
                "label": title,
                "url": "javascript:alert(1)",
                "language": title,
            }
        )
    )
    evidence = tuple(item.model_copy(update={"text": title, "term": title, "kind": kind})
                     for item, kind in zip(english().evidence, ["statement", title, "rus"], strict=False))  # fmt: skip
    alert = english().model_copy(
        update={
            "title": title,
            "reason": title,
            "body": title,
            "headline_url": "javascript:alert(1)",
            "sources": (source,),
            "evidence": evidence,
            "languages": (title,),
        }
    )
    async with a_desk(alert) as (client, _, _):
        for path in ("/", f"/alerts/{alert.id}"):
            answer = await client.get(path)
            text = await answer.text()
            assert answer.status == 200
            assert len(text) < 60_000
            assert not re.search(r"<script(?! type=\"module\")|<img|javascript:|\u202e|\x1b", text)
            assert text.count("</title>") == 1
            assert (
                html.escape(shown(title), quote=True).replace("&#x27;", "&#39;").replace("&quot;", "&#34;")
                in text
            )


async def test_an_alert_that_cannot_be_read_is_counted_and_the_rest_is_shown() -> None:
    """A skip has a name; tombstones and other topics are no alerts."""
    tail = FakeTail(korean())
    tail.put_bytes(b'{"schema":"alert/1"}')
    tail.put_bytes(b"\xff")
    tail.put_bytes(None)
    tail.put(english())
    desk = Desk(tail, VirtualClock(NOW))
    progress = await desk.drain(NOW)
    assert (progress.records, progress.messages) == (5, 0)
    assert [entry.alert for entry in desk.projection.entries] == [korean(), english()]
    assert desk.metrics.value("tumen_skips_total", reason="alert_undecodable") == 2
    assert not (await desk.drain(NOW)).moved


async def test_the_desk_waits_on_its_tail() -> None:
    """It has no timers of its own."""
    tail = FakeTail()
    desk = Desk(tail, VirtualClock(NOW))
    waiting = asyncio.create_task(desk.wait(5))
    tail.put(korean())
    async with asyncio.timeout(1):
        await waiting
    assert desk.next_wakeup() is None
    assert desk.name == "desk"


async def test_a_busy_port_moves_the_desk_to_the_next_free_one() -> None:
    """Said by the listener, once."""
    held = listen("127.0.0.1", 0)
    server = await serve(Desk(FakeTail(), VirtualClock(NOW)), "127.0.0.1", held.port)
    try:
        assert server.listener.moved
        assert server.url == f"http://127.0.0.1:{server.listener.port}"
    finally:
        await server.close()
        held.socket.close()
