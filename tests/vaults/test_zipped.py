import io
import zipfile

import pytest
from hypothesis import HealthCheck, given, settings

from syncd.core.vault import ItemKind
from syncd.errors import StorageError
from syncd.vaults import zipped
from syncd.vaults.listing import Located
from syncd.vaults.local import LocalStore
from syncd.vaults.uploads import take_in
from tests.vaults.goods import files_of, held, keep
from tests.vaults.test_vault import TREES, flat, tree_at

GOODS = {
    "A": None,
    "A/1": b"one",
    "A/é\udcff": b"odd",
    "A/link": "1",
    "A/empty": None,
    "A/big": bytes(range(256)) * 9000,
}


def whole(vault, start=0):
    return b"".join(zipped.stream(vault, list(vault.items()), start))


def test_everybody_reads_it_and_its_length_was_known(any_store):
    store = any_store()
    keep(store, "a", GOODS)
    vault = store.get("a")
    text = whole(vault)

    assert len(text) == zipped.length(vault.items())
    with zipfile.ZipFile(io.BytesIO(text)) as archive:
        assert archive.testzip() is None
        assert archive.read("A/big") == GOODS["A/big"]
        assert archive.getinfo("A/1").date_time[0] == 2023
        assert len(archive.infolist()) == len(GOODS)


def test_it_is_the_same_every_time_and_can_begin_anywhere(any_store):
    store = any_store()
    keep(store, "a", GOODS)
    vault = store.get("a")
    text = whole(vault)

    for start in (1, 100, 262_144, 300_000, len(text) - 1, len(text), len(text) + 5):
        assert whole(vault, start) == text[start:]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tree=TREES)
def test_what_was_downloaded_can_be_sent_back(tmp_path_factory, tree):
    place = tmp_path_factory.mktemp("z")
    store = LocalStore(place / "s")
    keep(store, "a", flat(tree))
    vault = store.get("a")
    (place / "a.zip").write_bytes(whole(vault))
    (place / "out").mkdir()

    if escapes(vault):
        return
    take_in(place / "a.zip", place / "out")
    assert (place / "a.zip").stat().st_size == zipped.length(vault.items())
    assert tree_at(place / "out") == held(vault)


def escapes(vault) -> bool:
    """Tell whether a link leads out, or nowhere that can be said."""
    return any(
        (one.target or "").startswith("/") or ".." in (one.target or "").split("/")
        for one in vault.items()
    )


def test_times_that_a_zip_cannot_say(store):
    keep(store, "a", {"old": b"", "new": b""}, times={"old": -(10**18), "new": 2**62})

    with zipfile.ZipFile(io.BytesIO(whole(store.get("a")))) as archive:
        years = {info.filename: info.date_time[0] for info in archive.infolist()}
    assert years == {"old": 1980, "new": 2037}


def test_sizes_beyond_four_gigabytes_have_a_length():
    items = [
        Located(path="a", size=5 * 2**30, crc32=1, pack="x"),
        Located(path="b", kind=ItemKind.DIRECTORY),
    ]

    assert zipped.length(items) > 5 * 2**30


def test_a_damaged_vault_is_not_served_as_if_it_were_whole(any_store):
    store = any_store()
    keep(store, "a", GOODS)
    for pack in files_of(store.root / "vaults/a/packs"):
        content = pack.read_bytes()
        pack.write_bytes(content[: len(content) // 2])

    with pytest.raises(StorageError):
        whole(store.get("a"))
