"""``tumen subscribers`` and ``tumen deliveries``: who is told, and what became of it."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import click

from services.cli.common import (
    FAILED,
    UnreadableError,
    bus_option,
    changes_line,
    config_options,
    settings_from,
)

if TYPE_CHECKING:
    from schemas.common import Wire
    from services.alerter.subscriberlist import SubscriberList
    from services.bootstrap.imports import Changes
    from services.settings import Settings

ARGUMENTS = {"id": "SUBSCRIBER", "channel": "CHANNEL", "secret_ref": "--secret-ref"}
"""What the fields of a subscriber are called on the command line."""


@click.group()
def subscribers() -> None:
    """List, add and import those who are told of alerts.

    Example: tumen subscribers import subscribers.toml
    """


@subscribers.command("import")
@click.argument("file", type=click.Path(dir_okay=False))
@click.option("--replace", is_flag=True, help="Also remove the subscribers that the file does not name.")
@click.option("--strict", is_flag=True, help="Import nothing if anything in the file is wrong.")
@bus_option
@config_options
def import_list(
    file: str, replace: bool, strict: bool, bus: str | None, config: str | None, log_format: str | None
) -> None:
    """Put the subscribers of FILE (TOML) on the log; what is wrong is said by line, the good ones are taken.

    A list that holds a secret or names a channel that there is not is refused as a whole.

    Example: tumen subscribers import subscribers.toml
    """
    from services.alerter.subscriberlist import read_subscribers
    from services.bootstrap.imports import read_list

    settings = settings_from(config, log_format, bus=bus)
    found = read_subscribers(read_list(file), file)
    for problem in found.problems:
        click.echo(f"{problem}{'; nothing imported' if problem in found.refusals else ''}", err=True)
    if strict and found.problems:
        click.echo("nothing imported (--strict)", err=True)
    if found.refusals or not found.subscribers or (strict and found.problems):
        sys.exit(FAILED)
    _import(found, file, settings, replace=replace)


@subscribers.command("add")
@click.argument("subscriber")
@click.argument("channel")
@click.option("--severity-min", type=click.IntRange(1, 5), default=3, show_default=True)
@click.option(
    "--secret-ref", metavar="env:NAME|file:PATH", help="Where the webhook's secret is; never the secret."
)
@bus_option
@config_options
def add(
    subscriber: str,
    channel: str,
    severity_min: int,
    secret_ref: str | None,
    bus: str | None,
    config: str | None,
    log_format: str | None,
) -> None:
    """Add or change one subscriber: its id and the URL of its CHANNEL (console: or https://…).

    Example: tumen subscribers add desk https://hooks.newsroom.example/tumen --severity-min 4
    """
    from services.alerter.subscriberlist import SubscriberList, read_subscriber

    settings = settings_from(config, log_format, bus=bus)
    entry = {"id": subscriber, "channel": channel, "match": {"severity_min": severity_min}}
    found = read_subscriber(entry | ({} if secret_ref is None else {"secret_ref": secret_ref}))
    if isinstance(found, tuple):
        message = f"{ARGUMENTS[found[0].keys[0]]}: {found[0].what}"
        raise UnreadableError(message)
    _import(SubscriberList((found,), ()), subscriber, settings)


@subscribers.command("list")
@bus_option
@config_options
def list_subscribers(bus: str | None, config: str | None, log_format: str | None) -> None:
    """Print the subscribers on the log, one JSON object a line.

    Example: tumen subscribers list | jq -r .id
    """
    from schemas import Subscriber
    from services.bus.topics import SUBSCRIBERS

    _print_latest(SUBSCRIBERS.name, Subscriber, settings_from(config, log_format, bus=bus))


@click.group()
def deliveries() -> None:
    """Read the ledger of deliveries.

    Example: tumen deliveries list | jq -r .status
    """


@deliveries.command("list")
@bus_option
@config_options
def list_deliveries(bus: str | None, config: str | None, log_format: str | None) -> None:
    """Print what became of each alert for each subscriber, one JSON object a line.

    Example: tumen deliveries list | jq 'select(.status == "parked")'
    """
    from schemas import Delivery
    from services.bus.topics import DELIVERIES

    _print_latest(DELIVERIES.name, Delivery, settings_from(config, log_format, bus=bus))


def _import(found: SubscriberList, name: str, settings: Settings, *, replace: bool = False) -> None:
    from services.bootstrap import open_bus
    from services.bootstrap.imports import import_subscribers
    from services.clock import SystemClock

    async def run() -> Changes:
        async with open_bus(settings.bus, settings.kafka) as opened:
            return await import_subscribers(opened, found, name, SystemClock().now(), replace=replace)

    changes = asyncio.run(run())
    listed, problems = len(found.subscribers), len(found.problems)
    click.echo(changes_line(name, "subscriber", listed, problems, changes), err=True)


def _print_latest(topic: str, model: type[Wire], settings: Settings) -> None:
    from services.bootstrap import open_bus
    from services.bootstrap.reading import latest
    from services.bus.topics import TOPICS

    async def run() -> None:
        async with open_bus(settings.bus, settings.kafka, must_exist=True) as opened:
            async for message in latest(opened, TOPICS[topic], model):
                click.echo(message.to_json().decode())

    asyncio.run(run())
