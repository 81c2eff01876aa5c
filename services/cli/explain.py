"""``tumen explain``: why one story is flagged or not."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from services.cli.common import UnreadableError, bus_option, config_options, settings_from
from services.cli.lines import STANDARD

if TYPE_CHECKING:
    from services.classifier.classify import Item
    from services.settings import Settings


@click.command()
@click.argument("story_id", required=False)
@click.option("--title", help="The headline.")
@click.option("--summary", default="", help="What the feed says below it.")
@click.option(
    "--text", "text_file", metavar="FILE", help="A file with the article's text; - for standard input."
)
@click.option("--language", help="The language that the feed declares.")
@bus_option
@config_options
def explain(
    story_id: str | None,
    title: str | None,
    summary: str,
    text_file: str | None,
    language: str | None,
    bus: str | None,
    config: str | None,
    log_format: str | None,
) -> None:
    """Show why a story is flagged or not: the statements, the words in them, the score's working.

    The story is one on the log, by its STORY_ID, or what --title, --summary and --text say.

    Example: tumen explain --title "Shells from North Korea reach Russia, officials say"
    """
    from services.classifier.classify import Item, load_model
    from services.classifier.explain import explain_item

    if (story_id is None) == (title is None):
        raise click.UsageError("name a STORY_ID or give a --title")
    settings = settings_from(config, log_format, bus=bus)
    if story_id is not None:
        item = asyncio.run(_stored(settings, story_id))
    else:
        text = _read_text(text_file) if text_file else ""
        item = Item("explain", title or "", summary, text, language)
    click.echo(explain_item(item, load_model()))


async def _stored(settings: Settings, story_id: str) -> Item:
    """Return a story of the log as an item; one that is not there is said."""
    from services.bootstrap import open_bus
    from services.bootstrap.reading import find_story
    from services.classifier.stage import item_of

    async with open_bus(settings.bus, settings.kafka, must_exist=True) as bus:
        story = await find_story(bus, story_id)
    if story is None:
        message = f"no story {story_id} on this log (stories are kept for 14 days)"
        raise click.ClickException(message)
    return item_of(story)


def _read_text(path: str) -> str:
    try:
        if path == STANDARD:
            return sys.stdin.buffer.read().decode("utf-8", "replace")
        return Path(path).read_text("utf-8", "replace")
    except OSError as error:
        message = f"{path}: cannot be read: {error.strerror or error}"
        raise UnreadableError(message) from error
