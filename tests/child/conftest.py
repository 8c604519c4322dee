import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import zmq
import zmq.asyncio

from syncd import wire
from syncd.core.change import Change, Found, Order, Outcome
from syncd.core.file import Seen
from syncd.core.keeping import Kept, Promise, Wish
from syncd.drivers import registry

PATIENCE = 30.0
DRIVERS = {name: registry.reference(name) for name in ("local_storage", "memory")}


class Parent:
    """The parent's end of the line, and children as real processes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.addresses: dict[str, str] = {}
        self.options: dict[str, tuple[str, dict[str, Any]]] = {}
        self.up: dict[str, list[wire.Up]] = defaultdict(list)
        self.children: dict[str, subprocess.Popen[bytes]] = {}
        self.ignore: list[str] = []
        self.rescan = 0.0
        self.keep: Promise | None = None
        self.notes = True
        self.numbers = count(1000)
        self.welcome: Callable[[wire.Hello], wire.Welcome | None] = self.let_in
        self.markers: dict[str, str] = {}
        self._more = asyncio.Event()
        self._context = zmq.asyncio.Context()
        self._socket = self._context.socket(zmq.ROUTER)
        self._socket.setsockopt(zmq.ROUTER_HANDOVER, 1)
        self._socket.bind(f"ipc://{folder}/link")

    def entry(self, name: str, driver: str = "local_storage", **options: Any) -> Path:
        root = self.folder / name
        root.mkdir(exist_ok=True)
        if driver == "local_storage":
            options = {"root": str(root), **options}
        self.addresses[name] = name
        self.options[name] = (DRIVERS.get(driver, driver), options)
        return root

    def let_in(self, hello: wire.Hello) -> wire.Welcome | None:
        if hello.trouble:
            return None
        known = self.markers.setdefault(hello.entry, f"id of {hello.entry}")
        strange = hello.ledger is not None and hello.marker != known
        return wire.Welcome(
            index="index",
            marker=known,
            forget=hello.ledger is None,
            suspended="strange" if strange else None,
        )

    def start(self, name: str, *before: str, parent: int | None = None) -> None:
        command = [sys.executable, "-m", "syncd.child", name]
        command += ["--link", str(self.folder / "link")]
        command += ["--parent", str(parent or os.getpid())]
        self.children[name] = subprocess.Popen([*before, *command])

    async def stop(self, name: str) -> int:
        self.send(name, wire.Stop())
        return await self.ended(name)

    async def ended(self, name: str) -> int:
        child = self.children.pop(name)
        code = await asyncio.to_thread(child.wait, PATIENCE)
        self.up[name].clear()
        return code

    def kill(self, name: str) -> None:
        child = self.children.pop(name)
        child.kill()
        child.wait()
        self.up[name].clear()

    async def run(self) -> None:
        while True:
            identity, frame = await self._socket.recv_multipart()
            name, message = identity.decode(), wire.decode_up(frame)
            self.up[name].append(message)
            self._answer(name, message)
            self._more.set()

    def _answer(self, name: str, message: wire.Up) -> None:
        match message:
            case wire.Ask():
                self.send(name, self.settings(name))
            case wire.Hello():
                if (welcome := self.welcome(message)) is not None:
                    self.send(name, welcome)
            case wire.Changes() | wire.Outcomes() if self.notes and message.number:
                self.send(name, wire.Noted(message.number))
            case wire.Told(level="error"):
                print(message.fields.get("traceback"), file=sys.stderr)

    def settings(self, name: str) -> wire.Settings:
        driver, options = self.options[name]
        return wire.Settings(
            entry=name,
            driver=driver,
            options=options,
            ignore=self.ignore,
            rescan=self.rescan,
            state=str(self.folder / "state" / name),
            sockets=str(self.folder),
            addresses={n: f"{a}.sock" for n, a in self.addresses.items()},
            keep=self.keep,
        )

    def send(self, name: str, message: wire.Down) -> None:
        self._socket.send_multipart([name.encode(), wire.encode(message)])

    def order(self, name: str, *orders: Order) -> None:
        self.send(name, wire.Orders(list(orders)))

    def changes(self, name: str) -> list[Change]:
        batches = [m for m in self.up[name] if isinstance(m, wire.Changes)]
        return [change for batch in batches for change in batch.changes]

    def outcomes(self, name: str) -> dict[int, Outcome]:
        batches = [m for m in self.up[name] if isinstance(m, wire.Outcomes)]
        return {one.id: one for batch in batches for one in batch.outcomes}

    def found(self, name: str) -> dict[str, Found]:
        """The newest Found of each path that is not gone again."""
        found: dict[str, Found] = {}
        for change in self.changes(name):
            if isinstance(change, Found):
                found[change.seen.path] = change
            else:
                found.pop(change.path, None)
        return found

    async def until(self, what: Callable[[], Any], patience: float = PATIENCE) -> Any:
        async with asyncio.timeout(patience):
            while not (result := what()):
                self._more.clear()
                with suppress(TimeoutError):  # It may be a fact of the disk.
                    await asyncio.wait_for(self._more.wait(), 0.005)
        return result

    async def got(self, name: str, kind: type[Any]) -> Any:
        def newest() -> Any:
            return next((m for m in self.up[name] if isinstance(m, kind)), None)

        return await self.until(newest)

    async def walked(self, name: str) -> None:
        await self.got(name, wire.Walked)

    async def outcome(self, name: str, order: int) -> Outcome:
        result: Outcome = await self.until(lambda: self.outcomes(name).get(order))
        return result

    async def recalled(self, name: str, path: str = "", **others: Any) -> list[Kept]:
        """Ask what is kept, and return all of the answer."""
        number = next(self.numbers)
        self.send(name, wire.Recall(number, path, **others))
        answers: list[wire.Recalled] = []

        def all_of_it() -> bool:
            answers[:] = [
                m
                for m in self.up[name]
                if isinstance(m, wire.Recalled) and m.id == number
            ]
            return any(answer.last for answer in answers)

        await self.until(all_of_it)
        assert [a.trouble for a in answers if a.trouble] == []
        return [kept for answer in answers for kept in answer.kept]

    async def undone(self, name: str, *wishes: Wish, cause: str = "") -> Any:
        number = next(self.numbers)
        self.send(name, wire.Undo(number, list(wishes), cause))

        def answer() -> Any:
            answers = [m for m in self.up[name] if isinstance(m, wire.Undone)]
            return next((m.trouble for m in answers if m.id == number), None)

        return await self.until(answer)

    async def seen(self, name: str, path: str) -> Seen:
        change: Found = await self.until(lambda: self.found(name).get(path))
        return change.seen

    def close(self) -> None:
        for child in self.children.values():
            child.send_signal(signal.SIGCONT)
            child.kill()
            child.wait()
        self._socket.close(0)
        self._context.term()


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder with a path short enough for sockets."""
    folder = Path(tempfile.mkdtemp(prefix="sc-", dir="/tmp"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
async def parent(short: Path) -> AsyncIterator[Parent]:
    parent = Parent(short)
    task = asyncio.create_task(parent.run(), name="parent")
    yield parent
    task.cancel()
    await asyncio.wait([task])
    parent.close()
    if not task.cancelled() and (error := task.exception()):
        raise error
