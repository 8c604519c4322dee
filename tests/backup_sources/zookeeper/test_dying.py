"""Whoever is killed, and when: a tree is as before or as in the vault, and it is told.

What restores is killed before each of its requests, or nearly; the server under backups
and restores, too.
"""

import pickle
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from syncd.backup_sources.zookeeper.session import Session
from syncd.backup_sources.zookeeper.source import CUT
from syncd.errors import StorageError
from tests.acceptance.daemon import REPOSITORY
from tests.backup_sources.fakes import FolderVault, Listener
from tests.backup_sources.zookeeper.park import Park
from tests.backup_sources.zookeeper.test_source import started
from tests.peers import zookeeper
from tests.peers.zookeeper import Zoo

STAGES = 6
"""How many moments are tried of those there are, ..."""
FEWER = 4
"""... and how many where a server is started anew each time."""


@pytest.fixture(scope="module")
def mortal() -> Iterator[Zoo]:
    """A server that may be killed."""
    with zookeeper.alone() as zoo:
        yield zoo


@pytest.fixture
def graveyard(mortal: Zoo, tmp_path: Path) -> Iterator[Park]:
    """A park on it."""
    mortal.started().clear()
    yield Park(mortal, tmp_path)
    mortal.started()


def dying(park: Park, vault: FolderVault, request: int) -> tuple[int, str]:
    """Restore in a process that is killed at that request; return how it ended."""
    file = park.home / "how"
    scratch = park.home / f"dying {request}"
    how = (park.source()._options, vault, scratch, park.keep)
    file.write_bytes(pickle.dumps(how))
    module = "tests.backup_sources.zookeeper.dying"
    ended = subprocess.run(
        [sys.executable, "-m", module, str(request), str(file)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    return ended.returncode, ended.stdout


async def test_a_restore_that_is_killed_at_any_request(park):
    vault, before = await started(park)
    code, said = dying(park, vault, 0)
    assert code == 0
    wanted = park.zoo.content("/app")
    assert wanted != before
    seen = set()
    for request in _some(int(said), STAGES):
        await park.restored(vault, variables={"mode": "undo"})
        assert park.zoo.content("/app") == before
        assert dying(park, vault, request) == (-9, "")

        words = await park.source().mend(Listener())
        now = park.zoo.content("/app")
        assert now == before, request
        assert words in (next(iter(CUT.values())), TAKEN_BACK), request
        seen.add(words)
        assert await park.source().mend(Listener()) == ""
        await park.restored(vault)
    assert len(seen) == 2


async def test_one_that_is_killed_when_all_is_done_says_so(park, monkeypatch):
    vault, before = await started(park)
    true = Park.source(park)._keeping.__class__.note
    monkeypatch.setattr(
        "syncd.backup_sources.zookeeper.keeping.Keeping.note",
        lambda self, state: None if state is None else true(self, state),
    )
    await park.restored(vault)
    monkeypatch.undo()

    assert "all was as in the vault" in await park.source().mend(Listener())
    assert park.zoo.content("/app") != before


async def test_a_server_that_is_killed_at_any_request_of_a_backup(
    graveyard, monkeypatch
):
    await started(graveyard)
    before = graveyard.zoo.content("/app")
    count = Killing(monkeypatch, graveyard.zoo)
    await graveyard.backed_up("app")
    for request in _some(count.number, FEWER):
        count.begin(request)
        vault = await graveyard.backed_up("app")
        assert count.killed
    count.begin(0)
    graveyard.zoo.clear()
    await graveyard.restored(vault)

    assert graveyard.zoo.content("/app") == before


async def test_a_server_that_is_killed_at_any_request_of_a_restore(
    graveyard, monkeypatch
):
    vault, before = await started(graveyard)
    count = Killing(monkeypatch, graveyard.zoo)
    await graveyard.restored(vault)
    wanted = graveyard.zoo.content("/app")
    for request in _some(count.number, FEWER):
        count.begin(0)
        await graveyard.restored(vault, variables={"mode": "undo"})
        count.begin(request)
        try:
            await graveyard.restored(vault)
        except StorageError as error:
            count.begin(0)
            assert "as it was before" in str(error) or "nothing was" in str(error)
            assert graveyard.zoo.content("/app") == before
            await graveyard.restored(vault)
        assert count.killed or not request
        count.begin(0)
        assert graveyard.zoo.content("/app") == wanted


async def test_a_server_that_does_not_come_back_in_time(graveyard, monkeypatch):
    vault, before = await started(graveyard)
    count = Killing(monkeypatch, graveyard.zoo, back=False)
    await graveyard.restored(vault)
    count.begin(0)
    await graveyard.restored(vault, variables={"mode": "undo"})
    writing = count.number - 3
    count.begin(writing)
    with pytest.raises(StorageError, match="next job of this source tries again"):
        await graveyard.restored(vault, options={"patience": 0.5})
    count.begin(0)
    graveyard.zoo.started()
    assert await graveyard.source().mend(Listener()) == TAKEN_BACK

    assert graveyard.zoo.content("/app") == before


TAKEN_BACK = "a restore was cut off: /app is as it was before it"


class Killing:
    """Kills the server at a request, and has it come back; counts requests."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, zoo: Zoo, *, back: bool = True
    ) -> None:
        self.number = 0
        self.killed = False
        self._last = 0
        true = Session.send_all
        killing = self

        def counted(session: Session, requests: Sequence[Any]) -> Any:
            killing.number += 1
            if killing.number == killing._last:
                killing.killed = True
                answers = true(session, requests)
                zoo.servers[0].kill()
                if back:
                    zoo.servers[0].start()
                return answers
            return true(session, requests)

        monkeypatch.setattr(Session, "send_all", counted)

    def begin(self, last: int) -> None:
        """Count anew; 0: kill nobody."""
        self.number, self.killed, self._last = 0, False, last


def _some(count: int, stages: int) -> list[int]:
    """Return some moments of so many, the first and the last among them."""
    step = max(1, (count - 1) // (stages - 1))
    return sorted({*range(1, count + 1, step), count})
