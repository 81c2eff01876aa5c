"""``tumen schemas``: the JSON Schemas of every message."""

from __future__ import annotations

from pathlib import Path

import click


@click.group()
def schemas() -> None:
    """Work with the JSON Schemas of the messages.

    Example: tumen schemas export ./schemas
    """


@schemas.command("export")
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
def export_schemas(directory: Path) -> None:
    """Write one JSON Schema (2020-12) a message into DIRECTORY.

    Example: tumen schemas export ./schemas
    """
    from schemas.export import export

    for path in export(directory):
        click.echo(path)
