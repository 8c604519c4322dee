"""syncd import-config: the configuration of a backup daemon as one of ours."""

import json
from pathlib import Path

import click
import yaml

from syncd.cli import hocon, show
from syncd.cli.importing import imported
from syncd.cli.options import talks, wants_json
from syncd.errors import BadRequest, ConfigError

HEAD = """\
# From {name}, by syncd import-config. Put this into syncd.yaml, beside the entries.
"""


@click.command("import-config")
@click.argument("file", type=click.Path(path_type=Path))
@talks
def import_config(file: Path) -> None:
    """Write what a backup-daemon.conf says as a part of syncd.yaml.

    What it says by saying nothing is written down, too. Comments tell what has no
    counterpart. Keys of object stores are not written anywhere.

    \b
    Example:  syncd import-config backup-daemon.conf > backup.yaml
    """
    try:
        options = hocon.parse(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{file}: is not UTF-8; write it anew as that") from None
    except BadRequest as error:
        raise ConfigError(f"{file}: {error}") from None
    found = imported(options)
    if wants_json():
        return show.made({"remarks": found.remarks, "configuration": found.document})
    click.echo(HEAD.format(name=file.name), nl=False)
    for remark in found.remarks:
        click.echo(f"# {' '.join(remark.split())}")
    # What stands in two places is written twice, not referred to.
    document = json.loads(json.dumps(found.document))
    text = yaml.safe_dump(document, allow_unicode=True, sort_keys=False, width=1000)
    return click.echo(f"\n{text}", nl=False)
