"""``tumen schemas``: the JSON Schemas of every message, and the AsyncAPI document of the log."""

from __future__ import annotations

from pathlib import Path

import click

from services.cli.common import config_options, settings_from


@click.group()
def schemas() -> None:
    """Work with the JSON Schemas of the messages.

    Example: tumen schemas export ./schemas
    """


@schemas.command("export")
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
@config_options
def export_schemas(directory: Path, config: str | None, log_format: str | None) -> None:
    """Write one JSON Schema (2020-12) a message into DIRECTORY, and the AsyncAPI 3.0 document of the log.

    Example: tumen schemas export ./schemas
    """
    from schemas.export import export
    from services.bus.kafka import asyncapi

    settings_from(config, log_format)
    try:
        written = [*export(directory), asyncapi.export(directory)]
    except OSError as error:
        message = f"{directory}: cannot be written: {error.strerror}"
        raise click.ClickException(message) from error
    for path in written:
        click.echo(path)
