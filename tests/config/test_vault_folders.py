"""Which folders of vaults are refused, and which are not."""

import os
from pathlib import Path

import pytest

OWN = "name a folder of its own"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def text(backup: str) -> str:
    return f"""
    state: var
    entries: {{A: {{driver: local_storage, options: {{root: a}}}}}}
    backup: {{{backup}}}
    """


@pytest.mark.parametrize(
    "backup",
    [
        "",
        "store: {path: v}",
        "store: {path: v, elsewhere: e}",
        "store: {path: v, elsewhere: v/elsewhere}",
        "store: {path: var/v}",
        "store: {path: v}, incremental: {store: {path: v/inc-backup-storage}}",
        "store: {path: v, elsewhere: e}, incremental: {store: {elsewhere: f}}",
        "incremental: {}",
    ],
)
def test_these_are_apart(sound, backup: str):
    sound(text(backup))


@pytest.mark.parametrize(
    ("backup", "fault"),
    [
        (
            "store: {path: v, elsewhere: v}",
            "backup.store.elsewhere: HERE/v is the folder of the vaults",
        ),
        (
            "store: {path: v, elsewhere: v/vaults}",
            "backup.store.elsewhere: HERE/v/vaults lies in the folder of the vaults",
        ),
        (
            "store: {path: e/v, elsewhere: e}",
            "backup.store.path: HERE/e/v lies in the folder of the vaults in folders"
            " of their own",
        ),
        (
            "store: {elsewhere: var/backups}",
            "backup.store.elsewhere: HERE/var/backups is the folder of the vaults",
        ),
        (
            "store: {path: var/optools-backups}",
            "backup.store.path: HERE/var/optools-backups is the folder of the optools"
            " vaults",
        ),
        (
            "store: {elsewhere: e}, incremental: {store: {elsewhere: e/f}}",
            "backup.incremental.store.elsewhere: HERE/e/f lies in the folder of the"
            " vaults in folders of their own",
        ),
        (
            "store: {path: v}, incremental: {store: {path: v}}",
            "backup.incremental.store.path: HERE/v is the folder of the vaults",
        ),
        (
            "store: {elsewhere: e}, incremental: {store: {path: e}}",
            "backup.incremental.store.path: HERE/e is the folder of the vaults in"
            " folders of their own",
        ),
        (
            "store: {path: v}, incremental: {store: {path: v/vaults/i}}",
            "backup.incremental.store.path: HERE/v/vaults/i lies in the folder of the"
            " vaults",
        ),
        (
            "store: {path: a/v, elsewhere: e}",
            "backup.store.path: HERE/a/v lies in the folder of the root of A: it would"
            " be copied into itself",
        ),
        (
            "store: {elsewhere: .}",
            "backup.store.elsewhere: HERE holds the folder of the root of A",
        ),
        (
            "store: {path: var}",
            "backup.store.path: HERE/var is the folder of the state folder",
        ),
    ],
)
def test_these_are_refused(faults, backup: str, fault: str):
    found = faults(text(backup))

    expected = fault.replace("HERE", os.path.realpath("."))
    assert any(one.startswith(expected) and OWN in one for one in found), found


@pytest.mark.parametrize("where", ["v/key", "e/some/key", "i/key"])
def test_a_key_among_what_it_encrypts_is_refused(faults, sound, tmp_path, where):
    file = tmp_path / where
    file.parent.mkdir(parents=True)
    file.write_text("hush")
    inner = "incremental: {store: {path: i}}"
    store = f"path: v, elsewhere: e, encrypt: {{identity: !file {where}}}"

    assert faults(text(f"store: {{{store}}}, {inner}")) == [
        f"backup.store.encrypt.identity: {file} lies among the vaults that it encrypts;"
        " keep it elsewhere"
    ]
    file.rename(tmp_path / "key")
    sound(text(f"store: {{{store.replace(where, 'key')}}}, {inner}"))


def test_what_is_no_path_is_told_once(faults):
    [fault] = faults(text("store: {path: 7}"))

    assert fault.startswith("backup.store.path: ")
