import io
import tempfile
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from syncd.core.vault import Item, Summary
from syncd.errors import NotFound, StorageError
from syncd.vaults.keys import Keys
from syncd.vaults.local import LocalStore
from syncd.vaults.reading import DATA, PACKS
from tests.vaults.conftest import IDENTITY, KINDS
from tests.vaults.goods import MADE, OLD, files_of, held, item, keep, nothing, written

NAMES = st.binary(min_size=1, max_size=12).map(
    lambda name: (
        name.replace(b"\0", b"0")
        .replace(b"/", b"_")
        .replace(b".", b"-")
        .decode(errors="surrogateescape")
    )
)
LEAVES = st.binary(max_size=2000) | NAMES
TREES = st.dictionaries(
    NAMES,
    st.recursive(LEAVES, lambda inner: st.dictionaries(NAMES, inner, max_size=4)),
    max_size=5,
)


def flat(tree, above=""):
    found: dict[str, bytes | str | None] = {}
    for name, what in tree.items():
        path = f"{above}{name}"
        if isinstance(what, dict):
            found[path] = None
            found.update(flat(what, f"{path}/"))
        else:
            found[path] = what
    return found


@pytest.mark.parametrize("by_command", [False, True], ids=["added", "written"])
@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(tree=TREES)
@example(tree={"é\udcff": {"\U0010fe80": b"x", "l": "\udc80/..", "a\nb\\": {}}})
def test_whatever_is_put_in_comes_out(kind, by_command, tree):
    compress, encrypt = KINDS[kind]
    goods = flat(tree)
    with tempfile.TemporaryDirectory() as place:
        keys = Keys(IDENTITY) if encrypt else None
        store = LocalStore(Path(place) / "s", compress=compress, keys=keys)
        if by_command:
            with store.stage("a", "default", job="j") as staging:
                write(staging.folder, goods)
                summary = staging.seal(Summary(name="a", source="default", made=MADE))
        else:
            summary, _ = keep(store, "a", goods)
        vault = store.get("a")

        assert held(vault) == goods
        assert vault.verify(lambda _bytes, _items: None) == []
        assert vault.summary() == summary
        assert summary.files == sum(isinstance(what, bytes) for what in goods.values())
        with vault.folder(Path(place) / "scratch") as folder:
            assert tree_at(folder) == goods


def write(folder: Path, goods) -> None:
    for path, what in goods.items():
        if what is None:
            (folder / path).mkdir(parents=True)
    for path, what in goods.items():
        if isinstance(what, bytes):
            (folder / path).write_bytes(what)
        elif isinstance(what, str):
            (folder / path).symlink_to(what)


def tree_at(folder: Path):
    found: dict[str, bytes | str | None] = {}
    for path in folder.rglob("*"):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = str(path.readlink())
        else:
            found[name] = None if path.is_dir() else path.read_bytes()
    return found


def test_a_folder_comes_before_what_is_in_it(any_store):
    store = any_store()
    keep(store, "a", {"A": None, "A/b": None, "A/b/c": b"", "A-1": b"", "A/b-1": b""})

    paths = [one.path for one in store.get("a").items()]

    assert paths.index("A") < paths.index("A/b") < paths.index("A/b/c")


def test_items_below(any_store):
    store = any_store()
    keep(store, "a", {"A": None, "A/b": b"1", "A/bc": b"2", "B/x/y": b"3"})
    vault = store.get("a")

    assert [i.path for i in vault.items(["A/b"])] == ["A/b"]
    assert [i.path for i in vault.items(["B", "A/bc"])] == ["A/bc", "B/x/y"]
    assert list(vault.items(["nothing"])) == []


def test_times_and_modes_are_those_of_the_item(any_store, tmp_path):
    store = any_store()
    keep(store, "a", {"A": None, "A/f": b"x"})

    with store.get("a").folder(tmp_path) as folder:
        status = (folder / "A/f").stat()
        assert (status.st_mtime_ns, status.st_mode & 0o7777) == (OLD, 0o640)
        assert (folder / "A").stat().st_mtime_ns == OLD


def test_files_are_opened_by_any_item_of_that_path(any_store):
    store = any_store()
    keep(store, "a", {"A/f": b"content", "A/d": None})
    vault = store.get("a")

    ((_, content),) = vault.open([Item(path="A/f")])
    assert content.read() == b"content"
    for path in ("A/g", "A/d"):
        with pytest.raises(NotFound):
            list(vault.open([Item(path=path)]))


def test_a_content_may_be_left_half_read(any_store):
    store = any_store()
    goods = {"A/1": bytes(3_000_000), "A/2": b"small", "A/3": bytes(2_000_000)}
    keep(store, "a", goods)
    vault = store.get("a")
    begun = [content.read(10) for _, content in vault.open(list(vault.items()))]

    assert begun == [bytes(10), b"small", bytes(10)]


@pytest.mark.parametrize("by_command", [False, True], ids=["added", "written"])
def test_no_byte_can_change_without_reading_telling(any_store, tmp_path, by_command):
    store = any_store()
    goods: dict[str, bytes | str] = {
        "A/1": b"some content" * 100,
        "A/big": b"large" * 300_000,
        "A/l": "1",
    }
    with store.stage("a", "s", job="j") as staging:
        if by_command:
            (staging.folder / "A").mkdir()
            write(staging.folder, goods)
        else:
            for name, what in goods.items():
                file = io.BytesIO(what) if isinstance(what, bytes) else None
                staging.add(item(name, what), file)
        staging.seal(Summary(name="a", source="s", made=MADE))
    folder = store.root / "vaults" / "a"
    read = [f for f in files_of(folder) if f.parent != folder or "contents" in f.name]
    assert len(read) >= 3
    for path in read:
        content = path.read_bytes()
        for place in (0, len(content) // 3, len(content) // 2):
            if path.suffix == ".tar" and content[place] == 0:
                continue  # between contents, where reading has no business
            spoilt = bytearray(content)
            spoilt[place] ^= 4
            path.write_bytes(spoilt)
            if is_content(path, place):
                with pytest.raises(StorageError):
                    held(store.get("a"))
        path.write_bytes(content[: len(content) // 4])
        with pytest.raises(StorageError):
            held(store.get("a"))
        path.write_bytes(content)
    assert held(store.get("a")).items() >= goods.items()


def is_content(file: Path, place: int) -> bool:
    """Tell whether it is more than the name in a header of a plain tar."""
    return file.suffix != ".tar" or place >= 512


def test_a_manifest_that_differs_is_noticed_by_reading(store):
    keep(store, "a", {"A/1": b"content"})
    manifest = store.root / "vaults" / "a" / "MANIFEST.sha256"
    text = bytearray(manifest.read_bytes())
    place = text.index(b"packs/") - 10
    text[place] ^= 1
    manifest.write_bytes(text)

    with pytest.raises(StorageError):
        held(store.get("a"))


DUMPS = {"db/1": b"x" * 50, "db/2": b"y" * 2_000_000}


def test_what_a_command_does_to_what_it_is_lent_harms_no_vault(any_store, tmp_path):
    store = any_store()
    written(store, "abc", DUMPS)
    with store.get("a").folder(tmp_path / "scratch") as folder:
        for path, content in DUMPS.items():
            assert (folder / path).read_bytes() == content
            with (folder / path).open("ab") as file:
                file.write(b"more")
            (folder / path).chmod(0)
        (folder / "db/1").unlink()

    assert list((tmp_path / "scratch").iterdir()) == []
    for name in "abc":
        assert store.get(name).verify(nothing) == []


@pytest.mark.parametrize("path", DUMPS)
def test_what_is_damaged_is_lent_to_nobody_unasked(any_store, tmp_path, path):
    store = any_store()
    written(store, "a", DUMPS)
    item = next(one for one in store.get("a").items() if one.path == path)
    lies = f"{DATA}/{path}" if item.pack is None else f"packs/{item.pack}"
    file = store.root / "vaults/a" / lies
    spoilt = bytearray(file.read_bytes())
    spoilt[len(spoilt) // 2] ^= 1
    file.write_bytes(spoilt)

    with (
        pytest.raises(StorageError),
        store.get("a").folder(tmp_path / "scratch"),
    ):
        raise AssertionError
    assert list((tmp_path / "scratch").iterdir()) == []
    vault = store.get("a")
    with vault.folder(tmp_path / "scratch", whole=False) as folder:
        (other,) = DUMPS.keys() - {path}
        assert (folder / other).read_bytes() == DUMPS[other]
        if item.pack is None:
            assert (folder / path).read_bytes() == bytes(spoilt)
    (fault,) = vault.damage()
    assert fault.path.endswith(path)


def test_scratch_is_empty_afterwards(any_store, tmp_path):
    store = any_store()
    keep(store, "a", {"A/f": b"x"})

    with store.get("a").folder(tmp_path / "scratch") as folder:
        assert (folder / "A/f").read_bytes() == b"x"

    assert list((tmp_path / "scratch").iterdir()) == []


def test_the_log_and_the_size(any_store):
    store = any_store()
    keep(store, "a", {"A/f": b"x"})
    vault = store.get("a")
    files = files_of(store.root / "vaults" / "a")

    assert vault.log() == b"log of a\n"
    assert vault.size() == sum(file.stat().st_size for file in files)


def test_an_encrypted_vault_tells_nothing(tmp_path):
    store = LocalStore(tmp_path, keys=Keys(IDENTITY))
    with store.stage("20260101T000000", "kept", job="j") as staging:
        staging.log.write_text("SECRET in the log")
        (staging.folder / "SECRET-data").write_bytes(b"SECRET")
        staging.add(item("SECRET/name", b"SECRET"), io.BytesIO(b"SECRET"))
        staging.add(item("SECRET/link", "SECRET"), None)
        staging.seal(
            Summary(
                name="",
                source="kept",
                made=MADE,
                listed=["SECRET"],
                databases=["SECRET"],
                torn=["SECRET"],
                origin={"a": "SECRET"},
                variables={"SECRET": 1},
            )
        )

    for path in tmp_path.rglob("*"):
        assert "SECRET" not in path.name
        assert path.is_dir() or b"SECRET" not in path.read_bytes()
    assert store.get("20260101T000000").summary().listed == ["SECRET"]


def test_packs_are_plain_tar_and_called_by_their_digest(store):
    keep(store, "a", {"A/f": b"x"})
    (pack,) = (store.root / "vaults" / "a" / PACKS).iterdir()

    assert pack.suffix == ".tar"
    assert len(pack.stem) == 64


def test_a_vault_that_somebody_made_to_lead_out_is_refused(store, tmp_path):
    keep(store, "a", {"A/0/x": b"x"})
    place = store.root / "vaults/a"
    listing = place / "contents.jsonl"
    manifest = place / "MANIFEST.sha256"
    before = listing.read_bytes()
    after = before.replace(b"A/0/x", b"../.x")
    listing.write_bytes(after)
    old, new = (sha256(one).hexdigest().encode() for one in (before, after))
    manifest.write_bytes(manifest.read_bytes().replace(old, new))

    with pytest.raises(StorageError, match="lists"), store.get("a").folder(tmp_path):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == ["store"]
