"""What every command understands: where the daemon is, and how to answer.

Free of the HTTP client, which the daemon itself has no use for.
"""

from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import quote

import click

DEFAULT_URL = "http://127.0.0.1:3862"
PREFIX = "/api/v1.0"

Command = TypeVar("Command", bound=Callable[..., Any])


def talks(command: Command) -> Command:
    """Give a command --url and --json, which count wherever they are written."""
    for option in (_JSON, _URL):
        command = option(command)
    return command


def answers(command: Command) -> Command:
    """Give a command that asks no daemon --json alone."""
    return _JSON(command)


def segment(name: str) -> str:
    """Return a name as one part of an address."""
    return quote(name, safe="")


def url(context: click.Context | None = None) -> str:
    """Return where the command line says that the daemon is."""
    context = context or click.get_current_context()
    return str(context.meta.get("syncd.url", DEFAULT_URL))


def wants_json() -> bool:
    """Tell whether the command line asks for JSON."""
    return bool(click.get_current_context().meta.get("syncd.json", False))


def _remember(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    if value:
        context.meta[f"syncd.{parameter.name}"] = value


_URL = click.option(
    "--url",
    envvar="SYNCD_URL",
    metavar="URL",
    expose_value=False,
    callback=_remember,
    help=f"Where the daemon is (or SYNCD_URL).  [{DEFAULT_URL}]",
)
_JSON = click.option(
    "--json",
    is_flag=True,
    expose_value=False,
    callback=_remember,
    help="Print one JSON document, for programs.",
)
