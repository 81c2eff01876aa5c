"""Structured logs: one line per unit of work, on stderr, UTC, only declared events.

Nothing is logged before ``configure``: a library that is imported stays quiet. Whatever a feed or a server sent may
stand in a field, so every text is cut, made visible, and cleared of secrets.
"""

from __future__ import annotations

import json
import logging
import re
import traceback
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Any, Literal, TextIO

import structlog

from services.clock import SystemClock
from services.obs.events import CONTEXT_FIELDS, EVENTS, Level
from services.text.clean import visible
from services.text.times import stamp

Format = Literal["json", "console"]

FIELD_CODE_POINTS_MAX = 300
"""A field is read by a person: two lines of a terminal are enough to know what it was."""
TRACEBACK_CODE_POINTS_MAX = 20_000
"""Deep enough for any stack of ours; a recursion error would print megabytes."""
DEPTH_MAX = 4
"""A field nested deeper than this is a mistake, not something to read."""
ITEMS_MAX = 50
"""Of a list or mapping in a field."""

REDACTED = "[redacted]"
_SECRET_NAME = re.compile(r"secret|token|authorization|password|passwd|cookie|api_?key", re.IGNORECASE)
_USERINFO = re.compile(r"://[^/?#\s]*@")
_SECRET_QUERY = re.compile(
    r"([?&][^=&#\s]*(?:secret|token|password|signature|key)[^=&#\s]{0,40}=)[^&#\s]*", re.IGNORECASE
)

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}


class UndeclaredEvent(LookupError):  # noqa: N818 - a bug at the call, named by what it is
    """An event or one of its fields is not in the table of events."""


def configure(
    format: Format = "json",  # noqa: A002 - the command line's word
    stream: TextIO | None = None,
    level: Level = "info",
) -> None:
    """Send events, and what libraries log, to a stream (stderr) as JSON lines or for a person to read."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            _timed,
            _harmless,
            _json_line if format == "json" else _console_line,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(file=stream) if stream else _stderr_logger,
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers = [_Routed()]
    root.setLevel(logging.DEBUG if level == "debug" else logging.WARNING)


def emit(event: str, *, error_of: BaseException | None = None, stacks: str = "", **fields: object) -> None:
    """Log a declared event; ``error_of`` adds the traceback of an error nobody expected, ``stacks`` where all tasks are."""
    declared = EVENTS.get(event)
    if declared is None:
        message = f"event {event!r} is not declared in services/obs/events.py"
        raise UndeclaredEvent(message)
    if unknown := sorted(fields.keys() - {*declared.fields, *CONTEXT_FIELDS}):
        message = f"event {event!r} declares no field {', '.join(unknown)}"
        raise UndeclaredEvent(message)
    if error_of is not None:
        fields["traceback"] = "".join(traceback.format_exception(error_of))
    if stacks:
        fields["traceback"] = stacks
    _write(declared.level, event, fields)


@contextmanager
def bound(**fields: str) -> Iterator[None]:
    """Add context fields (``service``) to every event inside the block."""
    if unknown := sorted(fields.keys() - set(CONTEXT_FIELDS)):
        message = f"not a context field: {', '.join(unknown)}"
        raise UndeclaredEvent(message)
    with structlog.contextvars.bound_contextvars(**fields):
        yield


def _write(level: str, event: str, fields: Mapping[str, object]) -> None:
    if structlog.is_configured():
        structlog.get_logger().log(_LEVELS[level], event, **fields)


def _stderr_logger(*_: object) -> Any:
    """Look stderr up at each line: a progress bar may have replaced it meanwhile."""
    import sys  # noqa: PLC0415 - the module must not hold the stream

    return structlog.WriteLogger(sys.stderr)


class _Routed(logging.Handler):
    """Takes what libraries log into the same lines, at its own level, under one constant name."""

    def emit(self, record: logging.LogRecord) -> None:
        """Pass the record on; its message is data like any other."""
        fields: dict[str, object] = {"logger": record.name, "message": record.getMessage()}
        if record.exc_info and record.exc_info[1] is not None:
            fields["traceback"] = "".join(traceback.format_exception(record.exc_info[1]))
        _write(
            record.levelname.lower() if record.levelname.lower() in _LEVELS else "info",
            "library.message",
            fields,
        )


def _timed(_logger: object, _level: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Say when, in the form of every timestamp of ours."""
    line["at"] = stamp(SystemClock().now())
    return line


def _harmless(_logger: object, level: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Clear every field of secrets, length and control characters; put time, level and event first."""
    head = {"at": line.pop("at"), "level": level, "event": line.pop("event")}
    trace = line.pop("traceback", None)
    cleaned = {name: _clean(name, value, DEPTH_MAX) for name, value in line.items() if value is not None}
    if trace is not None:
        cleaned["traceback"] = _text(trace, TRACEBACK_CODE_POINTS_MAX)
    return {**head, **cleaned}


def _clean(name: str, value: object, depth: int) -> object:
    if _SECRET_NAME.search(name):
        return REDACTED
    if isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, Mapping) and depth:
        return {str(key): _clean(str(key), item, depth - 1) for key, item in list(value.items())[:ITEMS_MAX]}
    if isinstance(value, (list, tuple, set, frozenset)) and depth:
        return [_clean(name, item, depth - 1) for item in list(value)[:ITEMS_MAX]]
    return _text(value if isinstance(value, str) else str(value), FIELD_CODE_POINTS_MAX)


def _text(text: str, code_points_max: int) -> str:
    """Return a text without credentials, controls and lone surrogates; credentials go before the cut can save half."""
    if "://" in text:
        text = _SECRET_QUERY.sub(rf"\g<1>{REDACTED}", _USERINFO.sub(f"://{REDACTED}@", text))
    if len(text) > code_points_max:
        text = f"{text[:code_points_max]}… ({len(text):,} code points)"
    return visible(text.encode("utf-8", "replace").decode())


def _json_line(_logger: object, _level: str, line: MutableMapping[str, Any]) -> str:
    """Return one ASCII line: safe on any terminal, whatever it holds."""
    return json.dumps(line, ensure_ascii=True, default=str)


def _console_line(_logger: object, _level: str, line: MutableMapping[str, Any]) -> str:
    """Return one line for a person: time, level, event, fields; a traceback below."""
    at, level, event = str(line.pop("at")), str(line.pop("level")), str(line.pop("event"))
    trace = line.pop("traceback", None)
    fields = "  ".join(f"{name}={_shown(value)}" for name, value in line.items())
    text = f"{at[11:19]} UTC  {level:<8}  {event:<22}  {fields}".rstrip()
    return f"{text}\n{trace.rstrip()}" if trace else text


def _shown(value: object) -> str:
    """Return a value as it may stand in one console line: quoted where it holds a space or a line break."""
    if isinstance(value, str) and not re.search(r"[\s=\"]", value) and value:
        return value
    return json.dumps(value, ensure_ascii=False, default=str)
