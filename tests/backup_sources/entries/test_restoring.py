"""What comes back to entries, and what never goes."""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from syncd.backup_sources.entries import giving
from syncd.core.file import Kind
from syncd.core.keeping import Promise
from syncd.core.vault import Item
from syncd.drivers.memory import Thing
from syncd.errors import BadRequest, NotFound
from tests.acceptance.trees import tree
from tests.backup_sources.entries.conftest import Home
from tests.backup_sources.fakes import FolderVault

LARGE = giving.SMALL + 1
FOREVER = Promise(1000, 1000)


def kept(root: Path) -> dict[str, bytes]:
    """What is in the trash, by name."""
    return {
        path.name.rpartition("~")[0]: path.read_bytes()
        for path in (root / ".syncd-trash").rglob("*~*")
        if path.is_file()
    }


def during(vault: FolderVault, do: Callable[[], None]) -> None:
    """Have something be done once contents are asked for, before any is written."""
    really = vault.open

    def open_(items: Sequence[Item]) -> Iterator[tuple[Item, BinaryIO]]:
        do()
        return really(items)

    vault.open = open_  # type: ignore[method-assign]


class TestWrites:
    async def test_what_is_missing_is_made(self, home):
        root = home.local("A")
        (root / "deep" / "er").mkdir(parents=True, mode=0o700)
        (root / "deep" / "er" / "file").write_bytes(b"content")
        (root / "deep" / "er" / "file").chmod(0o640)
        (root / "large").write_bytes(b"x" * LARGE)
        (root / "none").touch()
        (root / "link").symlink_to(os.fsdecode(b"to/\xff"))
        os.close(os.open(os.fsencode(root) + b"/\xfe", os.O_CREAT))
        (root / "\U0010fefe").touch()
        before = tree(root, metadata=True)
        vault, _ = await home.back_up()
        new = home.local("B")
        report = await home.restore(vault, databases=["A"], names={"A": "B"})

        assert report.failed == {}
        assert tree(new, metadata=True) == before
        assert (new / "deep" / "er").stat().st_mode & 0o777 == 0o700
        assert (new / "deep" / "er" / "file").stat().st_mode & 0o777 == 0o640
        assert report.changed["created"] == len(before)
        assert report.changed["bytes"] == LARGE + 7

    async def test_what_is_replaced_is_kept(self, home):
        root = home.local("A", promise=FOREVER)
        (root / "file").write_text("then")
        (root / "link").symlink_to("then")
        vault, _ = await home.back_up()
        (root / "file").write_text("now!")
        (root / "link").unlink()
        (root / "link").symlink_to("now")
        report = await home.restore(vault)

        assert (root / "file").read_text() == "then"
        assert (root / "link").readlink() == Path("then")
        assert kept(root) == {"file": b"now!"}
        assert report.changed["replaced"] == 2

    async def test_the_same_size_and_time_do_not_mean_the_same(self, home):
        file = home.local("A") / "file"
        file.write_text("then")
        vault, _ = await home.back_up()
        status = file.stat()
        file.write_text("evil")
        os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
        await home.restore(vault)

        assert file.read_text() == "then"

    async def test_what_is_the_same_is_left_alone(self, home):
        root = home.local("A")
        (root / "same").write_text("same")
        (root / "dress").write_text("same")
        (root / "folder").mkdir(mode=0o700)
        vault, _ = await home.back_up()
        inodes = {path.name: path.stat().st_ino for path in root.iterdir()}
        was = (root / "dress").stat().st_mtime_ns
        (root / "dress").touch()
        (root / "dress").chmod(0o600)
        (root / "folder").chmod(0o755)
        report = await home.restore(vault)

        assert {path.name: path.stat().st_ino for path in root.iterdir()} == inodes
        assert (root / "dress").stat().st_mtime_ns == was
        assert (root / "dress").stat().st_mode & 0o777 == 0o644
        assert (root / "folder").stat().st_mode & 0o777 == 0o700
        assert report.changed == {
            "created": 0,
            "replaced": 0,
            "amended": 2,
            "deleted": 0,
            "unchanged": 1,
            "bytes": 0,
        }

    async def test_a_folder_that_lets_nobody_write_is_filled_first(self, home):
        root = home.local("A")
        (root / "shut").mkdir()
        (root / "shut" / "file").touch()
        (root / "shut").chmod(0o555)
        vault, _ = await home.back_up()
        new = home.local("B")
        report = await home.restore(vault, databases=["A"], names={"A": "B"})

        assert report.failed == {}
        assert (new / "shut" / "file").exists()
        assert (new / "shut").stat().st_mode & 0o777 == 0o555

    async def test_a_storage_without_descriptors_is_written_as_well(self, home):
        memory = home.memory("M")
        memory.set("small", Thing(Kind.FILE, b"content", mtime_ns=5))
        memory.set("large", Thing(Kind.FILE, b"x" * LARGE, mtime_ns=5))
        vault, _ = await home.back_up()
        memory.remove("small")
        memory.set("large", Thing(Kind.FILE, b"y" * LARGE, mtime_ns=5))
        report = await home.restore(vault)

        assert report.failed == {}
        assert memory.things["small"].content == b"content"
        assert memory.things["large"].content == b"x" * LARGE

    async def test_thousands_come_in_portions(self, home):
        root = home.local("A")
        for number in range(2000):
            (root / str(number)).write_text(str(number))
        (root / "1000 large").write_bytes(b"x" * LARGE)
        before = tree(root, metadata=True)
        vault, _ = await home.back_up()
        new = home.local("B")
        report = await home.restore(vault, databases=["A"], names={"A": "B"})

        assert tree(new, metadata=True) == before
        assert report.changed["created"] == 2001


class TestDeletes:
    @pytest.fixture
    async def grown(self, home) -> tuple[Path, FolderVault]:
        """An entry with more in it than its vault has."""
        root = home.local("A", "*.o", promise=FOREVER)
        (root / "old").mkdir()
        (root / "old" / "file").write_text("old")
        vault, _ = await home.back_up()
        (root / "new" / "er").mkdir(parents=True)
        (root / "new" / "er" / "file").write_text("new")
        (root / "old" / "more").write_text("more")
        (root / "ignored").mkdir()
        (root / "ignored" / "a.o").touch()
        return root, vault

    async def test_nothing_goes_unasked(self, home, grown):
        root, vault = grown
        before = tree(root)
        report = await home.restore(vault)

        assert tree(root) == before
        assert report.changed["deleted"] == 0

    async def test_what_is_not_in_it_goes_when_asked(self, home, grown):
        root, vault = grown
        report = await home.restore(vault, delete=True)

        assert report.failed == {}
        assert set(tree(root)) == {b"old", b"old/file", b"ignored", b"ignored/a.o"}
        assert kept(root) == {"more": b"more", "file": b"new"}

    async def test_but_only_below_what_is_restored(self, home, grown):
        root, vault = grown
        await home.restore(vault, delete=True, paths=["A/old"])

        assert (root / "new" / "er" / "file").exists()
        assert not (root / "old" / "more").exists()

    async def test_a_folder_in_the_way_stays_unless_asked(self, home):
        root = home.local("A", promise=FOREVER)
        (root / "place").write_text("then")
        vault, _ = await home.back_up()
        (root / "place").unlink()
        (root / "place" / "deep").mkdir(parents=True)
        (root / "place" / "deep" / "file").write_text("now")
        report = await home.restore(vault)
        assert "a folder is in its place" in report.failed["A/place"]
        assert (root / "place" / "deep" / "file").exists()

        report = await home.restore(vault, delete=True)
        assert report.failed == {}
        assert (root / "place").read_text() == "then"
        assert kept(root) == {"file": b"now"}

    async def test_an_empty_folder_in_the_way_gives_way(self, home):
        place = home.local("A") / "place"
        place.write_text("then")
        vault, _ = await home.back_up()
        place.unlink()
        place.mkdir()
        report = await home.restore(vault)

        assert report.failed == {}
        assert place.read_text() == "then"

    async def test_a_file_in_the_way_of_a_folder_is_kept(self, home):
        root = home.local("A", promise=FOREVER)
        (root / "place").mkdir()
        (root / "place" / "file").write_text("then")
        vault, _ = await home.back_up()
        (root / "place" / "file").unlink()
        (root / "place").rmdir()
        (root / "place").write_text("now")
        report = await home.restore(vault)

        assert report.failed == {}
        assert (root / "place" / "file").read_text() == "then"
        assert kept(root) == {"place": b"now"}


class TestConcurrency:
    async def test_an_edit_meanwhile_is_never_overwritten(self, home):
        root = home.local("A")
        for name in ("edited", "other"):
            (root / name).write_text("then")
        vault, _ = await home.back_up()
        for name in ("edited", "other"):
            (root / name).write_text("later")
        during(vault, lambda: (root / "edited").write_text("just now") and None)
        report = await home.restore(vault)

        assert (root / "edited").read_text() == "just now"
        assert (root / "other").read_text() == "then"
        assert "stays as it is" in report.failed["A/edited"]
        assert list(report.failed) == ["A/edited"]

    async def test_nor_is_what_was_made_meanwhile(self, home):
        root = home.local("A")
        (root / "made").write_text("then")
        vault, _ = await home.back_up()
        (root / "made").unlink()
        during(vault, lambda: (root / "made").write_text("just now") and None)
        report = await home.restore(vault)

        assert (root / "made").read_text() == "just now"
        assert list(report.failed) == ["A/made"]

    async def test_nor_deleted_what_was_edited_meanwhile(self, home):
        root = home.local("A")
        (root / "missing").write_text("then")
        vault, _ = await home.back_up()
        (root / "missing").unlink()
        (root / "more").write_text("more")
        during(vault, lambda: (root / "more").write_text("just now") and None)
        report = await home.restore(vault, delete=True)

        assert (root / "more").read_text() == "just now"
        assert list(report.failed) == ["A/more"]


class TestTroubles:
    @pytest.mark.parametrize("size", [10, LARGE])
    async def test_what_is_damaged_in_the_vault_is_not_written(self, home, size):
        root = home.local("A")
        for name in ("a", "damaged", "z"):
            (root / name).write_bytes(name[:1].encode() * size)
        vault, _ = await home.back_up()
        vault.damaged.add("A/damaged")
        for name in ("a", "damaged", "z"):
            (root / name).write_text("now")
        report = await home.restore(vault)

        assert (root / "damaged").read_text() == "now"
        assert list(report.failed) == ["A/damaged"]
        assert "not what was stored" in report.failed["A/damaged"]
        assert (root / "a").read_bytes() == b"a" * size
        assert (root / "z").read_bytes() == b"z" * size
        assert not list(root.glob(".syncd-*.tmp"))

    async def test_names_that_are_not_utf8_are_told_in_words(self, home):
        root = home.local("A")
        for name in (b"lost\xff", b"more\xff"):
            (root / os.fsdecode(name)).write_text("then")
        vault, _ = await home.back_up()
        vault.damaged.add(os.fsdecode(b"A/lost\xff"))
        (root / os.fsdecode(b"lost\xff")).write_text("now")
        (root / os.fsdecode(b"more\xff")).write_text("now")
        report = await home.restore(vault)

        assert list(report.failed) == [r"A/lost\xff"]
        assert (root / os.fsdecode(b"more\xff")).read_text() == "then"

    async def test_a_vault_that_fails_in_between_goes_on_after_it(
        self, home, monkeypatch
    ):
        root = home.local("A")
        for name in ("a", "b", "c"):
            (root / name).write_text(name)
        vault, _ = await home.back_up()
        for name in ("a", "b", "c"):
            (root / name).unlink()
        vault.lost.add("A/b")
        report = await home.restore(vault)

        assert list(report.failed) == ["A/b"]
        assert set(tree(root)) == {b"a", b"c"}

    async def test_an_entry_that_is_not_there_fails_and_others_do_not(self, home):
        for name in ("A", "B"):
            (home.local(name) / "file").write_text("then")
        vault, _ = await home.back_up()
        other = Path(home.entries["B"].options["root"]) / "file"
        other.unlink()
        (Path(home.entries["A"].options["root"]) / ".syncd-marker").unlink()
        report = await home.restore(vault)

        assert list(report.failed) == ["A"]
        assert other.read_text() == "then"

    async def test_ignored_paths_are_not_written(self, home):
        (home.local("A") / "a.o").write_text("then")
        vault, _ = await home.back_up()
        home.local("B", "*.o")
        report = await home.restore(vault, databases=["A"], names={"A": "B"})

        assert "ignored on this entry" in report.failed["A/a.o"]


class TestWishes:
    @pytest.fixture
    async def vault(self, home) -> FolderVault:
        for name in ("A", "B"):
            root = home.local(name)
            (root / "deep").mkdir()
            (root / "deep" / "file").write_text("then")
            (root / "deeper").write_text("then")
        made: FolderVault
        made, _ = await home.back_up()
        for name in ("A", "B"):
            root = Path(home.entries[name].options["root"])
            (root / "deep" / "file").write_text("now")
            (root / "deeper").write_text("now")
        return made

    @pytest.mark.parametrize(
        ("wanted", "then"),
        [
            ({"paths": ["A/deep"]}, ["A/deep/file"]),
            ({"paths": ["/A/deep/file/"]}, ["A/deep/file"]),
            ({"paths": ["A"]}, ["A/deep/file", "A/deeper"]),
            ({"paths": ["A/deep", "B/deeper"]}, ["A/deep/file", "B/deeper"]),
            ({"databases": ["B"]}, ["B/deep/file", "B/deeper"]),
            ({"databases": ["B", "A"], "paths": ["A/deeper"]}, ["A/deeper"]),
            ({"databases": ["A"], "names": {"A": "B"}}, ["B/deep/file", "B/deeper"]),
        ],
    )
    async def test_only_that_is_restored(self, home, vault, wanted, then):
        report = await home.restore(vault, **wanted)

        top = Path(home.entries["A"].options["root"]).parent
        restored = [
            f"{name}/{path}"
            for name in ("A", "B")
            for path in ("deep/file", "deeper")
            if (top / name / path).read_text() == "then"
        ]
        assert report.failed == {}
        assert restored == then

    @pytest.mark.parametrize(
        ("wanted", "kind", "why"),
        [
            ({"databases": ["C"]}, NotFound, "holds no entry 'C'; it holds: A, B"),
            ({"databases": [{"A": 1}]}, BadRequest, "not the name of an entry"),
            ({"names": {"A": "C"}}, NotFound, "no entry 'C' to restore to"),
            ({"names": {"A": "B"}}, BadRequest, "two entries would both"),
            ({"databases": ["B"], "names": {"A": "B"}}, BadRequest, "not restored"),
            ({"paths": ["deep"]}, BadRequest, "its first part is no entry"),
            ({"paths": ["A/../B"]}, BadRequest, "not a path inside"),
            ({"paths": [""]}, BadRequest, "not a path inside"),
            ({"databases": ["B"], "paths": ["A/deep"]}, BadRequest, "no entry that"),
            ({"paths": ["A/nowhere"]}, NotFound, "holds no A/nowhere"),
            ({"paths": ["A/dee"]}, NotFound, "holds no A/dee"),
            ({"variables": {"mode": 1}}, BadRequest, "take no variables"),
        ],
    )
    async def test_what_makes_no_sense_is_refused_before_anything(
        self, home, vault, wanted, kind, why
    ):
        before = [tree(Path(one.options["root"])) for one in home.entries.values()]
        with pytest.raises(kind, match=why):
            await home.restore(vault, **wanted)

        assert [
            tree(Path(one.options["root"])) for one in home.entries.values()
        ] == before

    async def test_a_plan_tells_every_deed(self, home):
        root = home.local("A")
        for name in ("create", "replace", "amend", "same"):
            (root / name).write_text("then")
        (root / "folder").mkdir()
        (root / "place").touch()
        vault, _ = await home.back_up()
        (root / "create").unlink()
        (root / "replace").write_text("later")
        (root / "amend").chmod(0o600)
        (root / "folder").rmdir()
        (root / "delete").touch()
        (root / "place").unlink()
        (root / "place").mkdir()
        (root / "place" / "file").touch()
        before = tree(root, metadata=True)
        report = await home.restore(vault, dry_run=True)
        assert tree(root, metadata=True) == before
        assert sorted(report.plan) == [
            "amend A/amend (4 bytes)",
            "blocked A/place",
            "create A/create (4 bytes)",
            "create A/folder/",
            "replace A/replace (4 bytes)",
        ]
        assert list(report.failed) == ["A/place"]
        more = await home.restore(vault, dry_run=True, delete=True)
        assert set(more.plan) - set(report.plan) == {
            "delete A/delete",
            "delete A/place/file",
            "replace A/place",
        }
        assert more.changed == {
            "created": 2,
            "replaced": 2,
            "amended": 1,
            "deleted": 2,
            "unchanged": 1,
            "bytes": 8,
        }
        done = await home.restore(vault, delete=True)

        assert done.changed == more.changed
        assert done.failed == {}

    async def test_a_plan_tells_the_first_thousand(self, home):
        for name in ("A", "B"):
            root = home.local(name)
            for number in range(600):
                (root / str(number)).touch()
        vault, _ = await home.back_up()
        for name in ("A", "B"):
            for path in Path(home.entries[name].options["root"]).glob("[0-9]*"):
                path.unlink()
        report = await home.restore(vault, dry_run=True)

        assert len(report.plan) == 1000
        assert report.changed["created"] == 1200


NAMES = st.sampled_from(["a", "b", "c"])
THINGS = st.one_of(
    st.binary(max_size=3),
    st.sampled_from(["to", "elsewhere"]),
    st.none(),
)
TREES = st.dictionaries(
    st.lists(NAMES, min_size=1, max_size=3).map("/".join), THINGS, max_size=8
)


def grow(root: Path, things: dict[str, bytes | str | None]) -> None:
    """Put what is in its own place; what would lie below a file is left out."""
    for path, thing in sorted(things.items()):
        place = root / path
        if any(up.is_symlink() or up.is_file() for up in [place, *place.parents]):
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        if place.exists():
            continue
        match thing:
            case bytes():
                place.write_bytes(thing)
            case str():
                place.symlink_to(thing)
            case _:
                place.mkdir()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(TREES, TREES)
async def test_whatever_there_is_becomes_what_there_was(tmp_path_factory, then, now):
    home = Home(tmp_path_factory.mktemp("home"))
    root = home.local("A", promise=FOREVER)
    grow(root, then)
    before = tree(root, metadata=True)
    vault, report = await home.back_up()
    assert report.failed == {}
    clear(root)
    grow(root, now)
    planned = await home.restore(vault, delete=True, dry_run=True)
    restored = await home.restore(vault, delete=True)

    assert restored.failed == {}
    assert tree(root, metadata=True) == before
    assert restored.changed == planned.changed
    again = await home.restore(vault, delete=True)
    assert again.changed["unchanged"] == len(before)


def clear(root: Path) -> None:
    for path in sorted(root.rglob("*"), reverse=True):
        if ".syncd-" not in str(path.relative_to(root)):
            path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
