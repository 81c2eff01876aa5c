"""``tumen run`` and one command for each service."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

import click

from services.cli.common import bus_option, config_options, settings_from

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from schemas import Alert

WHAT = {
    "poller": "Poll the feeds and write their stories.",
    "classifier": "Judge stories: which are flagged, and by which words.",
    "correlator": "Fold verdicts into storylines and raise alerts.",
    "alerter": "Tell subscribers of alerts, once, with retry.",
    "desk": "Serve the page that people look at.",
}


PUBLISH_ALL = click.option(
    "--publish-all", is_flag=True, help="Publish every verdict, also those that say nothing: for audits."
)


def live_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add what every live command takes; help lists them in this order."""
    for option in reversed(
        (
            bus_option,
            click.option(
                "--feeds",
                metavar="FILE",
                help="Feed list (OPML or TOML), imported at the start; on Kafka only `tumen feeds import` does.",
            ),
            click.option(
                "--subscribers",
                metavar="FILE",
                help="Subscriber list (TOML), likewise; on Kafka only `tumen subscribers import` does.",
            ),
            click.option(
                "--strict", is_flag=True, help="End at the first fault in a list; else good entries run."
            ),
            click.option(
                "--health-port", metavar="0|PORT|off", help="Port of /live, /ready, /metrics; 0: any."
            ),
            config_options,
        )
    ):
        command = option(command)
    return command


def start(names: Sequence[str], options: dict[str, Any]) -> None:
    """Run services with a command's options."""
    from services.bootstrap.live import LiveOptions, run_live
    from services.obs import log
    from services.obs.health import read_port

    lists = {key: options[key] for key in ("bus", "feeds", "subscribers")}
    settings = settings_from(options["config"], options["log_format"], **lists)
    log.configure(settings.log.format)
    text = options["health_port"]
    try:
        port = None if text is None else read_port(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--health-port") from error
    live = LiveOptions(
        names=tuple(names),
        once=options.get("once", False),
        health=text is None or port is not None,
        health_port=port,
        strict=options["strict"],
        publish_all=options.get("publish_all", False),
    )
    asyncio.run(run_live(settings, live, shower()))


def shower() -> Callable[[Alert], None]:
    """Return how alerts of console subscribers are shown: text on a terminal, JSON lines otherwise."""
    if sys.stdout.isatty():
        from rich.console import Console

        from services.cli.show import alert_block

        console = Console(highlight=False)
        return lambda alert: console.print(alert_block(alert, console.width), markup=False, soft_wrap=True)

    def line(alert: Alert) -> None:
        sys.stdout.write(alert.to_json().decode() + "\n")
        sys.stdout.flush()

    return line


@click.command()
@live_options
def run(**options: Any) -> None:
    """Run all five services in one process, live.

    Example: tumen run --feeds feeds.opml --subscribers subscribers.toml
    """
    from services.bootstrap.parts import SERVICES

    start(SERVICES, options)


def service_command(name: str) -> click.Command:
    """Return the command of one service."""

    @click.command(name, help=f"{WHAT[name]}\n\nExample: tumen {name} --bus sqlite:tumen.db")
    @click.option("--once", is_flag=True, help="Do what is due now, then end.")
    @live_options
    def command(**options: Any) -> None:
        start([name], options)

    if name == "classifier":
        return PUBLISH_ALL(command)
    return command


SERVICE_COMMANDS = tuple(service_command(name) for name in WHAT)
