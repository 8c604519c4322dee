"""Images of virtual machines: frozen, read and thawed, whatever happens."""

import pytest

from syncd.borg.qemu import Qemu
from syncd.core.borg.values import Policy
from syncd.errors import BadRequest, StorageError


@pytest.fixture
def image(tmp_path):
    """An image that is only whole while it is frozen."""
    file = tmp_path / "disk.qcow2"
    file.write_text("changing")
    said = tmp_path / "said"
    return {
        "image": str(file),
        "freeze": f"echo frozen | tee {said} > {file}; echo talk",
        "thaw": f"echo thawed >> {said}; echo changing > {file}",
    }


async def test_an_image_is_read_while_it_is_frozen(anywhere, image, tmp_path):
    task = anywhere.backup(policy=Policy.VM, provider="qemu", variables=image)

    made = await anywhere.do(task)
    await anywhere.do(anywhere.restore(made.archive))

    assert made.archive == "vm-web-2023-11-14_22-13"
    assert (tmp_path / "restored/stdin").read_text() == "frozen\n"
    assert (tmp_path / "said").read_text() == "frozen\nthawed\n"


async def test_it_is_thawed_when_it_cannot_be_read(bench, image, tmp_path):
    variables = {**image, "freeze": f"rm {image['image']}"}

    with pytest.raises(StorageError):
        await bench.do(
            bench.backup(policy=Policy.VM, provider="qemu", variables=variables)
        )

    assert (tmp_path / "said").read_text() == "thawed\n"


@pytest.mark.parametrize("broken", [{"freeze": "exit 1"}, {"thaw": "exit 1"}])
async def test_what_is_not_frozen_or_thawed_is_no_backup(bench, image, broken):
    variables = {**image, **broken}

    with pytest.raises(StorageError, match="exited with status 1"):
        await bench.do(
            bench.backup(policy=Policy.VM, provider="qemu", variables=variables)
        )


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({}, "say which image"),
        ({"image": "disk"}, "must begin with a slash"),
        ({"image": 1}, "image must be text"),
        ({"image": "/disk", "freeze": "true"}, "belong together"),
        ({"image": "/disk", "domain": "web"}, "'domain' means nothing"),
        ({"image": "/disk\n"}, "end of a line"),
    ],
)
def test_what_makes_no_sense_is_told(variables, words):
    with pytest.raises(BadRequest, match=words):
        Qemu().dump(variables)


def test_an_image_that_rests_needs_no_commands():
    assert Qemu().dump({"image": "/disk"}).words[-3:] == ("/disk", "", "")
