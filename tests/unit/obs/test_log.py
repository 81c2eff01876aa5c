"""Log lines: declared, harmless, without secrets."""

from __future__ import annotations

import ast
import io
import json
import logging
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog

from services.obs import log
from services.obs.events import CONTEXT_FIELDS, EVENTS

SERVICES = Path(__file__).parents[3] / "services"


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Leave logging as it was found: other tests stay quiet."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def lines() -> Callable[[], list[dict[str, object]]]:
    """Configure JSON logs into memory and return a reader of them."""
    stream = io.StringIO()
    log.configure("json", stream, "debug")
    return lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_says_when_how_grave_what_and_the_fields(lines: Callable[[], list[dict[str, object]]]) -> None:
    """One JSON object a line: UTC time, level, constant event name, fields, context."""
    with log.bound(service="poller"):
        log.emit("service.drained", records=3, messages=4, seconds=0.25)
    (line,) = lines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", str(line.pop("at")))
    assert line == {
        "level": "debug",
        "event": "service.drained",
        "service": "poller",
        "records": 3,
        "messages": 4,
        "seconds": 0.25,
    }


def test_nothing_is_logged_before_configure(capsys: pytest.CaptureFixture[str]) -> None:
    """Results go to stdout; an unconfigured log must not mix with them."""
    structlog.reset_defaults()
    log.emit("bus.unavailable", error="locked")
    assert capsys.readouterr() == ("", "")


def test_undeclared_events_and_fields_are_refused() -> None:
    """The table is the only source of names."""
    with pytest.raises(log.UndeclaredEvent, match=r"something\.happened"):
        log.emit("something.happened")
    with pytest.raises(log.UndeclaredEvent, match="colour"):
        log.emit("bus.unavailable", colour="red")
    with pytest.raises(log.UndeclaredEvent, match="colour"), log.bound(colour="red"):
        pass


def test_secrets_never_reach_a_line(lines: Callable[[], list[dict[str, object]]]) -> None:
    """Credentials in URLs, in query strings and under telling names are blotted out, at any depth and length."""
    log.emit(
        "feeds.imported",
        file="https://user:hunter2@host.example/f?api_token=hunter2&x=1",
        feeds={"authorization": "Bearer hunter2", "deep": {"Client-Secret": ["hunter2"]}},
        skipped="x" * 290 + "https://user:hunter2@host.example/",
    )
    text = json.dumps(lines())
    assert "hunter2" not in text
    assert "host.example/f?api_token=[redacted]&x=1" in text


def test_hostile_text_is_short_and_visible_on_a_terminal() -> None:
    """Escapes, line breaks, bidi overrides and a megabyte make one short line."""
    stream = io.StringIO()
    log.configure("console", stream)
    log.emit("bus.unavailable", error="\x1b[2J\u202e\r\nfake line" + "x" * 1_000_000 + "\ud800")
    text = stream.getvalue()
    assert text.count("\n") == 1
    assert len(text) < 500
    assert not any(char in text for char in "\x1b\u202e\r")
    assert "bus.unavailable" in text


def test_json_lines_are_ascii(lines: Callable[[], list[dict[str, object]]]) -> None:
    """JSON output is safe on any terminal, and holds the text unharmed."""
    stream = io.StringIO()
    log.configure("json", stream)
    log.emit("bus.unavailable", error="나진 \u009b31m")
    assert stream.getvalue().isascii()
    assert "나진" in json.loads(stream.getvalue())["error"]


def test_libraries_log_into_the_same_lines(lines: Callable[[], list[dict[str, object]]]) -> None:
    """What a library logs keeps its level and goes under one constant name."""
    logging.getLogger("some.library").error("lost %s", "a packet")
    (line,) = lines()
    assert (line["event"], line["level"]) == ("library.message", "error")
    assert (line["logger"], line["message"]) == ("some.library", "lost a packet")


def test_an_unexpected_error_brings_its_traceback(lines: Callable[[], list[dict[str, object]]]) -> None:
    """A bug is logged with where it happened."""
    try:
        _ = 1 // 0
    except ZeroDivisionError as error:
        log.emit("service.failed", error=str(error), error_of=error)
    (line,) = lines()
    assert "ZeroDivisionError" in str(line["traceback"])
    assert line["level"] == "critical"


def emitted() -> dict[str, set[str]]:
    """Return every event name that the code emits, with the fields it gives; names and fields must be literal."""
    found: dict[str, set[str]] = {}
    for path in sorted(SERVICES.rglob("*.py")):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and ast.unparse(call.func) in {"log.emit", "emit"}:
                where = f"{path.relative_to(SERVICES.parent)}:{call.lineno}"
                assert call.args, f"{where}: an event needs a name"
                assert isinstance(call.args[0], ast.Constant), f"{where}: the event name must be literal"
                assert all(keyword.arg for keyword in call.keywords), f"{where}: no ** in emit"
                names = {str(keyword.arg) for keyword in call.keywords} - {"error_of", "stacks"}
                found.setdefault(str(call.args[0].value), set()).update(names)
    return found


def test_the_code_emits_only_what_the_table_declares() -> None:
    """Every emitted name and field stands in the table; every declared event is emitted or awaited."""
    code = emitted()
    assert set(code) <= set(EVENTS)
    for name, fields in code.items():
        assert fields <= {*EVENTS[name].fields, *CONTEXT_FIELDS}, name
    assert set(EVENTS) - set(code) == {"library.message"}, "the handler itself routes library.message"
