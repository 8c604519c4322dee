"""Shows the open rooms of a daemon to the API, and makes the server of it."""

from functools import cache
from importlib import import_module

from syncd.api import desk, past
from syncd.api.auth import Auth, Policy
from syncd.api.credentials import Pair
from syncd.api.rooms import DriverView, EntryView, Rooms, StateView
from syncd.api.server import Limits, Server, first_routes
from syncd.config import Config, certificates
from syncd.core.rules import schema
from syncd.drivers import registry
from syncd.parts import Parts
from syncd.supervisor import content


def server(loaded: Config, parts: Parts) -> Server:
    """Return the HTTP server over these rooms."""
    store, referee = parts.store, parts.referee
    views = {
        name: EntryView(name=name, driver=one.driver, options=one.shown())
        for name, one in loaded.entries.items()
    }
    rooms = Rooms(
        files=desk.Files(store, referee, parts.sockets),
        conflicts=desk.Conflicts(store, referee),
        entries=desk.Entries(views, store, parts.supervisor, referee),
        rulebook=desk.Rules(parts.rulebook, store, referee),
        past=past.Past(parts.undoing),
        news=parts.news,
        read=content.read,
        drivers=_drivers,
        version=_version,
        rules_schema=schema,
        opening=True,
        state=lambda: StateView(
            usable=referee.trouble is None,
            reason=referee.trouble,
            last_stop=parts.ended.how,
            replaced=str(store.replaced) if store.replaced else None,
        ),
    )
    limits, tls, pair = loaded.limits, loaded.tls, loaded.credentials
    policy = Policy(
        pair=Pair(*pair) if pair else None,
        neighbours=loaded.accounts.loopback == "open",
        audit_days=loaded.accounts.audit_days,
    )
    return Server(
        rooms,
        [(address.host, address.port) for address in loaded.listen],
        limits=Limits(
            body=int(limits.body),
            rate=limits.requests_per_second,
            burst=2 * limits.requests_per_second,
        ),
        names=loaded.names,
        origins=loaded.origins,
        auth=Auth(store, loaded.state, policy),
        tls=(lambda: certificates.context(tls)) if tls else None,
        routes=first_routes,
    )


def _drivers() -> list[DriverView]:
    return [
        DriverView(name=name, about=one.description, options=one.options)
        for name, one in registry.schemas().items()
    ]


@cache
def _version() -> str:
    version: str = import_module("importlib.metadata").version("syncd")
    return version
