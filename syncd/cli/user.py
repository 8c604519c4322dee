"""syncd user: who may come in."""

import sys
from pathlib import Path

import click
from sqlalchemy import Connection

from syncd import clock
from syncd.cli import accounts, show
from syncd.cli.options import CONFIG, talks, wants_json
from syncd.core.permission import Role, role_named
from syncd.errors import BadRequest
from syncd.store import passwords, tokens, users

LONGEST = 1024
SHORT = 12
"""Characters below which somebody is told that a password is short."""

EMAIL = click.argument("email")
ROLE = click.option(
    "--role",
    type=click.Choice([one.value for one in Role]),
    required=True,
    help="What they may do: see, also change, or also look after accounts.",
)
FROM_STDIN = click.option(
    "--password-stdin",
    is_flag=True,
    help="Read the password from stdin, up to the end of its first line.",
)


@click.group()
@talks
def user() -> None:
    """Look after users: who may come in, and what they may do.

    These work on the state folder that the configuration names, whether the
    daemon runs or not; it notices within a second.

    \b
    Example:  syncd user add ops@example.org --role operator
    """


@user.command()
@EMAIL
@ROLE
@FROM_STDIN
@CONFIG
@talks
def add(email: str, role: str, password_stdin: bool, config: Path) -> None:
    """Add a user. From the first one on, the API asks everybody for a login.

    \b
    Example:  syncd user add ops@example.org --role operator --password-stdin < file
    """
    folder, address = accounts.state(config), users.address(email)
    kept = passwords.hashed(_password(password_stdin))

    def work(db: Connection) -> None:
        users.add(db, address, role_named(role), kept, clock.timestamp())
        accounts.note(db, "user add", f"{address} as {role}")

    accounts.on_index(folder, work)
    accounts.close_the_door(folder)
    _done(f"{address} was added", user=address, role=role)


@user.command("list")
@CONFIG
@talks
def list_(config: Path) -> None:
    """List the users, each with their role and how many tokens are good.

    \b
    Example:  syncd user list
    """
    now = clock.timestamp()
    everybody, theirs = accounts.on_index(
        accounts.state(config), lambda db: (users.everything(db), tokens.everything(db))
    )
    good = [token.user_id for token in theirs if token.state(now) == "good"]
    rows = [
        {
            "email": one.email,
            "role": one.role,
            "disabled": one.disabled,
            "created_at": one.created_at,
            "tokens": good.count(one.id),
        }
        for one in everybody
    ]
    if wants_json():
        return show.made({"users": rows})
    table = show.table("user", "role", "state", "tokens", "since", right=["tokens"])
    for one in everybody:
        state = "disabled" if one.disabled else "active"
        since = show.moment(one.created_at)
        show.row(table, one.email, one.role, state, good.count(one.id), since)
    return show.console().print(table)


@user.command()
@EMAIL
@FROM_STDIN
@CONFIG
@talks
def passwd(email: str, password_stdin: bool, config: Path) -> None:
    """Give a user another password; ends their sessions, their tokens stay good.

    \b
    Example:  syncd user passwd ops@example.org
    """
    folder, address = accounts.state(config), users.address(email)
    accounts.on_index(folder, lambda db: users.get(db, address))
    kept = passwords.hashed(_password(password_stdin))

    def work(db: Connection) -> None:
        users.set_password(db, address, kept)
        accounts.note(db, "user passwd", address)

    accounts.on_index(folder, work)
    _done(f"{address} has another password", user=address)


@user.command()
@EMAIL
@ROLE
@CONFIG
@talks
def role(email: str, role: str, config: Path) -> None:
    """Give a user another role.

    \b
    Example:  syncd user role ops@example.org --role viewer
    """
    folder, address = accounts.state(config), users.address(email)

    def work(db: Connection) -> None:
        users.set_role(db, address, role_named(role))
        accounts.note(db, "user role", f"{address} as {role}")

    accounts.on_index(folder, work)
    _done(f"{address} is {role} now", user=address, role=role)


@user.command()
@EMAIL
@CONFIG
@talks
def disable(email: str, config: Path) -> None:
    """Lock a user out, with all their tokens and sessions, until they are enabled.

    \b
    Example:  syncd user disable ops@example.org
    """
    _set(config, email, disabled=True)


@user.command()
@EMAIL
@CONFIG
@talks
def enable(email: str, config: Path) -> None:
    """Let a user in again who was disabled.

    \b
    Example:  syncd user enable ops@example.org
    """
    _set(config, email, disabled=False)


def _set(config: Path, email: str, *, disabled: bool) -> None:
    folder, address = accounts.state(config), users.address(email)
    word = "disable" if disabled else "enable"

    def work(db: Connection) -> None:
        users.disable(db, address, disabled)
        accounts.note(db, f"user {word}", address)

    accounts.on_index(folder, work)
    _done(f"{address} is {word}d", user=address, disabled=disabled)


def _done(words: str, **facts: object) -> None:
    if wants_json():
        return show.made({"status": "ok", **facts})
    return show.console().print(show.printable(words), markup=False)


def _password(from_stdin: bool) -> str:
    """Return a password from stdin, or from somebody at the terminal."""
    if from_stdin:
        line = sys.stdin.buffer.readline(LONGEST + 3)
        try:
            text = line.decode().rstrip("\r\n")
        except UnicodeDecodeError:
            raise BadRequest("the password is not UTF-8") from None
    elif sys.stdin.isatty():
        text = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    else:
        raise BadRequest("give the password on stdin, with --password-stdin")
    if not text or len(text) > LONGEST:
        raise BadRequest(f"a password has 1 to {LONGEST} characters")
    if len(text) < SHORT:
        click.echo(f"syncd: fewer than {SHORT} characters are easily guessed", err=True)
    return text
