"""syncd check: is the configuration sound?"""

from pathlib import Path

import click

from syncd import config as configuration
from syncd.cli import show
from syncd.cli.options import CONFIG, talks, wants_json
from syncd.config import Config
from syncd.core.rules import RuleFaults, parse
from syncd.errors import ConfigError
from syncd.replication import rules_file


@click.command()
@CONFIG
@talks
def check(config: Path) -> None:
    """Say whether a configuration and its rules are sound, naming every fault.

    Asks no daemon. A fault gives exit code 78.

    \b
    Example:  syncd check --config config/syncd.yaml
    """
    try:
        sound = configuration.read(config)
        number = rules_in_force(sound)
    except ConfigError as error:
        if wants_json():
            show.made({"status": "error", "faults": str(error).splitlines()})
        raise
    entries = list(sound.entries)
    if wants_json():
        return show.made({"status": "ok", "entries": entries, "rules": number})
    return click.echo(
        f"{config}: sound, {show.counted(len(entries), 'entry')},"
        f" {show.counted(number, 'rule')}"
    )


def rules_in_force(sound: Config) -> int:
    """Return how many rules the configuration's rules file holds.

    Raise ConfigError that names every fault in it.
    """
    try:
        return len(parse(rules_file.read(sound.rules), list(sound.entries)))
    except RuleFaults as error:
        told = [_placed(fault, sound.rules) for fault in error.faults]
        raise ConfigError("\n".join(told)) from None


def _placed(fault: str, file: Path) -> str:
    return fault if fault.startswith(f"{file}: ") else f"{file}: {fault}"
