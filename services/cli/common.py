"""What every command shares: options, settings, and one clear line instead of a traceback."""

from __future__ import annotations

import sys
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

import click

from services.bus.ports import BusError
from services.obs.listen import CannotListen
from services.settings import Settings, SettingsError, load, process_environment

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.bootstrap.imports import Changes

C = TypeVar("C", bound="Callable[..., Any]")

FAILED = 1
UNREADABLE = 2


class UnreadableError(click.ClickException):
    """An input cannot be read: exit 2 with one line."""

    exit_code = UNREADABLE


class TumenGroup(click.Group):
    """The command group: turns what a user can cause into one line and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; a closed pipe is not an error."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            sys.stdout = None  # nobody reads it any more; nothing to flush at exit
            ctx.exit(0)
        except SettingsError as error:
            raise UnreadableError(str(error)) from error
        except BusError as error:
            raise click.ClickException(str(error)) from error
        except CannotListen as error:
            raise click.ClickException(error.strerror or str(error)) from error
        except KeyboardInterrupt:
            ctx.exit(130)


def counted(number: int, noun: str) -> str:
    """Return ``1 feed``, ``1,250 feeds``; the noun is one that takes an s."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def changes_line(name: str, noun: str, listed: int, problems: int, changes: Changes) -> str:
    """Return what an import did, in one line."""
    did = ", ".join(f"{getattr(changes, field.name):,} {field.name}" for field in fields(changes))
    return f"{name}: {counted(listed, noun)}: {did}" + (
        f"; {counted(problems, 'problem')}" if problems else ""
    )


def config_options(command: C) -> C:
    """Add ``--config`` and ``--log-format``."""
    command = click.option(
        "--log-format",
        type=click.Choice(["json", "console"]),
        help="Logs on stderr: one JSON object a line, or columns.",
    )(command)
    return click.option("--config", metavar="FILE", help="Settings (TOML). Default: ./tumen.toml if there.")(
        command
    )


def bus_option(command: C) -> C:
    """Add ``--bus``."""
    return click.option(
        "--bus", metavar="URL", help="The log, e.g. sqlite:tumen.db. Default: TUMEN_BUS or settings."
    )(command)


def settings_from(config: str | None, log_format: str | None = None, **overrides: Any) -> Settings:
    """Return the settings of a command; options that were not given change nothing."""
    given = {key: value for key, value in overrides.items() if value is not None}
    if log_format:
        given["log"] = {"format": log_format}
    return load(config, process_environment(), given)


def cluster_settings(config: str | None, log_format: str | None, bus: str | None) -> Settings:
    """Return the settings of a command that works on Kafka alone; another log is named with where it came from."""
    from services.bootstrap.opening import not_kafka

    settings = settings_from(config, log_format, bus=bus)
    if fault := not_kafka(settings.bus):
        message = f"{settings.origin('bus')}: {fault}"
        raise UnreadableError(message)
    return settings
