"""The command as a whole: help, completion, and how anything ends."""

import click
import pytest

from syncd.cli import main
from tests.cli.conftest import Canned, Run, command


def every(group: click.Group, *before: str) -> list[tuple[str, ...]]:
    """Return the words of every command there is."""
    context = click.Context(group)
    found: list[tuple[str, ...]] = []
    for name in group.list_commands(context):
        each = group.get_command(context, name)
        assert each is not None
        found.append((*before, name))
        if isinstance(each, click.Group):
            found += every(each, *before, name)
    return found


def test_every_command_has_help_with_an_example():
    for words in every(main.syncd):
        ended = command(*words, "--help")

        assert ended.code == 0
        assert f"Example:  syncd {words[0]}" in ended.out
        assert len(ended.out.splitlines()) < 40


def test_every_command_but_two_speaks_json():
    for words in every(main.syncd):
        told = command(*words, "--help").out

        assert ("--json" in told) == (words[0] not in ("run", "completion"))


def test_help_tells_the_exit_codes():
    assert "69 no daemon" in command("--help").out


def test_version():
    assert command("--version").out.startswith("syncd, version ")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell: str):
    assert "_SYNCD_COMPLETE" in command("completion", shell).out


@pytest.mark.parametrize(
    "words",
    [["nonsense"], ["files", "--nonsense"], ["explain"], ["completion", "tcsh"]],
)
def test_wrong_use(words: list[str]):
    ended = command(*words)

    assert (ended.code, ended.out) == (64, "")
    assert "Usage: syncd" in ended.err


def test_nothing_said_shows_help():
    ended = command()

    assert "Usage: syncd" in ended.err + ended.out


def test_a_bug_gives_words_instead_of_a_traceback(daemon: Canned, run: Run):
    daemon.say("GET /entries", {"surprise": 1})

    ended = run("entries", "list")

    assert ended.code == 70
    assert ended.err == "syncd: this is a bug: KeyError: 'entries'\n"
