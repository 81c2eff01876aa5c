"""``tumen demo``: one recorded day of news through the whole pipeline. What ``make run`` calls."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from services.cli.common import FAILED, config_options, settings_from

if TYPE_CHECKING:
    from services.bootstrap.demo import DemoOptions


@click.command()
@click.option("--speed", metavar="max|N", help="Virtual seconds a second. Default: a day a minute (1440).")
@click.option(
    "--exit",
    "leave",
    is_flag=True,
    help="Play at full speed and end; exit 1 if the alerts are not as expected.",
)
@click.option("--no-desk", is_flag=True, help="Do not serve the desk.")
@click.option(
    "--export",
    "tape",
    metavar="TAPE.warc.gz",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the day's tape and end.",
)
@click.option(
    "--bus",
    metavar="URL",
    help="Keep the day on this log, and go on with an unfinished one. Default: a temporary log.",
)
@config_options
def demo(
    speed: str | None,
    leave: bool,
    no_desk: bool,
    tape: Path | None,
    bus: str | None,
    config: str | None,
    log_format: str | None,
) -> None:
    """Play an invented day of world news; the alerts come up here and on the desk.

    Example: tumen demo --exit | jq -r .title
    """
    settings = settings_from(config, log_format, bus=bus)
    if tape is not None:
        _export(tape)
        return
    from services.bootstrap.demo import DAY_A_MINUTE, DemoOptions

    pace = read_speed(speed, DAY_A_MINUTE)
    options = DemoOptions(
        speed=None if leave and speed is None else pace,
        bus=bus,
        kafka=settings.kafka,
        desk=not no_desk,
        desk_bind=settings.desk.bind,
        desk_port=settings.desk.port,
        desk_hosts=settings.desk.hosts,
        stay=not leave,
    )
    if not asyncio.run(_run(options)):
        sys.exit(FAILED)


def read_speed(text: str | None, usual: float) -> float | None:
    """Return virtual seconds a second; None is as fast as it goes. BadParameter says what is wrong."""
    if text is None:
        return usual
    if text == "max":
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = 0
    if not 0 < speed < float("inf"):
        message = f"write max or a number above 0, not {text!r}"
        raise click.BadParameter(message, param_hint="--speed")
    return speed


def _export(path: Path) -> None:
    from services.bootstrap.day import export_tape
    from services.demo.world import World

    try:
        with path.open("wb") as out:
            count = export_tape(World.load(), out)
    except OSError as error:
        message = f"{path}: cannot be written: {error.strerror}"
        raise click.ClickException(message) from error
    click.echo(f"{path}: {count} records, {path.stat().st_size:,} bytes", err=True)


async def _run(options: DemoOptions) -> bool:
    from services.bootstrap.demo import run_demo
    from services.cli.screen import open_screen
    from services.runner import stop_on_signals

    stop = asyncio.Event()
    stop_on_signals(stop)
    with open_screen() as screen:
        return await run_demo(options, screen, stop)
