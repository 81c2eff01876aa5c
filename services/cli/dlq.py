"""``tumen dlq``: the dead letters: what could not be handled, and what to do with it."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

import click

from services.cli.common import FAILED, UnreadableError, bus_option, config_options, settings_from
from services.text.clean import one_line, visible

if TYPE_CHECKING:
    from datetime import datetime

    from services.bootstrap.deadletters import Letter
    from services.bus.ports import Bus
    from services.bus.topics import Topic
    from services.settings import Settings

T = TypeVar("T")
MESSAGE_MAX = 120
HEAD_MAX = 4_000
"""Code points of a letter's value that ``show`` prints."""


@click.group()
def dlq() -> None:
    """List, show, replay and drop dead letters: messages that could not be handled.

    Example: tumen dlq list
    """


@dlq.command("list")
@click.argument("topics", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Also those that were replayed or dropped.")
@click.option(
    "--format", "form", type=click.Choice(["line", "jsonl", "pretty"]), default="line", show_default=True
)
@bus_option
@config_options
def list_letters(
    topics: tuple[str, ...],
    everything: bool,
    form: str,
    bus: str | None,
    config: str | None,
    log_format: str | None,
) -> None:
    """Print one line for each dead letter of TOPICS (stories, verdicts …; default: all).

    Topic and offset of the letter, where the original was, key, stage, error class, attempts, age, message.

    Example: tumen dlq list stories --format jsonl
    """
    from services.bootstrap.deadletters import letters
    from services.bus.topics import PRIMARY
    from services.clock import SystemClock

    wanted = [_topic(name) for name in topics] or list(PRIMARY)
    now = SystemClock().now()

    async def work(opened: Bus) -> list[Letter]:
        return [letter for topic in wanted for letter in await letters(opened, topic)]

    for letter in _on_bus(settings_from(config, log_format, bus=bus), work):
        if everything or letter.settled is None:
            _say(_line(letter, now) if form == "line" else _json(letter, form))


@dlq.command("show")
@click.argument("topic")
@click.argument("offset", type=click.IntRange(0))
@bus_option
@config_options
def show(topic: str, offset: int, bus: str | None, config: str | None, log_format: str | None) -> None:
    """Print the headers and the beginning of the value of the letter at OFFSET of TOPIC's dead letters.

    Example: tumen dlq show stories 3
    """
    from services.bootstrap.deadletters import chosen, letters

    of = _topic(topic)

    async def work(opened: Bus) -> Letter:
        return chosen(await letters(opened, of), of, [offset])[0]

    letter = _on_bus(settings_from(config, log_format, bus=bus), work)
    if letter.settled:
        _say(f"settled: {letter.settled}")
    _say(f"key: {one_line(letter.record.key, MESSAGE_MAX)}")
    for name, held in letter.record.headers:
        _say(f"{name}: {one_line(held.decode('utf-8', 'replace'), HEAD_MAX)}")
    value = (letter.record.value or b"").decode("utf-8", "replace")
    _say(f"\n{visible(value[:HEAD_MAX])}")


@dlq.command("replay")
@click.argument("topic")
@click.argument("offsets", nargs=-1, type=click.IntRange(0))
@click.option("--all", "everything", is_flag=True, help="Every letter that is not settled yet.")
@click.option("--again", is_flag=True, help="Also what was replayed or dropped before.")
@bus_option
@config_options
def replay_letters(
    topic: str,
    offsets: tuple[int, ...],
    everything: bool,
    again: bool,
    bus: str | None,
    config: str | None,
    log_format: str | None,
) -> None:
    """Append the letters at OFFSETS to their topic and partition once more, as they were, and mark them as done.

    Example: tumen dlq replay stories 3 4
    """
    from services.bootstrap.deadletters import replay

    of, which = _topic(topic), _which(offsets, everything=everything)
    _report(
        _on_bus(
            settings_from(config, log_format, bus=bus), lambda opened: replay(opened, of, which, again=again)
        )
    )


@dlq.command("drop")
@click.argument("topic")
@click.argument("offsets", nargs=-1, type=click.IntRange(0))
@click.option("--all", "everything", is_flag=True, help="Every letter that is not settled yet.")
@bus_option
@config_options
def drop_letters(
    topic: str,
    offsets: tuple[int, ...],
    everything: bool,
    bus: str | None,
    config: str | None,
    log_format: str | None,
) -> None:
    """Mark the letters at OFFSETS as done without sending them anywhere.

    Example: tumen dlq drop stories 3
    """
    from services.bootstrap.deadletters import drop

    of, which = _topic(topic), _which(offsets, everything=everything)
    _report(_on_bus(settings_from(config, log_format, bus=bus), lambda opened: drop(opened, of, which)))


def _topic(name: str) -> Topic:
    """Return the topic whose letters are meant; ``stories`` and ``stories.dlq`` are the same."""
    from services.bus.topics import resolve

    try:
        return resolve(name.removesuffix(".dlq"))
    except KeyError as error:
        raise UnreadableError(error.args[0]) from error


def _which(offsets: tuple[int, ...], *, everything: bool) -> tuple[int, ...] | None:
    if bool(offsets) == everything:
        raise click.UsageError("name the offsets of letters, or say --all")
    return offsets or None


def _on_bus(settings: Settings, work: Callable[[Bus], Awaitable[T]]) -> T:
    from services.bootstrap import open_bus
    from services.bootstrap.deadletters import UnknownLetterError

    async def run() -> T:
        async with open_bus(settings.bus, settings.kafka, must_exist=True) as opened:
            return await work(opened)

    try:
        return asyncio.run(run())
    except UnknownLetterError as error:
        raise click.ClickException(str(error)) from error


def _report(refused: list[str]) -> None:
    """Say what was not done, and fail if that is anything."""
    for line in refused:
        click.echo(line, err=True)
    if refused:
        sys.exit(FAILED)


def _line(letter: Letter, now: datetime) -> str:
    record = letter.record
    place = f"{letter.header('original-partition')}/{letter.header('original-offset')}"
    attempts = letter.header("attempts")
    age = _age(now.timestamp() - record.timestamp_ms / 1_000)
    settled = f" [{letter.settled}]" if letter.settled else ""
    parts = (
        f"{letter.topic.short} {record.offset}",
        place,
        record.key,
        letter.header("stage"),
        letter.header("error-class"),
        f"{attempts}x",
        age,
        letter.header("error-message") + settled,
    )
    return "  ".join(one_line(part, MESSAGE_MAX) for part in parts)


def _age(seconds: float) -> str:
    """Return how old it is, in one unit."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= size:
            return f"{int(seconds // size)}{unit}"
    return f"{max(0, int(seconds))}s"


def _json(letter: Letter, form: str) -> str:
    record = letter.record
    value = {
        "topic": letter.topic.name,
        "offset": record.offset,
        "key": record.key,
        "settled": letter.settled,
        "headers": {name: held.decode("utf-8", "replace") for name, held in record.headers},
        "value": None if record.value is None else record.value.decode("utf-8", "replace"),
    }
    return json.dumps(value, indent=2 if form == "pretty" else None)


def _say(text: str) -> None:
    sys.stdout.write(f"{text.encode('utf-8', 'replace').decode()}\n")
