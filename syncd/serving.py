"""Shows the open rooms of a daemon to the API, and makes the server of it."""

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from syncd.api import desk, past
from syncd.api.events import News
from syncd.api.rooms import DriverView, EntryView, Rooms, StateView
from syncd.api.server import Limits, Server
from syncd.config import Config
from syncd.core.rules import schema
from syncd.drivers import registry
from syncd.replication.referee import Referee
from syncd.replication.rulebook import Rulebook
from syncd.replication.undoing import Undoing
from syncd.store.database import Store
from syncd.store.flag import Ended
from syncd.supervisor import content
from syncd.supervisor.supervisor import Supervisor


def server(
    loaded: Config,
    *,
    store: Store,
    referee: Referee,
    rulebook: Rulebook,
    supervisor: Supervisor,
    news: News,
    sockets: Mapping[str, Path],
    ended: Ended,
    undoing: Undoing,
) -> Server:
    """Return the HTTP server over these rooms.

    ``sockets`` tells where the child of each entry gives content, ``ended`` how the
    run before this one did.
    """
    views = {
        name: EntryView(name=name, driver=one.driver, options=one.shown())
        for name, one in loaded.entries.items()
    }
    rooms = Rooms(
        files=desk.Files(store, referee, sockets),
        conflicts=desk.Conflicts(store, referee),
        entries=desk.Entries(views, supervisor, referee),
        rulebook=desk.Rules(rulebook, store, referee),
        past=past.Past(undoing),
        news=news,
        read=content.read,
        drivers=[
            DriverView(name=name, about=one.description, options=one.options)
            for name, one in registry.schemas().items()
        ],
        version=version("syncd"),
        rules_schema=schema(),
        state=lambda: StateView(
            usable=referee.trouble is None,
            reason=referee.trouble,
            last_stop=ended.how,
            replaced=str(store.replaced) if store.replaced else None,
        ),
    )
    limits = loaded.limits
    return Server(
        rooms,
        [(address.host, address.port) for address in loaded.listen],
        limits=Limits(
            body=int(limits.body),
            rate=limits.requests_per_second,
            burst=2 * limits.requests_per_second,
        ),
    )
