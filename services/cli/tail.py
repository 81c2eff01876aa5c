"""``tumen tail``: what a topic holds, as JSON lines or readable."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING

import click

from services.cli.common import UnreadableError, bus_option, config_options, settings_from
from services.text.clean import visible

if TYPE_CHECKING:
    from services.bus.ports import Bus, Record

FOLLOW_WAIT_S = 60.0
"""A wait that ends now and then anyway; appended records end it at once."""


@click.command()
@click.argument("topic")
@click.option("--from", "start", type=click.Choice(["start", "now"]), default="start", show_default=True)
@click.option("--follow", is_flag=True, help="Go on with what is appended from now on.")
@click.option("--format", "form", type=click.Choice(["jsonl", "pretty"]), default="jsonl", show_default=True)
@click.option(
    "--meta", is_flag=True, help="Wrap each message with topic, partition, offset, key and headers."
)
@bus_option
@config_options
def tail(
    topic: str,
    start: str,
    follow: bool,
    form: str,
    meta: bool,
    bus: str | None,
    config: str | None,
    log_format: str | None,
) -> None:
    """Print the messages of TOPIC (alerts, stories, verdicts, deliveries, stories.dlq …).

    Example: tumen tail alerts --bus sqlite:tumen.db --follow
    """
    from services.bootstrap import open_bus
    from services.bus.topics import resolve

    settings = settings_from(config, log_format, bus=bus)
    try:
        name = resolve(topic).name
    except KeyError as error:
        raise UnreadableError(error.args[0]) from error

    async def run() -> None:
        async with open_bus(settings.bus, settings.kafka, must_exist=True) as opened:
            await _print(opened, name, fresh=start == "now", follow=follow, form=form, meta=meta)

    asyncio.run(run())


async def _print(bus: Bus, topic: str, *, fresh: bool, follow: bool, form: str, meta: bool) -> None:
    if not follow:
        if not fresh:
            async for record in bus.read(topic):
                _line(record, form, meta=meta)
        return
    tail = await bus.tail([topic], start=not fresh)
    while True:
        for record in await tail.poll():
            _line(record, form, meta=meta)
        sys.stdout.flush()
        await tail.wait(FOLLOW_WAIT_S)


def _line(record: Record, form: str, *, meta: bool) -> None:
    """Print one record; a tombstone shows only in its wrapping, and nothing that is printed steers a terminal."""
    if record.value is None and not meta:
        return
    text = "null" if record.value is None else record.value.decode("utf-8", "replace")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):  # a dead letter may hold anything
        value, text = text, json.dumps(text)
    if meta:
        value = _wrapped(record, value)
    if meta or form == "pretty" or "\n" in text:
        text = json.dumps(value, ensure_ascii=False, indent=2 if form == "pretty" else None)
    text = text.encode("utf-8", "replace").decode()
    sys.stdout.write(f"{visible(text) if sys.stdout.isatty() else text}\n")


def _wrapped(record: Record, value: object) -> dict[str, object]:
    return {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "key": record.key,
        "headers": {name: value.decode("utf-8", "replace") for name, value in record.headers},
        "value": value,
    }
