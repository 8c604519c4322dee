"""Tasks travel, and check themselves."""

import msgspec
import pytest

from syncd.core.borg.tasks import (
    BackUp,
    Catalogue,
    Check,
    FetchHostKeys,
    Keep,
    Prune,
    Restore,
    Task,
)
from syncd.core.borg.values import Client, Login, Policy, Repository
from syncd.errors import BadRequest

REPOSITORY = Repository(path="/srv", passphrase="x")
CLIENT = Client(hostname="web")


@pytest.mark.parametrize(
    "task",
    [
        BackUp(
            repository=REPOSITORY,
            client=CLIENT,
            policy=Policy.CONFIG,
            made=0.0,
            login=Login(key="k", known_hosts=["a ssh-rsa b"]),
        ),
        Catalogue(repository=REPOSITORY, archive="a", file="/f"),
        Prune(
            repository=REPOSITORY,
            client=CLIENT,
            policy=Policy.CONFIG,
            keep=Keep(daily=1),
            proof="a",
        ),
        Check(repository=REPOSITORY, archive="a"),
        Restore(repository=REPOSITORY, archive="a", paths=["b"], folder="/f"),
        FetchHostKeys(host="web"),
    ],
)
def test_a_task_travels(task):
    frame = msgspec.msgpack.encode(task)

    assert msgspec.msgpack.decode(frame, type=Task) == task


def test_an_archive_is_called_after_its_task():
    task = BackUp(repository=REPOSITORY, client=CLIENT, policy=Policy.CONFIG, made=60.0)

    assert task.archive == "config-web-1970-01-01_00-01"


def test_keeping_less_than_nothing_makes_no_sense():
    with pytest.raises(BadRequest, match="keep_yearly is -1"):
        Keep(yearly=-1)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (Catalogue, {"archive": "a/b", "file": "/f"}),
        (Catalogue, {"archive": "a", "file": "f"}),
        (Check, {"archive": "-x"}),
        (Restore, {"archive": "a", "folder": "f"}),
        (Restore, {"archive": "a", "folder": "/f", "paths": [""]}),
        (
            Prune,
            {"client": CLIENT, "policy": "vm", "keep": Keep(), "proof": "a::b"},
        ),
    ],
)
def test_what_makes_no_task(kind, said):
    with pytest.raises(BadRequest):
        kind(repository=REPOSITORY, **said)


def test_a_check_may_be_of_all():
    assert Check(repository=REPOSITORY).archive is None
    task = Prune(
        repository=REPOSITORY, client=CLIENT, policy=Policy.VM, keep=Keep(daily=1)
    )
    assert task.proof is None
