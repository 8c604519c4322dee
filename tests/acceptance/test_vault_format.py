"""What the reference says of vaults holds, by the very commands it shows."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from syncd.vaults.keys import Keys
from syncd.vaults.local import LocalStore
from tests.vaults.conftest import IDENTITY
from tests.vaults.goods import OLD, keep
from tests.vaults.test_vault import tree_at

PAGE = Path(__file__).parents[2] / "docs/reference/vaults.rst"
GOODS = {
    "A": None,
    "A/docs": None,
    "A/docs/a.txt": b"hello\n",
    "A/docs/link": "a.txt",
    "A/large": bytes(range(256)) * 10_000,
    "B": None,
    "B/odd\udcff\n\\": b"odd",
} | {f"B/{n:03}": b"%d" % n for n in range(400)}

AGE = f"""#!{sys.executable}
import sys, pyrage
flag, use, key, file = sys.argv[1:]
assert (flag, use) == ("-d", "-i")
identity = pyrage.x25519.Identity.from_str(open(key).read().strip())
sys.stdout.buffer.write(pyrage.decrypt(open(file, "rb").read(), [identity]))
"""
"""Does what ``age`` would, which need not be installed."""


def commands(title: str) -> list[str]:
    """Return the blocks of commands in one section of the page."""
    section = PAGE.read_text().split(f"\n{title}\n---")[1].split("\n---")[0]
    blocks = re.findall(r"code-block:: sh\n\n((?:   .*\n|\n)+)", section)
    return [re.sub(r"(?m)^   ", "", block) for block in blocks]


def vault(store: LocalStore) -> Path:
    keep(store, "a", GOODS)
    return store.root / "vaults" / "a"


def run(command: str, folder: Path, **environment: str) -> str:
    done = subprocess.run(
        ["bash", "-eu", "-c", command],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": f"{folder.parent}:/usr/bin:/bin", **environment},
    )
    assert not done.returncode, done.stderr
    return done.stdout


def test_a_plain_vault(tmp_path):
    check, unpack, one = commands("The vault")
    folder = vault(LocalStore(tmp_path / "s"))

    run(check, folder)
    assert run(one, folder) == "hello\n"
    run(unpack, folder)
    assert tree_at(folder / "restored") == GOODS
    restored = folder / "restored/A/docs/a.txt"
    assert restored.stat().st_mtime_ns == OLD
    assert restored.stat().st_mode & 0o777 == 0o640


def test_what_the_manifest_says_is_checked(tmp_path):
    check, *_ = commands("The vault")
    folder = vault(LocalStore(tmp_path / "s"))
    (folder / "log").write_text("another")

    with pytest.raises(AssertionError, match="1 computed checksum did NOT match"):
        run(check, folder)


def test_a_compressed_vault(tmp_path):
    (check, *_), (unpack,) = commands("The vault"), commands("Compressed")
    folder = vault(LocalStore(tmp_path / "s", compress=True))

    run(check, folder)
    assert run(unpack, folder).startswith('{"path":"A","kind":"directory"')
    assert tree_at(folder / "restored") == GOODS


def test_an_encrypted_vault(tmp_path):
    (check, *_), (unpack,) = commands("The vault"), commands("Encrypted")
    folder = vault(LocalStore(tmp_path / "s", keys=Keys(IDENTITY)))
    (folder.parent / "age").write_text(AGE)
    (folder.parent / "age").chmod(0o755)
    (tmp_path / "key").write_text(IDENTITY)

    run(check, folder)
    said = run(unpack, folder, KEY=str(tmp_path / "key"))
    assert said.startswith('{"path":"A","kind":"directory"')
    assert tree_at(folder / "restored") == GOODS
