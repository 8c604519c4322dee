"""What every command understands: where the daemon is, who asks, how to answer.

Free of the HTTP client, which the daemon itself has no use for.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import click

from syncd.errors import BadRequest

DEFAULT_URL = "http://127.0.0.1:3862"
PREFIX = "/api/v1.0"

CONFIG = click.option(
    "--config",
    type=click.Path(path_type=Path),
    default=Path("config/syncd.yaml"),
    show_default=True,
    help="The configuration file.",
)
"""For commands that read the configuration themselves."""

Command = TypeVar("Command", bound=Callable[..., Any])


def talks(command: Command) -> Command:
    """Give a command --url and the like, which count wherever they are written."""
    for option in (_JSON, _CA_FILE, _TOKEN_FILE, _URL):
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


def token(context: click.Context | None = None) -> tuple[str, str] | None:
    """Return the KEY and SECRET by which to ask, None if none are given.

    They come from SYNCD_TOKEN or a file, as a command line is for all to see. Raise
    BadRequest if they make no sense.
    """
    context = context or click.get_current_context()
    file = context.meta.get("syncd.token_file")
    where = str(file) if file else "SYNCD_TOKEN"
    said = os.environ.get("SYNCD_TOKEN", "") if file is None else _content(file)
    key, colon, secret = said.strip().partition(":")
    if not said.strip():
        return None
    if not (key and colon and secret):
        raise BadRequest(f"{where} is not KEY:SECRET, as `syncd token create` prints")
    return key, secret


def ca_file(context: click.Context | None = None) -> Path | None:
    """Return the file of those whose word is taken for who the daemon is."""
    context = context or click.get_current_context()
    return context.meta.get("syncd.ca_file")


def wants_json() -> bool:
    """Tell whether the command line asks for JSON."""
    return bool(click.get_current_context().meta.get("syncd.json", False))


def _content(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "is not UTF-8"
        raise BadRequest(f"--token-file {file}: {why}") from None


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
_TOKEN_FILE = click.option(
    "--token-file",
    envvar="SYNCD_TOKEN_FILE",
    type=click.Path(path_type=Path),
    expose_value=False,
    callback=_remember,
    help="File with KEY:SECRET of a token to ask by (or SYNCD_TOKEN=KEY:SECRET).",
)
_CA_FILE = click.option(
    "--ca-file",
    envvar="SYNCD_CA_FILE",
    type=click.Path(path_type=Path),
    expose_value=False,
    callback=_remember,
    help="Certificates (PEM) to trust at an https address (or SYNCD_CA_FILE).",
)
_JSON = click.option(
    "--json",
    is_flag=True,
    expose_value=False,
    callback=_remember,
    help="Print one JSON document, for programs.",
)
