"""syncd token: how programs come in."""

from pathlib import Path

import click
from sqlalchemy import Connection

from syncd import clock
from syncd.cli import accounts, show
from syncd.cli.options import CONFIG, talks, wants_json
from syncd.core import match
from syncd.core.permission import limits
from syncd.errors import BadRequest
from syncd.store import tokens, users
from syncd.store.tokens import Fresh


@click.group()
@talks
def token() -> None:
    """Look after tokens: how programs come in, in the name of a user.

    These work on the state folder that the configuration names, whether the
    daemon runs or not; it notices within a second.

    \b
    Example:  syncd token create ops@example.org --name monitoring --action sync.read
    """


@token.command()
@click.argument("email")
@click.option(
    "--action",
    "actions",
    metavar="NAME",
    multiple=True,
    help="What it is limited to, several times for several; else it may do what the"
    " user may.",
)
@click.option(
    "--expires",
    metavar="TIME",
    help="For how long it is good, like 90d; else for ever.",
)
@click.option("--name", metavar="TEXT", default="", help="What it is for.")
@CONFIG
@talks
def create(
    email: str, actions: tuple[str, ...], expires: str | None, name: str, config: Path
) -> None:
    """Make a token of a user and print KEY:SECRET, which is never shown again.

    \b
    Example:  syncd token create ops@example.org --expires 90d --name deploy
    """
    folder, address = accounts.state(config), users.address(email)
    now = clock.timestamp()
    until = None if expires is None else now + _duration(expires)

    def work(db: Connection) -> Fresh:
        user = users.get(db, address)
        fresh = tokens.create(
            db,
            user,
            name=name,
            actions=limits(user.role, actions),
            expires_at=until,
            now=now,
        )
        accounts.note(db, "token create", f"{fresh.key} of {address}")
        return fresh

    fresh = accounts.on_index(folder, work)
    if wants_json():
        facts = {"user": address, "name": name, "actions": actions, "expires_at": until}
        return show.made({"key": fresh.key, "secret": fresh.secret, **facts})
    return click.echo(f"{fresh.key}:{fresh.secret}")


@token.command("list")
@CONFIG
@talks
def list_(config: Path) -> None:
    """List the tokens: whose they are, whether they are good, when last used.

    \b
    Example:  syncd token list
    """
    now = clock.timestamp()
    everybody, known = accounts.on_index(
        accounts.state(config), lambda db: (users.everything(db), tokens.everything(db))
    )
    emails = {user.id: user.email for user in everybody}
    rows = [
        {
            "key": one.key,
            "user": emails[one.user_id],
            "name": one.name,
            "state": one.state(now),
            "actions": one.actions,
            "created_at": one.created_at,
            "expires_at": one.expires_at,
            "used_at": one.used_at,
        }
        for one in known
    ]
    if wants_json():
        return show.made({"tokens": rows})
    table = show.table("token", "user", "name", "state", "may", "used", "until")
    for one in known:
        may = ", ".join(one.actions) or "all the user may"
        used, until = show.moment(one.used_at), show.moment(one.expires_at)
        head = (one.key, emails[one.user_id], one.name, one.state(now))
        show.row(table, *head, may, used or "never", until or "for ever")
    return show.console().print(table)


@token.command()
@click.argument("key")
@CONFIG
@talks
def revoke(key: str, config: Path) -> None:
    """Make a token void, for ever.

    \b
    Example:  syncd token revoke k3f9d0a1b2c3d4e5f607
    """
    key = key.partition(":")[0]

    def work(db: Connection) -> None:
        tokens.revoke(db, key, clock.timestamp())
        accounts.note(db, "token revoke", key)

    accounts.on_index(accounts.state(config), work)
    if wants_json():
        return show.made({"status": "ok", "key": key})
    return show.console().print(show.printable(f"{key} is void"), markup=False)


def _duration(text: str) -> float:
    try:
        seconds = match.duration(text)
    except ValueError:
        seconds = 0.0
    if not seconds > 0:
        raise BadRequest(f"{text!r} is no time from now; write 12h or 90d")
    return seconds
