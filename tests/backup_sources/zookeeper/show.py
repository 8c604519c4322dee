"""A large tree with everything in it, and somebody who writes to it.

``SYNCD_SOAK_NODES`` says how large; ``make soak`` takes the size that was promised.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from kazoo.security import make_acl

from syncd.backup_sources.zookeeper import asking
from syncd.backup_sources.zookeeper.session import Session
from tests.backup_sources.zookeeper.park import Park
from tests.backup_sources.zookeeper.test_source import ODD, put, secret
from tests.peers.zookeeper import Zoo

NODES = int(os.environ.get("SYNCD_SOAK_NODES", "2000"))
WIDTH = 100
LOGIN = "me:mine"


def planted(zoo: Zoo) -> None:
    """Make the tree: queues, ACLs, odd bytes and names, all over it."""
    readable = [make_acl("world", "anyone", read=True), *secret(LOGIN)]
    with zoo.visited(LOGIN) as client:
        client.create("/app", b"of app")
        for number in range(NODES // WIDTH):
            top = f"/app/{number}"
            batch = client.transaction()
            batch.create(top, b"\r\n" * number)
            batch.create(f"{top}/queue", acl=readable)
            for inner in range(WIDTH - 3):
                data = bytes((number + inner) % 256 for _ in range(inner * 10))
                acl = secret(LOGIN) if inner % 7 == 0 else None
                batch.create(f"{top}/queue/n-", data, acl=acl, sequence=True)
            batch.delete(f"{top}/queue/n-0000000003")
            batch.create(f"{top}/content", b"a node called content")
            batch.create(f"{top}/content/content")
            assert not [one for one in batch.commit() if isinstance(one, Exception)]
        for name, odd in ODD.items():
            put(client, f"/app/odd/{name}", odd)


async def lived(park: Park) -> None:
    """Add nodes that kazoo cannot make."""
    acl = asking.acl(["world:anyone:cdrwa"])
    async with Session(park.source()._options) as session:
        await session.send(asking.CreateContainer("/app/locks", b"", acl, 4))
        request = asking.CreateTTL("/app/soon", b"", acl, 5)
        request.ttl = 3_600_000
        await session.send(request)


@contextmanager
def busy(zoo: Zoo) -> Iterator[None]:
    """Have somebody write to the tree all the time."""
    end, begun = threading.Event(), threading.Event()

    def write() -> None:
        with zoo.visited(LOGIN) as client:
            client.create("/app/mine", b"", ephemeral=True)
            number = 0
            while not end.is_set():
                number += 1
                top = f"/app/{number % (NODES // WIDTH)}"
                client.set(top, str(number).encode())
                client.create(f"{top}/queue/n-", b"late", sequence=True)
                client.set(f"{top}/content", b"later")
                begun.set()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        assert begun.wait(60)
        yield
    finally:
        end.set()
        thread.join(60)


def counters(zoo: Zoo) -> dict[str, str]:
    """Return the names that the next sequential nodes get, and take them."""
    with zoo.visited(LOGIN) as client:
        tops = [f"/app/{number}/queue" for number in range(NODES // WIDTH)]
        made = [client.create_async(f"{top}/n-", sequence=True) for top in tops]
        return dict(zip(tops, [one.get(60) for one in made], strict=True))
