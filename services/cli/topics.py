"""``tumen topics``: the topics of a Kafka cluster, from the one table."""

from __future__ import annotations

import asyncio
import sys

import click

from services.cli.common import FAILED, bus_option, config_options, settings_from


@click.group()
def topics() -> None:
    """Create and check the topics on Kafka; a SQLite log makes its own.

    Example: tumen topics create --bus kafka://127.0.0.1:9092
    """


@topics.command("create")
@click.option("--partitions", type=click.IntRange(1, 1_000), help="Of the sharded topics. Default: 16.")
@bus_option
@config_options
def create(partitions: int | None, bus: str | None, config: str | None, log_format: str | None) -> None:
    """Create the topics that are not there; those that are stay as they are.

    Example: tumen topics create --bus kafka://127.0.0.1:9092
    """
    from services.bootstrap.opening import topic_admin

    settings = settings_from(config, log_format, bus=bus)

    async def run() -> list[str]:
        async with topic_admin(settings.bus, settings.kafka, partitions) as admin:
            return await admin.create()

    for name in asyncio.run(run()):
        click.echo(name)


@topics.command("check")
@click.option("--partitions", type=click.IntRange(1, 1_000), help="Of the sharded topics. Default: 16.")
@bus_option
@config_options
def check(partitions: int | None, bus: str | None, config: str | None, log_format: str | None) -> None:
    """Print where the topics differ from what they must be; exit 1 when any does.

    Example: tumen topics check --bus kafka://127.0.0.1:9092
    """
    from services.bootstrap.opening import topic_admin

    settings = settings_from(config, log_format, bus=bus)

    async def run() -> list[str]:
        async with topic_admin(settings.bus, settings.kafka, partitions) as admin:
            return await admin.check()

    found = asyncio.run(run())
    for line in found:
        click.echo(line)
    if found:
        sys.exit(FAILED)
