"""syncd run: the daemon itself, with a greeting for people."""

import sys
from importlib import import_module
from pathlib import Path

import click

from syncd import config as configuration
from syncd import daemon
from syncd.cli.options import CONFIG
from syncd.config import Config


@click.command()
@CONFIG
def run(config: Path) -> int:
    """Serve what a configuration says, until told to stop.

    SIGTERM and Ctrl-C end it within ten seconds, SIGHUP reads the rules again, and
    the certificate.

    \b
    Example:  syncd run --config config/syncd.yaml
    """
    sound = configuration.read(config)
    return daemon.run(sound, ready=lambda: greet(sound))


def greet(config: Config) -> None:
    """Say, on a terminal, what is served and what to try."""
    if sys.stderr.isatty():
        # What draws tables is not loaded where nobody looks.
        import_module("syncd.cli.greeting").greet(config)
