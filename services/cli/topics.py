"""``tumen topics``: the topics of a Kafka cluster, from the one table."""

from __future__ import annotations

import asyncio
import json
import sys

import click

from services.cli.common import FAILED, bus_option, cluster_settings, config_options, counted, settings_from


@click.group()
def topics() -> None:
    """Create and check the topics on Kafka, and print who may use them; a SQLite log makes its own.

    Example: tumen topics create --bus kafka://127.0.0.1:9092
    """


@topics.command("create")
@click.option(
    "--partitions", type=click.IntRange(1, 1_000), help="Of the sharded topics. Default: kafka.partitions."
)
@bus_option
@config_options
def create(partitions: int | None, bus: str | None, config: str | None, log_format: str | None) -> None:
    """Create the topics that are not there and print their names; those that are stay as they are.

    The number of partitions is for good: another one than the sharded topics have is refused, and nothing is created.

    Example: tumen topics create --bus kafka://127.0.0.1:9092
    """
    from services.bootstrap.opening import topic_admin
    from services.bus.topics import TOPICS

    settings = cluster_settings(config, log_format, bus)

    async def run() -> list[str]:
        async with topic_admin(settings.bus, settings.kafka, partitions) as admin:
            return await admin.create()

    made = asyncio.run(run())
    for name in made:
        click.echo(name)
    if made:
        click.echo(f"{counted(len(made), 'topic')} created", err=True)
    else:
        click.echo(f"nothing to create: all {counted(len(TOPICS), 'topic')} are there", err=True)


@topics.command("check")
@click.option(
    "--partitions", type=click.IntRange(1, 1_000), help="Of the sharded topics. Default: kafka.partitions."
)
@bus_option
@config_options
def check(partitions: int | None, bus: str | None, config: str | None, log_format: str | None) -> None:
    """Print where the topics differ from what they must be; exit 1 when any does.

    Example: tumen topics check --bus kafka://127.0.0.1:9092
    """
    from services.bootstrap.opening import topic_admin
    from services.bus.topics import TOPICS

    settings = cluster_settings(config, log_format, bus)

    async def run() -> list[str]:
        async with topic_admin(settings.bus, settings.kafka, partitions) as admin:
            return await admin.check()

    found = asyncio.run(run())
    for line in found:
        click.echo(line)
    if found:
        sys.exit(FAILED)
    click.echo(f"{counted(len(TOPICS), 'topic')}: all are as they must be", err=True)


@topics.command("acls")
@click.option(
    "--principal",
    default="User:tumen-{service}",
    show_default=True,
    help="Who a service is on the cluster; {service} stands for its name.",
)
@click.option("--service", "service_names", multiple=True, help="Only of this service (may be repeated).")
@click.option(
    "--format", "form", type=click.Choice(["commands", "json"]), default="commands", show_default=True
)
@click.option(
    "--command-config",
    metavar="FILE",
    default="admin.properties",
    show_default=True,
    help="How kafka-acls.sh is to connect.",
)
@bus_option
@config_options
def acls(
    principal: str,
    service_names: tuple[str, ...],
    form: str,
    command_config: str,
    bus: str | None,
    config: str | None,
    log_format: str | None,
) -> None:
    """Print the ACLs that each service needs, as command lines of kafka-acls.sh; nothing is changed.

    Example: tumen topics acls --bus kafka://kafka:9092 | sh
    """
    from services.bootstrap.access import acl_commands, acl_rows, programs

    try:
        chosen = programs(service_names)
    except KeyError as error:
        raise click.BadParameter(error.args[0], param_hint="--service") from error
    # Tools take the rows and connect by themselves; a command line needs the address.
    settings = (
        settings_from(config, log_format, bus=bus)
        if form == "json"
        else cluster_settings(config, log_format, bus)
    )
    if form == "json":
        click.echo(json.dumps(acl_rows(chosen, settings.kafka, principal), indent=2))
        return
    for line in acl_commands(chosen, settings, principal, command_config):
        click.echo(line)
