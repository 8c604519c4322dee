"""How a command reaches the index, whoever has it."""

import os
import threading

import pytest

from syncd.cli import accounts
from syncd.errors import AlreadyRunning
from syncd.store import audit, beside
from syncd.store.audit import Outcome
from syncd.supervisor import single


def test_what_was_done_by_a_command_is_written_down(tmp_path, monkeypatch):
    monkeypatch.setenv("SUDO_USER", "maria")
    accounts.on_index(tmp_path, lambda db: accounts.note(db, "user add", "a@b"))

    _, [line] = accounts.on_index(
        tmp_path, lambda db: audit.page(db, offset=0, limit=9)
    )

    assert line.who.startswith("maria as ")
    assert (line.means, line.action, line.target) == ("command line", "user add", "a@b")
    assert line.outcome is Outcome.DONE


def test_a_daemon_that_is_starting_makes_the_index(tmp_path):
    holds, made = threading.Event(), threading.Event()

    def daemon() -> None:
        with single.held(tmp_path):
            holds.set()
            assert made.wait(30)
            beside.make(tmp_path / "index.db")

    thread = threading.Thread(target=daemon)
    thread.start()
    holds.wait(30)
    threading.Timer(0.3, made.set).start()

    assert accounts.on_index(tmp_path, lambda _: "done") == "done"
    thread.join()


def test_a_daemon_that_makes_none_is_waited_for_so_long(tmp_path, monkeypatch):
    monkeypatch.setattr(accounts, "PATIENCE", 0.0)
    with single.held(tmp_path), pytest.raises(AlreadyRunning):
        accounts.on_index(tmp_path, lambda _: "done")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_what_root_makes_belongs_to_the_daemons_user(tmp_path):
    os.chown(tmp_path, 1234, 1235)

    accounts.on_index(tmp_path, lambda _: None)
    accounts.close_the_door(tmp_path)

    files = {file.name: file.stat() for file in tmp_path.iterdir()}
    assert {"index.db", "lock", "accounts"} <= files.keys()
    assert {(one.st_uid, one.st_gid) for one in files.values()} == {(1234, 1235)}
