"""``tumen``: the command line's entry point."""

from __future__ import annotations

import click

import services
from services.cli.backtest import backtest
from services.cli.classify import classify
from services.cli.common import TumenGroup
from services.cli.demo import demo
from services.cli.dlq import dlq
from services.cli.explain import explain
from services.cli.feeds import feeds
from services.cli.run import SERVICE_COMMANDS, run
from services.cli.schemas import schemas
from services.cli.subscribers import deliveries, subscribers
from services.cli.tail import tail
from services.cli.topics import topics


@click.group(cls=TumenGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(services.__version__, prog_name="tumen")
def main() -> None:
    """Watch the world's news for Russia - North Korea arms ties.

    Example: tumen demo --exit
    """


COMMANDS = (
    demo,
    run,
    *SERVICE_COMMANDS,
    classify,
    explain,
    backtest,
    tail,
    feeds,
    subscribers,
    deliveries,
    topics,
    dlq,
    schemas,
)

for command in COMMANDS:
    main.add_command(command)
