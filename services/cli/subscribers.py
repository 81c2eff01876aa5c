"""``tumen subscribers`` and ``tumen deliveries``: who is told, and what became of it."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING

import click

from services.cli.common import FAILED, bus_option, config_options, counted, settings_from

if TYPE_CHECKING:
    from schemas.common import Wire
    from services.settings import Settings


@click.group()
def subscribers() -> None:
    """List, add and import those who are told of alerts.

    Example: tumen subscribers import subscribers.toml
    """


@subscribers.command("import")
@click.argument("file", type=click.Path(dir_okay=False))
@click.option("--replace", is_flag=True, help="Also remove the subscribers that the file does not name.")
@bus_option
@config_options
def import_list(
    file: str, replace: bool, bus: str | None, config: str | None, log_format: str | None
) -> None:
    """Put the subscribers of FILE (TOML) on the log; what is wrong is said by line, the good ones are taken.

    Example: tumen subscribers import subscribers.toml
    """
    from services.bootstrap.imports import read_list

    _import(read_list(file), file, settings_from(config, log_format, bus=bus), replace=replace)


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
    lines = ["[[subscribers]]", f"id = {json.dumps(subscriber)}", f"channel = {json.dumps(channel)}"]
    lines += [f"match = {{ severity_min = {severity_min} }}"]
    lines += [f"secret_ref = {json.dumps(secret_ref)}"] if secret_ref else []
    _import("\n".join(lines).encode(), "command line", settings_from(config, log_format, bus=bus))


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


def _import(data: bytes, name: str, settings: Settings, *, replace: bool = False) -> None:
    from services.alerter.subscriberlist import read_subscribers
    from services.bootstrap import open_bus
    from services.bootstrap.imports import import_subscribers
    from services.clock import SystemClock

    found = read_subscribers(data, name)
    for problem in found.problems:
        click.echo(str(problem), err=True)
    if found.problems and not found.subscribers:
        sys.exit(FAILED)

    async def run() -> None:
        async with open_bus(settings.bus, settings.kafka) as opened:
            await import_subscribers(opened, found, name, SystemClock().now(), replace=replace)

    asyncio.run(run())
    click.echo(f"{name}: {counted(len(found.subscribers), 'subscriber')}", err=True)


def _print_latest(topic: str, model: type[Wire], settings: Settings) -> None:
    from services.bootstrap import open_bus
    from services.bootstrap.reading import latest
    from services.bus.topics import TOPICS

    async def run() -> None:
        async with open_bus(settings.bus, settings.kafka, must_exist=True) as opened:
            async for message in latest(opened, TOPICS[topic], model):
                click.echo(message.to_json().decode())

    asyncio.run(run())
