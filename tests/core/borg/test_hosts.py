"""Keys of machines, and what people compare."""

import subprocess

import pytest

from syncd.core.borg.hosts import host_keys


def test_a_fingerprint_is_what_ssh_shows(tmp_path):
    file = tmp_path / "key"
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(file)], check=True
    )
    shown = subprocess.run(
        ["ssh-keygen", "-lf", str(file)], check=True, capture_output=True, text=True
    ).stdout.split()[1]
    kind, key = (tmp_path / "key.pub").read_text().split()[:2]

    [found] = host_keys(f"# banner\n[web]:2222 {kind} {key}\n", "web", 2222)

    assert (found.kind, found.fingerprint) == ("ssh-ed25519", shown)
    assert found.line == f"[web]:2222 ssh-ed25519 {key}"


@pytest.mark.parametrize("printed", ["", "# web SSH-2.0\n", "web ssh-rsa", "web x é!"])
def test_what_is_no_key_is_left_out(printed):
    assert host_keys(printed, "web", 22) == []


def test_several_keys_come_in_order():
    printed = "web ssh-rsa BBBB\nweb ssh-ed25519 AAAA\n"

    assert [one.kind for one in host_keys(printed, "web", 22)] == [
        *("ssh-ed25519", "ssh-rsa")
    ]
