"""Machines that are reached by SSH, and what may be wrong with them."""

import subprocess

import pytest
from msgspec.structs import replace

from syncd.core.borg.tasks import FetchHostKeys, Mode, PrepareClient
from syncd.core.borg.values import Client, Login
from syncd.errors import ConfigError, StorageBusy, StorageError, StorageUntrusted
from tests.acceptance.daemon import free_port
from tests.peers.sshd import Machine, new_key, tools


def prepare(bench, **more) -> PrepareClient:
    return PrepareClient(**bench.common(), **{"client": bench.client, **more})


async def test_the_keys_of_a_machine_are_shown_for_a_person(away, machines):
    found = await away.do(FetchHostKeys(host="127.0.0.1", port=machines.client.port))

    shown = subprocess.run(
        ["ssh-keygen", "-lf", str(machines.client.home / "host_key.pub")],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()[1]
    [key] = found.host_keys
    assert (key.fingerprint, key.line) == (shown, machines.client.known)


async def test_a_machine_that_is_not_there_shows_no_key(bench):
    with pytest.raises(StorageBusy, match="shows no key"):
        await bench.do(FetchHostKeys(host="127.0.0.1", port=free_port()))


async def test_a_client_is_prepared(away):
    found = await away.do(prepare(away))

    assert found.version.startswith("1.")


async def test_this_machine_is_prepared_without_ssh(bench):
    found = await bench.do(prepare(bench))

    assert found.version.startswith("1.")


async def test_a_machine_that_nobody_confirmed_is_not_believed(away, machines):
    away.login = Login(key=machines.key)

    with pytest.raises(StorageUntrusted, match="compare its fingerprint"):
        await away.do(prepare(away))


async def test_a_machine_with_another_key_is_not_believed(away, machines):
    known = (
        f"{machines.client.known.split()[0]} {machines.store.known.split(' ', 1)[1]}"
    )
    away.login = Login(key=machines.key, known_hosts=[known])

    with pytest.raises(StorageUntrusted, match="does not show the key"):
        await away.do(prepare(away))


async def test_a_key_that_is_not_let_in_is_told(away, tmp_path):
    away.login = replace(away.login, key=new_key(tmp_path / "other"))

    with pytest.raises(StorageError, match="authorized_keys"):
        await away.do(prepare(away))


async def test_a_key_with_a_passphrase_opens(away, machines, tmp_path):
    file = tmp_path / "key"
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "hush hush", "-f", str(file)],
        check=True,
    )
    machines.client.let_in(file.with_suffix(".pub").read_text())
    away.login = replace(away.login, key=file.read_text(), key_passphrase="hush hush")

    assert (await away.do(prepare(away))).version


async def test_a_client_that_is_down_may_be_tried_again(away):
    away.client = replace(away.client, port=free_port())

    with pytest.raises(StorageBusy, match="cannot be reached by SSH"):
        await away.do(away.backup(mode=Mode.PULL))


async def test_a_client_behind_a_firewall_is_not_called(away):
    client = Client(hostname="web", behind_firewall=True)

    with pytest.raises(ConfigError, match="fetch its jobs itself"):
        await away.do(prepare(away, client=client))


async def test_a_client_without_borg_can_be_pulled_only(remote, machines, tmp_path):
    path = tools(tmp_path / "bin", ["sh", "env", "tar", "cat"])
    bare = Machine(tmp_path / "bare", path=path)
    bare.let_in((machines.client.home / "authorized_keys").read_text())
    bare.start()
    try:
        remote.client = replace(remote.client, port=bare.port)
        known = [*remote.login.known_hosts, bare.known]
        remote.login = replace(remote.login, known_hosts=known)

        with pytest.raises(StorageError, match="no Borg on that machine; install"):
            await remote.do(prepare(remote))
        await remote.do(prepare(remote, mode=Mode.PULL))
        made = await remote.do(remote.backup(mode=Mode.PULL))
    finally:
        bare.stop()

    assert made.files == 2  # Of a tar, Borg counts folders, too.
