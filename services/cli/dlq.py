"""``tumen dlq``: the dead letters: what could not be handled, and what to do with it."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import click

from services.cli.common import FAILED, UnreadableError, bus_option, config_options, counted, settings_from
from services.text.clean import one_line, visible

if TYPE_CHECKING:
    from datetime import datetime

    from services.bootstrap.deadletters import DeadLetters, How, Letter, Outcome
    from services.bus.topics import Topic
    from services.settings import Settings

    Opened: TypeAlias = Callable[[Topic], DeadLetters]
    """Gives the dead letters of a topic on the log that was opened."""

T = TypeVar("T")
MESSAGE_MAX = 120
HEAD_MAX = 4_000
"""Code points of a letter's value that ``show`` prints."""
NOT_THERE = "?"
"""What stands for a header that a letter lacks, and in front of one that is not what it should be."""


def letter_offset(text: str) -> int:
    """Return the offset of a letter; what else stands in a line of ``list`` is told apart."""
    if re.fullmatch(r"[0-9]{1,18}", text):
        return int(text)
    message = (
        f"{text[:80]!r} is no offset of a letter: write the number behind the topic in `tumen dlq list` "
        "(9/0 there is partition and offset of the original)"
    )
    raise UnreadableError(message)


@click.group()
def dlq() -> None:
    """List, show, replay and drop dead letters: messages that could not be handled.

    A letter is named by TOPIC and OFFSET, the first two words of its line in `tumen dlq list`. Offsets have gaps: what
    was replayed or dropped is noted in the same topic, and Kafka counts its own marks.

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

    Topic and offset of the letter; partition/offset of the original (9/-: it never got onto its topic); its key; the
    service that failed; error class; attempts (3x); age; message. A ? is a header that is not there or not what it
    should be.

    Example: tumen dlq list stories --format jsonl
    """
    from services.bus.topics import PRIMARY
    from services.clock import SystemClock

    wanted = [_topic(name) for name in topics] or list(PRIMARY)
    now = SystemClock().now()

    async def work(of: Opened) -> None:
        for topic in wanted:
            async with aclosing(of(topic).letters()) as found:
                async for letter in found:
                    if everything or letter.settled is None:
                        _say(_line(letter, now) if form == "line" else _json(letter, form))

    _on_bus(settings_from(config, log_format, bus=bus), work)


@dlq.command("show")
@click.argument("topic")
@click.argument("offset", type=letter_offset)
@bus_option
@config_options
def show(topic: str, offset: int, bus: str | None, config: str | None, log_format: str | None) -> None:
    """Print the headers and the beginning of the value of the letter at OFFSET of TOPIC's dead letters.

    Example: tumen dlq show stories 3
    """
    of_topic = _topic(topic)
    letter = _on_bus(settings_from(config, log_format, bus=bus), lambda of: of(of_topic).letter(offset))
    if letter.settled:
        _say(f"settled: {letter.settled}")
    _say(f"key: {one_line(letter.record.key, MESSAGE_MAX)}")
    for name, held in letter.record.headers:
        _say(f"{name}: {one_line(held.decode('utf-8', 'replace'), HEAD_MAX)}")
    value = (letter.record.value or b"").decode("utf-8", "replace")
    _say(f"\n{visible(value[:HEAD_MAX])}")


@dlq.command("replay")
@click.argument("topic")
@click.argument("offsets", nargs=-1, type=letter_offset)
@click.option("--all", "everything", is_flag=True, help="Every letter that is not settled yet.")
@click.option("--again", is_flag=True, help="Also what was replayed or dropped before; OFFSETS only.")
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
    of_topic, which = _topic(topic), _which(offsets, everything=everything)
    if again and everything:
        raise click.UsageError("--again is for letters that are named: write their offsets instead of --all")
    settings = settings_from(config, log_format, bus=bus)
    outcome = _on_bus(settings, lambda of: of(of_topic).replay(which, again=again))
    _report(settings, of_topic, "replayed", outcome)


@dlq.command("drop")
@click.argument("topic")
@click.argument("offsets", nargs=-1, type=letter_offset)
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
    of_topic, which = _topic(topic), _which(offsets, everything=everything)
    settings = settings_from(config, log_format, bus=bus)
    _report(settings, of_topic, "dropped", _on_bus(settings, lambda of: of(of_topic).drop(which)))


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


def _on_bus(settings: Settings, work: Callable[[Opened], Awaitable[T]]) -> T:
    from services.bootstrap import open_bus
    from services.bootstrap.deadletters import DeadLetters, UnknownLetterError
    from services.bootstrap.opening import topic_namer

    called = topic_namer(settings)

    async def run() -> T:
        async with open_bus(settings.bus, settings.kafka, must_exist=True) as opened:
            return await work(lambda topic: DeadLetters(opened, topic, called))

    try:
        return asyncio.run(run())
    except UnknownLetterError as error:
        raise click.ClickException(str(error)) from error


def _report(settings: Settings, topic: Topic, how: How, outcome: Outcome) -> None:
    """Say what was done and what was not, and fail if that is anything."""
    from services.bootstrap.opening import topic_namer

    for line in outcome.refused:
        click.echo(line, err=True)
    called = topic_namer(settings)
    onto = f" onto {called(topic.name)}" if how == "replayed" else ""
    click.echo(f"{called(topic.dlq.name)}: {counted(outcome.settled, 'letter')} {how}{onto}", err=True)
    if outcome.refused:
        sys.exit(FAILED)


def _line(letter: Letter, now: datetime) -> str:
    record = letter.record
    offset = _number(letter, "original-offset")
    settled = f" [{letter.settled}]" if letter.settled else ""
    parts = (
        f"{letter.topic.short} {record.offset}",
        f"{_number(letter, 'original-partition')}/{'-' if offset == '-1' else offset}",
        record.key,
        letter.header("stage") or NOT_THERE,
        letter.header("error-class") or NOT_THERE,
        f"{_number(letter, 'attempts')}x",
        _age(now.timestamp() - record.timestamp_ms / 1_000),
        letter.header("error-message") + settled,
    )
    return "  ".join(one_line(part, MESSAGE_MAX) for part in parts)


def _number(letter: Letter, name: str) -> str:
    """Return the number in a header, and anything else behind a question mark."""
    number = letter.number(name)
    return f"{NOT_THERE}{letter.header(name)}" if number is None else str(number)


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
