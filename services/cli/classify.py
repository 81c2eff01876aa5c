"""``tumen classify``: JSON lines in, verdicts out, streaming, in constant memory."""

from __future__ import annotations

import gzip
import json
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click
import orjson

from services.cli.common import FAILED, config_options, settings_from
from services.cli.lines import BUFFER_BYTES, LINE_BYTES_MAX, STANDARD, numbered, opened, show_progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from schemas import Verdict
    from services.classifier.classify import Item, Model


@click.command()
@click.argument("source", metavar="IN")
@click.argument("target", metavar="[OUT]", required=False, default=STANDARD)
@config_options
def classify(source: str, target: str, config: str | None, log_format: str | None) -> None:
    """Judge each item of a JSON lines file (.jsonl, .jsonl.gz or -): one verdict a line, in the same order.

    An item is {"id"?, "title", "summary"?, "text"?, "language"?}; other fields are ignored. A line that is no item
    becomes {"id", "line", "error"} in its place, and the exit code is 1. An OUT that ends in .gz is compressed.

    Example: tumen classify news.jsonl.gz verdicts.jsonl
    """
    settings_from(config, log_format)  # nothing of it changes a verdict; what is wrong with it is said
    bad = 0
    with ExitStack() as stack:
        lines = stack.enter_context(opened(source))
        out = stack.enter_context(_output(target, source))
        for number, answer in enumerate(answers(lines, source), start=1):
            _write(out, answer.line, target, at_once=source == STANDARD)
            bad += answer.bad
            show_progress(number)
        _write(out, b"", target, at_once=True)
    if bad:
        click.echo(f'{source}: {bad} line(s) could not be read; they have "error" in the output', err=True)
        raise SystemExit(FAILED)


@dataclass(frozen=True, slots=True)
class Answer:
    """One line of output, and whether it names a bad line."""

    line: bytes
    bad: bool = False


class BadLineError(Exception):
    """A line that is no item; ``given`` is its id where it has a usable one."""

    def __init__(self, error: str, given: str | int | None = None) -> None:
        """Keep the reason and the id."""
        super().__init__(error)
        self.given = given


def answers(lines: IO[bytes], name: str) -> Iterator[Answer]:
    """Yield the answer to each line of a JSON lines file; ``name`` is for messages."""
    from services.classifier.classify import Item, load_model

    judge = judge_with(load_model())
    for number, raw in numbered(lines, name):
        if raw is None:
            yield _bad(None, number, f"longer than {LINE_BYTES_MAX} bytes")
            continue
        try:
            yield Answer(judge(item_of(raw, number, Item)))
        except BadLineError as error:
            yield _bad(error.given, number, str(error))


def _bad(given: str | int | None, number: int, error: str) -> Answer:
    row = {"id": given, "line": number, "error": error}
    return Answer(json.dumps(row).encode() + b"\n", bad=True)


def judge_with(model: Model) -> Callable[[Item], bytes]:
    """Return a writer of verdict lines; ninety-nine in a hundred stories are held back and share one template."""
    from services.classifier.classify import Item, classify, cut, held_back

    sample = classify(Item("#", "", language="en"), model).to_json()
    head, rest = sample.split(b'"id":"#","story_id":"#"')
    middle, rest = rest.split(b'"language":"en",')
    end, tail = rest.split(b'"truncated":[]')

    def judge(item: Item) -> bytes:
        item = cut(item)
        held, language = held_back(item, model)
        if not held:
            return _verdict_line(classify(item, model))
        name = _json(item.id)
        said = b'"language":"%b",' % language.encode() if language else b""
        names = _json(item.truncated) if item.truncated else b"[]"
        parts = (head, b'"id":', name, b',"story_id":', name, middle, said, end, b'"truncated":', names, tail)
        return b"".join(parts) + b"\n"

    return judge


def _verdict_line(verdict: Verdict) -> bytes:
    try:
        return verdict.to_json() + b"\n"
    except ValueError:
        # A lone surrogate has no UTF-8; JSON's escapes carry it.
        table = verdict.model_dump(mode="python", by_alias=True, exclude_none=True)
        return json.dumps(table, separators=(",", ":")).encode() + b"\n"


def _json(value: Any) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(value).encode()


def item_of(raw: bytes, number: int, make: Callable[..., Item]) -> Item:
    """Return the item of a line; BadLineError says what is wrong with it."""
    table = _table(raw)
    given = table.get("id")
    if given is None:
        name = f"line:{number}"
    elif isinstance(given, (str, int)) and not isinstance(given, bool):
        name = str(given)
    else:
        raise BadLineError("id must be a string or an integer")
    title = table.get("title")
    if not isinstance(title, str):
        raise BadLineError("title must be a string", given)
    language = table.get("language")
    return make(
        name,
        title,
        _text_of(table, "summary", given),
        _text_of(table, "text", given),
        language if isinstance(language, str) else None,
    )


def _text_of(table: dict[str, Any], name: str, given: str | int | None) -> str:
    value = table.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        message = f"{name} must be a string"
        raise BadLineError(message, given)
    return value


def _table(raw: bytes) -> dict[str, Any]:
    try:
        table = orjson.loads(raw)
        if isinstance(table, dict) and isinstance(table.get("id"), float):
            table = json.loads(raw)  # an integer beyond 64 bits, which orjson reads as a float
    except orjson.JSONDecodeError as error:
        table = _lenient(raw, str(error))
    if not isinstance(table, dict):
        raise BadLineError("not a JSON object")
    return table


def _lenient(raw: bytes, reason: str) -> Any:
    """Read what orjson refuses but the contract accepts: lone surrogates written as escapes."""
    if not raw.strip():
        raise BadLineError("blank line")
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        message = f"not UTF-8: {error.reason} at byte {error.start}"
        raise BadLineError(message) from error
    try:
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        message = f"not JSON: {reason}"
        raise BadLineError(message) from error


def _no_constant(name: str) -> Any:
    message = f"{name} is not JSON"
    raise ValueError(message)


def _write(out: IO[bytes], line: bytes, name: str, *, at_once: bool) -> None:
    try:
        out.write(line)
        if at_once:
            out.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        message = f"{name}: {error.strerror or error}"
        raise click.ClickException(message) from error


@contextmanager
def _output(path: str, source: str) -> Iterator[IO[bytes]]:
    if path == STANDARD:
        yield sys.stdout.buffer
        return
    target = Path(path)
    if source != STANDARD and target.exists() and target.samefile(source):
        message = f"{path}: IN and OUT are one file"
        raise click.UsageError(message)
    try:
        out = target.open("wb", buffering=BUFFER_BYTES)
    except OSError as error:
        message = f"{path}: {error.strerror or error}"
        raise click.ClickException(message) from error
    with out:
        if target.suffix != ".gz":
            yield out
            return
        packed: Any = gzip.GzipFile(filename="", fileobj=out, mode="wb", mtime=0)
        with packed:
            yield packed
