"""The command itself: its groups, its help, and how an error becomes an exit code."""

import gc
import sys
from collections.abc import Sequence
from importlib import import_module

import click
from click.shell_completion import get_completion_class

from syncd.cli.options import talks
from syncd.cli.refusing import refused
from syncd.errors import BadRequest, SyncdError

INTERRUPTED = 130
BUG = 70

EPILOG = """\
\b
Try first:
  syncd run                    serve what config/syncd.yaml says
  syncd status --watch         see it work
  syncd explain docs/a.txt     ask why a file is where it is
  syncd undo docs/a.txt        bring back what was there before
  syncd backup --wait          make a copy to go back to

\b
Exit codes: 0 done, 64 wrong use or refused request, 65 the index is damaged
  (start again: the next start mends it) or a vault is, 66 no such thing,
  69 no daemon or not now, 70 a bug, 74 storage trouble, 75 not in this state,
  77 not allowed, 78 wrong configuration, 130 interrupted.
"""


class Commands(click.Group):
    """Imports a command when it is asked for, so that the small ones start fast."""

    names = (
        "run",
        "check",
        "status",
        "files",
        "explain",
        "conflicts",
        "history",
        "undo",
        "rules",
        "entries",
        "backup",
        "restore",
        "jobs",
        "log",
        "cancel",
        "user",
        "token",
        "vault",
        "import-config",
        "completion",
    )

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order they are met."""
        return list(self.names)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command, None if there is none of that name."""
        if cmd_name in self.commands or cmd_name not in self.names:
            return self.commands.get(cmd_name)
        gc.disable()  # Nothing that is loaded is garbage: searching is a tenth of it.
        name = cmd_name.replace("-", "_")
        command = getattr(import_module(f"syncd.cli.{name}"), name)
        gc.freeze()
        gc.enable()
        self.add_command(command)
        return self.commands[cmd_name]


@click.group(
    cls=Commands,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="syncd", prog_name="syncd")
@talks
def syncd() -> None:
    """Keep folders and other storages in step, by rules.

    `syncd run` is the daemon; every other command asks it over HTTP.
    """


@syncd.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print what makes a shell complete syncd's words.

    \b
    Example:  syncd completion bash > ~/.local/share/bash-completion/completions/syncd
    """
    kind = get_completion_class(shell)
    if kind is None:
        raise BadRequest(f"no completion for {shell}")
    click.echo(kind(syncd, {}, "syncd", "_SYNCD_COMPLETE").source())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code; only here errors become one."""
    try:
        code = syncd.main(arguments, "syncd", standalone_mode=False)
    except SyncdError as error:
        refused(str(error))
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return BadRequest.exit_code
    except click.Abort:
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - people get words, not a traceback
        refused(f"this is a bug: {type(error).__name__}: {error}")
        return BUG
    return code if isinstance(code, int) else 0


if __name__ == "__main__":
    sys.exit(main())
