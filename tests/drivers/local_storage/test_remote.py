import os
import subprocess

import pytest

from syncd.drivers.local_storage import remote


@pytest.fixture
def opened(request):
    descriptor = os.open(request.param, os.O_PATH)
    yield request.param, descriptor
    os.close(descriptor)


@pytest.mark.parametrize("opened", ["/proc", "/sys", "/dev", "/tmp"], indirect=True)
def test_the_type_is_what_the_system_says(opened):
    place, descriptor = opened
    said = subprocess.run(
        ["stat", "--file-system", "--format=%t", place],
        capture_output=True,
        text=True,
        check=True,
    )

    assert remote.type_of(descriptor) == int(said.stdout, 16)


@pytest.mark.parametrize("opened", ["/proc", "/dev"], indirect=True)
def test_this_machines_file_systems_are_not_remote(opened):
    assert not remote.is_remote(opened[1])


@pytest.mark.parametrize("number", [0x6969, 0xFF534D42, 0x65735546])
def test_networks_are(number, monkeypatch):
    monkeypatch.setattr(remote, "type_of", lambda _: number)

    assert remote.is_remote(0)


def test_what_is_not_open_has_no_type():
    with pytest.raises(OSError, match="Bad file descriptor"):
        remote.type_of(-1)
