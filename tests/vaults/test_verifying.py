import io
import random
from hashlib import sha256

import pytest

from syncd.core.vault import Summary
from syncd.vaults.coding import Coder
from syncd.vaults.keys import Keys
from syncd.vaults.reading import DATA
from tests.vaults.conftest import IDENTITY
from tests.vaults.goods import MADE, files_of, item, keep, nothing

GOODS = {"A": None, "A/1": b"one", "A/l": "1", "A/big": bytes(range(256)) * 5000}


@pytest.fixture(params=["added", "written"])
def folder(request, any_store):
    """Lend the folder of a vault of either layout, and what verifies it."""
    store = any_store()
    if request.param == "added":
        keep(store, "a", GOODS)
    else:
        with store.stage("a", "s", job="j") as staging:
            staging.log.write_text("log\n")
            (staging.folder / "A").mkdir()
            (staging.folder / "A/1").write_bytes(b"one")
            (staging.folder / "A/l").symlink_to("1")
            (staging.folder / "A/big").write_bytes(bytes(range(256)) * 5000)
            staging.seal(Summary(name="a", source="s", made=MADE))
    return store.root / "vaults" / "a", lambda: store.get("a").verify(nothing)


def test_a_sound_vault_has_no_faults(folder):
    _, faults = folder

    assert faults() == []


def test_every_flipped_bit_of_every_file_is_found(folder):
    place, faults = folder
    choose = random.Random(2)
    for file in files_of(place):
        if file.is_symlink():
            continue
        content = file.read_bytes()
        bits = {
            0,
            len(content) * 8 - 1,
            *(choose.randrange(len(content) * 8) for _ in range(8)),
        }
        if file.name == "MANIFEST.sha256":
            bits |= set(choose.sample(range(len(content) * 8), 150))
        for bit in bits:
            spoilt = bytearray(content)
            spoilt[bit // 8] ^= 1 << bit % 8
            file.write_bytes(spoilt)
            assert faults(), f"bit {bit} of {file}"
        file.write_bytes(content)
    assert faults() == []


@pytest.mark.parametrize("cut", [1, 600, None])
def test_what_is_cut_short_or_too_long_is_found(folder, cut):
    place, faults = folder
    for file in files_of(place):
        if file.is_symlink():
            continue
        content = file.read_bytes()
        file.write_bytes(content[: -(cut or len(content))] or b"")
        assert faults(), file
        file.write_bytes(content + b"\n")
        assert faults(), file
        file.write_bytes(content)
    assert faults() == []


def test_what_is_missing_or_too_much_is_found(folder):
    place, faults = folder
    for file in files_of(place):
        kept = file.with_name("elsewhere")
        file.rename(kept)
        assert faults(), file
        kept.rename(file)
    (place / "stranger").write_bytes(b"")
    (fault,) = faults()

    assert fault.path == "stranger"


def test_links_and_folders_that_lie_by_themselves_are_compared(store):
    with store.stage("a", "s", job="j") as staging:
        (staging.folder / "empty").mkdir()
        (staging.folder / "link").symlink_to("here")
        staging.seal(Summary(name="a", source="s", made=MADE))
    data = store.root / "vaults/a" / DATA
    data.joinpath("link").unlink()
    data.joinpath("link").symlink_to("there")
    data.joinpath("empty").rmdir()

    paths = {fault.path for fault in store.get("a").verify(nothing)}
    assert paths == {"data/link", "data/empty"}


def test_a_fault_names_the_file_that_is_lost(store):
    with store.stage("a", "s", job="j") as staging:
        for name in ("A/good", "A/bad"):
            what = name.encode() * 100
            staging.add(item(name, what), io.BytesIO(what))
        staging.seal(Summary(name="a", source="s", made=MADE))
    (pack,) = (store.root / "vaults/a/packs").iterdir()
    content = pack.read_bytes().replace(b"A/badA/bad", b"A/badB/bad", 1)
    pack.write_bytes(content)
    manifest = store.root / "vaults/a/MANIFEST.sha256"

    (fault,) = store.get("a").verify(nothing)
    assert fault.path == f"packs/{pack.name}"
    assert manifest.exists()


def test_all_bytes_and_items_are_counted(any_store):
    store = any_store()
    keep(store, "a", GOODS)
    told: list[tuple[int, int]] = []
    store.get("a").verify(lambda size, items: told.append((size, items)))

    place = store.root / "vaults/a"
    size = sum(f.stat().st_size for f in files_of(place) if f.name != "MANIFEST.sha256")
    assert sum(one for one, _ in told) == size
    assert sum(items for _, items in told) == len(GOODS)


def test_a_file_that_cannot_be_read_is_a_fault(store):
    keep(store, "a", {"A/1": b"x"})
    (pack,) = (store.root / "vaults/a/packs").iterdir()
    pack.rename(pack.with_name("aside"))
    pack.symlink_to("aside")

    assert {
        fault.path.partition("/")[0] for fault in store.get("a").verify(nothing)
    } == {"packs"}


def test_a_vault_that_was_sealed_wrongly_is_found(any_store):
    store = any_store()
    keep(store, "a", {"A/good": b"x", "A/bad": b"y"})
    place = store.root / "vaults/a"
    (file,) = place.glob("contents.jsonl*")
    keys = Keys(IDENTITY) if file.suffix == ".age" else None
    coder = Coder(compress=".zst" in file.suffixes, keys=keys)
    text = coder.decode(file.read_bytes(), file.name)
    digest = sha256(b"y").hexdigest().encode()
    wrong = coder.encode(text.replace(digest, b"0" * 64))
    manifest = (place / "MANIFEST.sha256").read_bytes()
    before, after = (sha256(one).hexdigest() for one in (file.read_bytes(), wrong))
    file.write_bytes(wrong)
    (place / "MANIFEST.sha256").write_bytes(
        manifest.replace(before.encode(), after.encode())
    )

    (fault,) = store.get("a").verify(nothing)
    assert fault.path.endswith(": A/bad")
