"""``tumen feeds``: the list of what is polled."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from services.cli.common import FAILED, bus_option, changes_line, config_options, settings_from

if TYPE_CHECKING:
    from schemas import Feed
    from services.bootstrap.imports import Changes
    from services.settings import Settings


@click.group()
def feeds() -> None:
    """List, import and export the feeds that are polled.

    Example: tumen feeds import feeds.opml
    """


@feeds.command("import")
@click.argument("file", type=click.Path(dir_okay=False))
@click.option("--replace", is_flag=True, help="Also remove the feeds that the file does not name.")
@click.option("--strict", is_flag=True, help="Import nothing if anything in the file is wrong.")
@bus_option
@config_options
def import_list(
    file: str, replace: bool, strict: bool, bus: str | None, config: str | None, log_format: str | None
) -> None:
    """Put the feeds of FILE (OPML or TOML) on the log; what is wrong is said by line, the good ones are taken.

    A list without a feed changes nothing, also with --replace.

    Example: tumen feeds import feeds.opml --replace
    """
    from services.bootstrap import open_bus
    from services.bootstrap.imports import import_feeds, read_list
    from services.clock import SystemClock
    from services.poller.feedlist import read_feed_list

    settings = settings_from(config, log_format, bus=bus)
    found = read_feed_list(read_list(file), file)
    for problem in found.problems:
        click.echo(str(problem), err=True)
    if strict and found.problems:
        click.echo("nothing imported (--strict)", err=True)
        sys.exit(FAILED)
    if not found.feeds:
        good = "good " if found.problems else ""
        click.echo(f"{file}: no {good}feeds in this file; nothing imported", err=True)
        sys.exit(FAILED)

    async def run() -> Changes:
        async with open_bus(settings.bus, settings.kafka) as opened:
            return await import_feeds(opened, found, file, SystemClock().now(), replace=replace)

    changes = asyncio.run(run())
    click.echo(changes_line(file, "feed", len(found.feeds), len(found.problems), changes), err=True)


@feeds.command("list")
@bus_option
@config_options
def list_feeds(bus: str | None, config: str | None, log_format: str | None) -> None:
    """Print the feeds on the log, one JSON object a line.

    Example: tumen feeds list | jq -r .url
    """
    for feed in asyncio.run(_feeds(settings_from(config, log_format, bus=bus))):
        click.echo(feed.to_json().decode())


@feeds.command("export")
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="Write to this file, not to stdout."
)
@bus_option
@config_options
def export(out: Path | None, bus: str | None, config: str | None, log_format: str | None) -> None:
    """Write the feeds on the log as OPML 2.0.

    Example: tumen feeds export --out feeds.opml
    """
    from services.poller.feedlist import write_opml

    text = write_opml(asyncio.run(_feeds(settings_from(config, log_format, bus=bus))))
    if out is None:
        click.echo(text, nl=False)
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        message = f"{out}: cannot be written: {error.strerror}"
        raise click.ClickException(message) from error


async def _feeds(settings: Settings) -> list[Feed]:
    from schemas import Feed as Model
    from services.bootstrap import open_bus
    from services.bootstrap.reading import latest
    from services.bus.topics import FEEDS

    async with open_bus(settings.bus, settings.kafka, must_exist=True) as opened:
        found = [feed async for feed in latest(opened, FEEDS, Model)]
    return sorted(found, key=lambda feed: (feed.title.casefold(), feed.url))
