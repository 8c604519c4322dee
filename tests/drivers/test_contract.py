"""What every driver promises; each test runs against each driver."""

import asyncio
import os

import pytest
from blake3 import blake3

from syncd import clock
from syncd.core.change import Amend, Delete, SetAside
from syncd.core.file import Kind, Seen, Stamp
from syncd.core.keeping import Kept, Loss, Promise, Return
from syncd.core.path import from_bytes
from syncd.drivers.contract import Can, Event, Returned, What, Writing, Written
from syncd.errors import (
    StorageChanged,
    StorageError,
    StorageUntrusted,
)
from tests.drivers.hands import (
    YESTERDAY,
    chunks,
    counts,
    folder,
    link,
    look,
    placed,
    put,
    read,
    stamp,
    tree,
    until,
    write,
)

STALE = Stamp(3, 1, 1, 1)

NAMES = [
    "plain",
    " blank ",
    "quote'\"#%;~",
    "line\nbreak\ttab",
    ".hidden.",
    "\u202eright to left",
    "\U0001f600" * 50,
    "n" * 255,
    "\u00e9" * 127,
    "e\u0301",
    "back\\slash",
    from_bytes(b"latin \xe9\xff"),
    "/".join(["deep"] * 50),
]


class TestWriting:
    async def test_what_was_written_is_found_and_read(self, driver, hand):
        item = Writing(put("d/a", b"onetwo"), chunks(b"one", b"two"))
        [written] = await write(driver, item)

        assert written.digest == blake3(b"onetwo").digest()
        assert written.copied == 6
        assert written.seen == await look(driver, "d/a")
        assert (written.seen.stamp.size, written.seen.mode) == (6, 0o640)
        assert written.seen.stamp.mtime_ns == YESTERDAY
        assert await read(driver, "d/a") == hand.content("d/a") == b"onetwo"

    @pytest.mark.parametrize("size", [0, 1, 4096, (1 << 20) + 1, 20_000_001])
    async def test_content_from_a_descriptor(self, driver, hand, tmp_path, size):
        content = os.urandom(size)
        (tmp_path / "source").write_bytes(content)
        source = os.open(tmp_path / "source", os.O_RDONLY)
        try:
            [written] = await write(driver, Writing(put("a", content), source))
            assert os.fstat(source).st_size == size  # it is left open
        finally:
            os.close(source)

        assert (written.copied, written.digest) == (size, blake3(content).digest())
        assert hand.content("a") == content

    async def test_what_it_takes_is_told(self, driver):
        room = await driver.room()

        assert room.free > 0
        assert room.names > 0
        assert not room.read_only

    async def test_an_empty_file_needs_no_content(self, driver, hand):
        [written] = await write(driver, Writing(put("a"), None))

        assert written.seen.stamp.size == 0
        assert hand.content("a") == b""

    async def test_a_file_without_content_is_refused(self, driver):
        [error] = await write(driver, Writing(put("a", b"x"), None))

        assert isinstance(error, StorageError)
        assert await look(driver, "a") is None

    @pytest.mark.parametrize("name", NAMES)
    async def test_names_of_all_kinds_come_back(self, driver, hand, name):
        await placed(driver, name, b"x")

        assert name in hand.names()
        assert name in await tree(driver)
        assert await read(driver, name) == b"x"

    @pytest.mark.parametrize(
        "name",
        ["n" * 256, "a/../../b", "..", "a//b", "a\0b", ".syncd-x", "\ud800"],
    )
    async def test_names_that_cannot_be_are_refused(self, driver, hand, name):
        [error] = await write(driver, Writing(put(name, b"x"), chunks(b"x")))
        if name == "n" * 256 and isinstance(error, Written):
            pytest.skip("the storage takes longer names")

        assert isinstance(error, StorageError)
        assert hand.names() == set()

    async def test_replacing_what_was_expected(self, driver, hand):
        old = await placed(driver, "a", b"old")

        new = await placed(driver, "a", b"newer", replaces=old.stamp)

        assert hand.content("a") == b"newer"
        assert await look(driver, "a") == new

    @pytest.mark.parametrize("replaces", [None, STALE])
    async def test_what_was_not_expected_is_left(self, driver, hand, replaces):
        hand.write("a", b"mine")

        order = put("a", b"x", replaces=replaces)
        [error] = await write(driver, Writing(order, chunks(b"x")))

        assert isinstance(error, StorageChanged)
        assert hand.content("a") == b"mine"
        assert hand.names() == {"a"}

    async def test_replacing_what_is_gone(self, driver, hand):
        order = put("a", b"x", replaces=STALE)
        [error] = await write(driver, Writing(order, chunks(b"x")))

        assert isinstance(error, StorageChanged)
        assert hand.names() == set()

    async def test_a_folder_is_never_replaced(self, driver, hand):
        hand.folder("a")
        order = put("a", b"x", replaces=await stamp(driver, "a"))
        [error] = await write(driver, Writing(order, chunks(b"x")))

        assert isinstance(error, StorageChanged)
        assert (await look(driver, "a")).kind is Kind.DIRECTORY

    @pytest.mark.parametrize(
        "order",
        [
            put("a", b"right", digest=blake3(b"wrong").digest()),
            put("a", b"right", size=6, digest=None),
            put("a", b"right", size=4, digest=None),
        ],
    )
    @pytest.mark.parametrize("from_descriptor", [True, False])
    async def test_another_content_than_ordered(
        self, driver, hand, tmp_path, order, from_descriptor
    ):
        (tmp_path / "source").write_bytes(b"right")
        with (tmp_path / "source").open("rb") as source:
            content = source.fileno() if from_descriptor else chunks(b"right")
            [error] = await write(driver, Writing(order, content))

        assert isinstance(error, StorageChanged)
        assert str(error).startswith("source")
        assert hand.names() == set()

    async def test_a_source_that_fails(self, driver, hand):
        old = await placed(driver, "a", b"old")
        trouble = chunks(b"ne", then=StorageChanged("it changed"))
        order = put("a", b"new", replaces=old.stamp)
        [error, other] = await write(
            driver, Writing(order, trouble), Writing(put("b", b"b"), chunks(b"b"))
        )

        assert isinstance(error, StorageChanged)
        assert str(error).startswith("source")
        assert isinstance(other, Written)
        assert (hand.content("a"), hand.names()) == (b"old", {"a", "b"})

    async def test_a_bug_in_a_source_leaves_the_old_content(self, driver, hand):
        old = await placed(driver, "a", b"old")
        order = put("a", b"new", replaces=old.stamp)
        with pytest.raises(ZeroDivisionError):
            await write(driver, Writing(order, chunks(b"ne", then=ZeroDivisionError())))

        assert (hand.content("a"), hand.names()) == (b"old", {"a"})

    async def test_a_cancelled_write_leaves_the_old_content(self, driver, hand):
        old = await placed(driver, "a", b"old")
        begun = asyncio.Event()

        async def endless():
            yield b"n"
            begun.set()
            await asyncio.sleep(3600)

        order = put("a", b"new", replaces=old.stamp)
        task = asyncio.create_task(write(driver, Writing(order, endless)))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        assert (hand.content("a"), hand.names()) == (b"old", {"a"})

    async def test_items_are_independent_and_keep_their_order(self, driver, hand):
        hand.write("taken", b"mine")
        answers = await write(
            driver,
            folder("d"),
            Writing(put("d/a", b"a"), chunks(b"a")),
            Writing(put("taken", b"x"), chunks(b"x")),
            link("d/l", "a"),
            Writing(put("b", b"b"), chunks(b"b")),
        )

        kinds = [Written, Written, StorageChanged, Written, Written]
        assert [type(answer) for answer in answers] == kinds
        assert hand.names() == {"d", "d/a", "d/l", "b", "taken"}
        assert hand.content("taken") == b"mine"

    async def test_many_at_once(self, driver, hand):
        items = [Writing(put(f"d{n % 7}/{n}", b"x"), chunks(b"x")) for n in range(60)]

        answers = await write(driver, *items)

        assert all(isinstance(answer, Written) for answer in answers)
        for answer in answers:
            assert await look(driver, answer.seen.path) == answer.seen


class TestFoldersAndLinks:
    async def test_a_folder_with_its_mode(self, driver):
        [written] = await write(driver, folder("d", 0o700))

        assert written.seen == await look(driver, "d")
        assert (written.seen.kind, written.seen.mode) == (Kind.DIRECTORY, 0o700)
        assert written.seen.stamp == Stamp(inode=written.seen.stamp.inode)

    async def test_a_folder_that_exists_is_fine(self, driver, hand):
        hand.folder("d")
        hand.write("d/a", b"x")
        [written] = await write(driver, folder("d", 0o700))

        assert (await look(driver, "d")).mode == written.seen.mode == 0o700
        assert hand.names() == {"d", "d/a"}

    async def test_a_folder_where_a_file_lies(self, driver, hand):
        hand.write("d", b"x")
        [one, other] = await write(
            driver, folder("d"), Writing(put("d/a", b"x"), chunks(b"x"))
        )

        assert isinstance(one, StorageChanged)
        assert isinstance(other, StorageChanged)
        assert hand.content("d") == b"x"

    async def test_a_folders_stamp_stays_when_things_come_and_go(self, driver, hand):
        hand.folder("d")
        before = await stamp(driver, "d")
        hand.write("d/a", b"x")

        assert await stamp(driver, "d") == before

    async def test_parents_are_made_and_told_once(self, driver):
        await placed(driver, "a/b/c", b"x")
        await placed(driver, "a/d", b"x")

        made = driver.made_parents()
        assert [seen.path for seen in made] == ["a", "a/b"]
        assert [seen.mode for seen in made] == [0o755, 0o755]
        assert made == [await look(driver, "a"), await look(driver, "a/b")]
        assert driver.made_parents() == []

    @pytest.mark.parametrize(
        "target", ["a", "../../outside", "/etc/passwd", "gone", from_bytes(b"\xff")]
    )
    async def test_links_are_kept_as_links(self, driver, target):
        [written] = await write(driver, link("l", target))

        assert written.seen == await look(driver, "l")
        assert (written.seen.kind, written.seen.target) == (Kind.LINK, target)
        assert written.seen.stamp.mtime_ns == YESTERDAY
        assert written.seen.stamp.size == 0

    async def test_link_and_file_replace_one_another(self, driver, hand):
        [one] = await write(driver, link("l", "a"))
        seen = await placed(driver, "l", b"x", replaces=one.seen.stamp)
        assert hand.content("l") == b"x"

        [other] = await write(driver, link("l", "b", replaces=seen.stamp))
        assert (await look(driver, "l")).target == "b"
        assert isinstance(other, Written)
        assert hand.names() == {"l"}

    async def test_nothing_goes_through_a_link(self, driver, hand):
        hand.folder("real")
        hand.write("real/a", b"x")
        hand.link("way", "real")
        [error] = await write(driver, Writing(put("way/b", b"x"), chunks(b"x")))

        assert isinstance(error, StorageError)
        assert await look(driver, "way/a") is None
        assert await tree(driver) == {
            "real": Kind.DIRECTORY,
            "real/a": Kind.FILE,
            "way": Kind.LINK,
        }


class TestHints:
    async def test_a_moved_file_is_only_renamed(self, driver, hand):
        old = await placed(driver, "old", b"content")
        order = put("new/place", b"content", hint=("old", old.stamp), mode=0o600)
        [written] = await write(driver, Writing(order, None))

        assert (written.copied, written.digest) == (0, order.digest)
        assert written.seen == await look(driver, "new/place")
        assert written.seen.stamp.inode == old.stamp.inode or "memory" in repr(driver)
        assert (written.seen.mode, written.seen.stamp.mtime_ns) == (0o600, YESTERDAY)
        assert hand.names() == {"new", "new/place"}

    async def test_a_moved_file_replaces_what_was_expected(self, driver, hand):
        old = await placed(driver, "old", b"content")
        there = await placed(driver, "new", b"there")
        order = put("new", b"content", hint=("old", old.stamp), replaces=there.stamp)
        [written] = await write(driver, Writing(order, None))

        assert written.copied == 0
        assert hand.content("new") == b"content"
        assert hand.names() == {"new"}

    @pytest.mark.parametrize("replaces", [None, STALE])
    async def test_a_moved_file_replaces_nothing_else(self, driver, hand, replaces):
        old = await placed(driver, "old", b"content")
        hand.write("new", b"mine")
        order = put("new", b"content", hint=("old", old.stamp), replaces=replaces)
        [error] = await write(driver, Writing(order, None))

        assert isinstance(error, StorageChanged)
        assert not str(error).startswith("hint")
        assert (hand.content("old"), hand.content("new")) == (b"content", b"mine")

    @pytest.mark.parametrize("change", ["edit", "remove"])
    async def test_a_hint_that_is_of_no_use(self, driver, hand, change):
        old = await placed(driver, "old", b"content")
        hand.remove("old")
        if change == "edit":
            hand.write("old", b"changed")
        order = put("new", b"content", hint=("old", old.stamp))
        [error] = await write(driver, Writing(order, None))
        [written] = await write(driver, Writing(order, chunks(b"content")))

        assert isinstance(error, StorageChanged)
        assert str(error).startswith("hint")
        assert (written.copied, hand.content("new")) == (7, b"content")


class TestLooking:
    async def test_nothing_is_none(self, driver, hand):
        hand.write("file", b"x")

        looked = await driver.look(["none", "no/where", "file/below", "file"])

        assert looked[:3] == [None, None, None]
        assert isinstance(looked[3], Seen)

    async def test_a_change_shows_in_the_stamp(self, driver, hand):
        old = await placed(driver, "a", b"one")
        hand.write("a", b"two")

        assert await stamp(driver, "a") != old.stamp

    async def test_a_walk_gives_folders_before_what_is_in_them(self, driver, hand):
        for path in ("b", "a", "a/y", "a/y/z", "a/x"):
            hand.folder(path)
        for path in ("c", "B", "a/file", "a/y/z/file"):
            hand.write(path, b"x")

        walked = [
            (path, [s.path for s in found]) async for path, found in driver.walk()
        ]

        assert walked == [
            ("", ["B", "a", "b", "c"]),
            ("a", ["a/file", "a/x", "a/y"]),
            ("a/x", []),
            ("a/y", ["a/y/z"]),
            ("a/y/z", ["a/y/z/file"]),
            ("b", []),
        ]

    async def test_a_walk_below_a_path(self, driver, hand):
        hand.folder("a")
        hand.folder("ab")
        hand.write("a/x", b"x")
        hand.write("ab/y", b"x")

        assert list(await tree(driver, "a")) == ["a/x"]
        assert await tree(driver, "a/x") == await tree(driver, "none") == {}

    async def test_walk_and_look_find_the_same(self, driver, hand):
        await placed(driver, "d/a", b"x")
        hand.link("l", "d")
        walked = [seen async for _, found in driver.walk() for seen in found]

        assert walked == await driver.look([seen.path for seen in walked])

    async def test_a_walk_may_be_left(self, driver, hand):
        hand.folder("a")
        walk = driver.walk()
        await anext(walk)
        await walk.aclose()

        assert len(await tree(driver)) == 1

    async def test_what_is_ignored(self, made):
        driver, hand = await made("*.tmp", ".git/", "/build", "!keep.tmp", "!.git/x")
        for path in (".git", "src", "src/build"):
            hand.folder(path)
        for path in (".git/x", "a.tmp", "build", "keep.tmp", "src/b.tmp", "src/git"):
            hand.write(path, b"x")
        kept = {"src", "src/build", "keep.tmp", "src/git"}

        assert set(await tree(driver)) == kept
        looked = await driver.look(sorted(hand.names()))
        assert {seen.path for seen in looked if seen} == kept
        assert await tree(driver, ".git") == {}

    async def test_what_is_ignored_is_neither_written_nor_deleted(self, made):
        driver, hand = await made("*.tmp")
        hand.write("a.tmp", b"mine")
        [error] = await write(driver, Writing(put("b.tmp", b"x"), chunks(b"x")))
        [deleted] = await driver.delete([Delete(1, "a.tmp", Kind.FILE, STALE)])

        assert isinstance(error, StorageError)
        assert deleted is None
        assert hand.names() == {"a.tmp"}

    async def test_what_is_our_own_is_nobody_elses_business(self, driver, hand):
        await driver.mark("id")
        seen = await placed(driver, "a", b"x")
        answers = [
            *await driver.amend([Amend(1, ".syncd-marker", STALE, 0o600, 5)]),
            *await driver.set_aside([SetAside(1, ".syncd-marker", STALE, "b")]),
            *await driver.set_aside([SetAside(1, "a", seen.stamp, ".syncd-marker")]),
        ]

        assert await look(driver, ".syncd-marker") is None
        assert await tree(driver) == {"a": Kind.FILE}
        assert all(isinstance(answer, StorageError) for answer in answers)
        assert hand.names() == {"a"}

    async def test_empty_means_nothing_but_the_marker(self, driver, hand):
        await driver.mark("id")
        assert await driver.is_empty()

        hand.write("a", b"")
        assert not await driver.is_empty()


class TestGlancing:
    """A storage that cannot glance has nothing to promise here."""

    @pytest.fixture(autouse=True)
    def able(self, driver):
        if Can.GLANCE not in driver.can:
            pytest.skip("it cannot glance")

    async def fingerprints(self, driver) -> dict[str, bytes]:
        return {
            one.folder: one.fingerprint
            async for one in driver.glance(known=lambda _: b"")
        }

    async def told(self, driver, known: dict[str, bytes]) -> dict[str, list[str]]:
        """Return the folders in which something is new, with all that lies there."""
        glances = [one async for one in driver.glance(known=known.get)]
        assert [one.folder for one in glances] == [f async for f, _ in driver.walk()]
        return {
            one.folder: [seen.path for seen in one.found]
            for one in glances
            if one.found is not None
        }

    @pytest.fixture
    async def known(self, driver, hand) -> dict[str, bytes]:
        for path in ("d", "d/e", "empty"):
            hand.folder(path)
        for path in ("a", "d/b", "d/c", "d/e/f"):
            hand.write(path, b"old")
        hand.link("d/l", "b")
        return await self.fingerprints(driver)

    async def test_what_did_not_change_is_not_told(self, driver, known):
        assert set(known) == {"", "d", "d/e", "empty"}
        assert await self.told(driver, known) == {}

    async def test_without_a_fingerprint_all_is_told_as_by_a_walk(self, driver, known):
        walked = [one async for one in driver.walk()]

        for wanted in (b"", None):
            glances = [one async for one in driver.glance(known=lambda _, w=wanted: w)]
            assert [(one.folder, one.found) for one in glances] == walked
            is_known = {one.fingerprint is not None for one in glances}
            assert is_known == {wanted is not None}
        assert known == await self.fingerprints(driver)

    @pytest.mark.parametrize(
        "change",
        [
            lambda hand: hand.write("d/b", b"new"),
            lambda hand: hand.write("d/new", b""),
            lambda hand: hand.remove("d/b"),
            lambda hand: hand.rename("d/b", "d/0"),
            lambda hand: hand.rename("d/b", "d/c"),
            lambda hand: (hand.remove("d/l"), hand.link("d/l", "c")),
            lambda hand: (hand.remove("d/b"), hand.folder("d/b")),
            lambda hand: hand.write(f"d/{NAMES[11]}", b"x"),
        ],
        ids=["edit", "new", "gone", "name", "over", "link", "kind", "bytes"],
    )
    async def test_what_changed_is_told_with_all_beside_it(
        self, driver, hand, known, change
    ):
        change(hand)

        told = await self.told(driver, known)

        walked = {path: [s.path for s in found] async for path, found in driver.walk()}
        assert told.pop("d") == walked["d"]
        assert set(told) <= {"d/b"}, "only a folder that was not there before"
        assert await self.told(driver, await self.fingerprints(driver)) == {}

    async def test_a_change_further_down_is_no_change_above(self, driver, hand, known):
        hand.write("d/e/f", b"new")

        assert set(await self.told(driver, known)) == {"d/e"}

    async def test_a_folder_alone_and_what_is_below_it(self, driver, known):
        alone = [one async for one in driver.glance("d", known=known.get, deep=False)]
        below = [one async for one in driver.glance("d", known=known.get)]

        assert [one.folder for one in alone] == ["d"]
        assert [one.folder for one in below] == ["d", "d/e"]
        assert {one.found for one in below} == {None}

    async def test_what_is_ignored_is_not_gone_into(self, made):
        driver, hand = await made("build/", "*.tmp")
        for path in ("build", "src"):
            hand.folder(path)
        for path in ("build/x", "src/y", "z.tmp"):
            hand.write(path, b"x")

        known = await self.fingerprints(driver)

        assert set(known) == {"", "src"}
        assert await self.told(driver, known) == {}


class TestReading:
    async def test_in_parts(self, driver):
        await placed(driver, "a", b"0123456789")

        assert await read(driver, "a", 7) == b"789"
        assert await read(driver, "a", 2, 3) == b"234"
        assert await read(driver, "a", 8, 9) == b"89"
        assert await read(driver, "a", 10) == b""

    async def test_in_chunks_of_at_most_a_mebibyte(self, driver):
        content = os.urandom((2 << 20) + 5)
        seen = await placed(driver, "a", content)
        parts = [part async for part in driver.read("a", seen.stamp)]

        assert max(map(len, parts)) <= 1 << 20
        assert b"".join(parts) == content

    @pytest.mark.parametrize("lies", ["other", "folder", "link", "nothing"])
    async def test_only_what_has_the_stamp(self, driver, hand, lies):
        match lies:
            case "other":
                hand.write("a", b"x")
            case "folder":
                hand.folder("a")
            case "link":
                hand.link("a", "b")
        with pytest.raises(StorageChanged):
            async for _ in driver.read("a", STALE):
                raise AssertionError
        with pytest.raises(StorageChanged):
            await driver.inspect("a", STALE, digest=True, mime=True)

    async def test_a_change_while_reading(self, driver, hand):
        seen = await placed(driver, "a", os.urandom(3 << 20))
        reading = driver.read("a", seen.stamp)
        await anext(reading)
        hand.write("a", b"x" * (3 << 20))

        with pytest.raises(StorageChanged):
            async for _ in reading:
                pass

    @pytest.mark.parametrize(
        ("content", "mime"),
        [(b"GIF89a" + bytes(20), "image/gif"), (b"words\n", "text/plain")],
    )
    async def test_inspecting(self, driver, content, mime):
        seen = await placed(driver, "a", content)
        facts = await driver.inspect("a", seen.stamp, digest=True, mime=True)
        nothing = await driver.inspect("a", seen.stamp, digest=False, mime=False)

        assert (facts.digest, facts.mime) == (blake3(content).digest(), mime)
        assert (nothing.digest, nothing.mime) == (None, None)


class TestAmending:
    async def test_mode_and_time(self, driver, hand):
        seen = await placed(driver, "a", b"x")
        [after] = await driver.amend([Amend(1, "a", seen.stamp, 0o600, 5)])

        assert after == await look(driver, "a")
        assert (after.mode, after.stamp.mtime_ns) == (0o600, 5)
        assert hand.content("a") == b"x"

    async def test_folders_and_links(self, driver, hand):
        hand.folder("d")
        [made] = await write(driver, link("l", "d"))
        [d, one] = await driver.amend(
            [
                Amend(1, "d", await stamp(driver, "d"), 0o700, 5),
                Amend(2, "l", made.seen.stamp, 0o777, 5),
            ]
        )

        assert (d.mode, d.stamp) == (0o700, await stamp(driver, "d"))
        assert (one.target, one.stamp.mtime_ns) == ("d", 5)
        assert one == await look(driver, "l")

    async def test_only_what_is_expected(self, driver, hand):
        hand.write("a", b"x")
        before = await look(driver, "a")
        errors = await driver.amend(
            [Amend(1, "a", STALE, 0o600, 5), Amend(2, "none", STALE, 0o600, 5)]
        )

        assert [type(error) for error in errors] == [StorageChanged, StorageChanged]
        assert await look(driver, "a") == before


class TestDeleting:
    async def test_files_links_and_empty_folders(self, driver, hand):
        await placed(driver, "d/a", b"x")
        await write(driver, link("l", "d"))
        orders = [
            Delete(n, path, kind, await stamp(driver, path))
            for n, (path, kind) in enumerate(
                [("d/a", Kind.FILE), ("l", Kind.LINK), ("d", Kind.DIRECTORY)]
            )
        ]

        assert await driver.delete(orders) == [None, None, None]
        assert hand.names() == set()
        assert await driver.delete(orders) == [None, None, None]

    async def test_only_what_is_expected(self, driver, hand):
        hand.write("a", b"mine")
        hand.folder("d")
        at = await stamp(driver, "a")
        errors = await driver.delete(
            [
                Delete(1, "a", Kind.FILE, STALE),
                Delete(2, "a", Kind.LINK, at),
                Delete(3, "d", Kind.DIRECTORY, STALE),
            ]
        )

        assert all(isinstance(error, StorageChanged) for error in errors)
        assert hand.names() == {"a", "d"}

    async def test_a_folder_that_is_not_empty_stays(self, driver, hand):
        hand.folder("d")
        hand.write("d/a", b"mine")
        order = Delete(1, "d", Kind.DIRECTORY, await stamp(driver, "d"))

        assert await driver.delete([order]) == [None]
        assert hand.names() == {"d", "d/a"}

    async def test_pruning_removes_what_is_empty_deepest_first(self, driver, hand):
        for path in ("a", "a/b", "a/b/c", "full"):
            hand.folder(path)
        hand.write("full/x", b"x")
        pruned = await driver.prune(["a", "full", "a/b", "a/b/c", "none", "full/x"])

        assert pruned == ["a/b/c", "a/b", "a"]
        assert hand.names() == {"full", "full/x"}


class TestSettingAside:
    async def test_to_a_free_name(self, driver, hand):
        seen = await placed(driver, "d/a.txt", b"loser")
        order = SetAside(1, "d/a.txt", seen.stamp, "d/a.conflict.txt")
        [after] = await driver.set_aside([order])

        assert after == await look(driver, "d/a.conflict.txt")
        assert hand.names() == {"d", "d/a.conflict.txt"}

    @pytest.mark.parametrize(
        ("wanted", "got"),
        [("b.x.txt", "b.x-3.txt"), ("b", "b-3"), (".b", ".b-3")],
    )
    async def test_a_taken_name_is_never_written_over(self, driver, hand, wanted, got):
        seen = await placed(driver, "a", b"loser")
        hand.write(wanted, b"one")
        hand.write(got.replace("3", "2"), b"two")
        [after] = await driver.set_aside([SetAside(1, "a", seen.stamp, wanted)])

        assert after.path == got
        assert hand.content(got) == b"loser"
        assert (hand.content(wanted), len(hand.names())) == (b"one", 3)

    async def test_only_what_is_expected(self, driver, hand):
        hand.write("a", b"mine")
        errors = await driver.set_aside(
            [SetAside(1, "a", STALE, "b"), SetAside(2, "none", STALE, "b")]
        )

        assert [type(error) for error in errors] == [StorageChanged, StorageChanged]
        assert hand.names() == {"a"}


class TestTrust:
    async def test_the_marker_is_kept(self, driver):
        assert await driver.marker() is None
        await driver.mark("entry-1")
        assert await driver.marker() == "entry-1"

        await driver.mark("entry-2")
        assert await driver.marker() == "entry-2"
        assert await tree(driver) == {}

    @pytest.mark.parametrize("lose", ["lose", "lose_marker"])
    async def test_nothing_is_done_once_it_is_lost(self, driver, hand, lose):
        await driver.mark("entry-1")
        seen = await placed(driver, "a", b"x")
        getattr(hand, lose)()

        with pytest.raises(StorageUntrusted):
            await driver.look(["a"])
        with pytest.raises(StorageUntrusted):
            await write(driver, Writing(put("b", b"x"), chunks(b"x")))
        with pytest.raises(StorageUntrusted):
            await driver.delete([Delete(1, "a", Kind.FILE, seen.stamp)])
        with pytest.raises(StorageUntrusted):
            await driver.amend([Amend(1, "a", seen.stamp, 0o600, 5)])
        with pytest.raises(StorageUntrusted):
            await driver.set_aside([SetAside(1, "a", seen.stamp, "b")])
        with pytest.raises(StorageUntrusted):
            await driver.prune(["a"])
        with pytest.raises(StorageUntrusted):
            await driver.is_empty()
        with pytest.raises(StorageUntrusted):
            await driver.inspect("a", seen.stamp, digest=True, mime=False)
        with pytest.raises(StorageUntrusted):
            await anext(driver.read("a", seen.stamp))
        with pytest.raises(StorageUntrusted):
            await anext(driver.walk())

    async def test_a_lost_marker_may_be_set_again(self, driver, hand):
        await driver.mark("entry-1")
        hand.lose_marker()
        await driver.mark("entry-1")

        assert await driver.is_empty()

    async def test_it_opens_again_with_its_marker(self, driver):
        await driver.mark("entry-1")
        await driver.open()

        assert await driver.marker() == "entry-1"

    async def test_closing_twice_is_no_error(self, driver):
        await driver.close()
        await driver.close()


class TestWatching:
    async def test_what_people_do_is_told(self, driver, hand):
        told: list[Event] = []
        await driver.watch(told.extend)

        def heard(path: str, what: What) -> bool:
            return any(e.path == path and what in e.what for e in told)

        hand.write("a", b"x")
        await until(lambda: heard("a", What.CLOSED))
        hand.folder("d")
        await until(lambda: heard("d", What.TREE))
        hand.write("d/b", b"x")
        await until(lambda: heard("d/b", What.CLOSED))
        hand.rename("a", "c")
        await until(lambda: heard("a", What.GONE) and heard("c", What.CLOSED))
        hand.remove("c")
        await until(lambda: heard("c", What.GONE))
        assert counts(driver) == (2, 0)

    async def test_nothing_is_told_of_what_is_ignored(self, made):
        driver, hand = await made("*.tmp")
        told: list[Event] = []
        await driver.watch(told.extend)
        hand.write("a.tmp", b"x")
        hand.write("b", b"x")
        hand.write("c", b"x")
        await until(lambda: any(event.path == "c" for event in told))

        assert {event.path for event in told} == {"b", "c"}

    async def test_nothing_is_told_after_closing(self, driver, hand):
        told: list[Event] = []
        await driver.watch(told.extend)
        hand.write("a", b"x")
        await driver.close()
        before = len(told)
        hand.write("b", b"x")
        await asyncio.sleep(0.05)

        assert len(told) == before


OLD = b"o" * 32
FOREVER = Promise(days=100, versions=100)


async def kept(driver, path: str) -> dict[int, Kept]:
    return {one.at_ns: one for one in await driver.kept(path)}


async def all_kept(driver, folder: str = "") -> list[Kept]:
    pages = [page async for page in driver.kept_below(folder)]
    return sorted((one for page in pages for one in page), key=lambda one: one.at_ns)


class TestKeeping:
    """What a driver keeps of contents that it takes away."""

    @pytest.fixture
    async def pair(self, made):
        driver, hand = await made(promise=FOREVER)
        if Can.KEEP_LOST not in driver.can:
            pytest.skip("the driver keeps nothing")
        return driver, hand

    async def replaced(self, driver, path: str, *contents: bytes, **others) -> Seen:
        seen = await look(driver, path)
        for content in contents:
            replaces = seen.stamp if seen else None
            seen = await placed(driver, path, content, replaces=replaces, **others)
        assert isinstance(seen, Seen)
        return seen

    async def deleted(self, driver, path: str, **others) -> None:
        seen = await look(driver, path)
        order = Delete(1, path, seen.kind, seen.stamp, **others)
        assert await driver.delete([order]) == [None]

    async def back(self, driver, one: Kept, **others):
        there = await look(driver, one.path)
        order = Return(one.path, one.place, there.stamp if there else None, **others)
        [answer] = await driver.bring_back([order])
        return answer

    async def test_what_is_replaced_is_kept_and_all_is_told_of_it(self, driver):
        before = clock.nanoseconds()
        await self.replaced(driver, "d/a", b"old", b"newer", cause="c0ffee12", was=OLD)

        [one] = await driver.kept("d/a")
        assert before < one.at_ns < clock.nanoseconds() + 10**9
        assert one == Kept(
            path="d/a",
            place=one.place,
            at_ns=one.at_ns,
            kind=Kind.FILE,
            size=3,
            mtime_ns=YESTERDAY,
            loss=Loss.REPLACED,
            cause="c0ffee12",
            digest=OLD,
        )
        assert await driver.kept("d") == await driver.kept("a") == []

    @pytest.mark.parametrize("why", [Loss.DELETED, Loss.UNMATCHED])
    async def test_what_is_deleted_is_kept(self, driver, hand, why):
        await self.replaced(driver, "a", b"old")
        await self.deleted(driver, "a", why=why, was=None)

        [one] = await driver.kept("a")
        assert (one.loss, one.cause, one.digest) == (why, "", None)
        assert hand.names() == set()

    async def test_links_are_kept_and_folders_are_not(self, driver):
        await write(driver, link("l", "somewhere"), folder("d"))
        await self.deleted(driver, "l")
        await self.deleted(driver, "d")

        [one] = await all_kept(driver)
        assert (one.path, one.kind) == ("l", Kind.LINK)
        assert isinstance(await self.back(driver, one), Returned)
        assert (await look(driver, "l")).target == "somewhere"

    async def test_what_a_move_replaces_is_kept(self, driver, hand):
        old = await placed(driver, "old", b"content")
        there = await placed(driver, "new", b"there")
        order = put("new", b"content", hint=("old", old.stamp), replaces=there.stamp)
        await write(driver, Writing(order, None))

        [one] = await all_kept(driver)
        assert (one.path, one.size, hand.content("new")) == ("new", 5, b"content")

    @pytest.mark.parametrize("name", NAMES)
    async def test_any_name_can_be_told_and_brought_back(self, driver, hand, name):
        await self.replaced(driver, name, b"one", b"two!")
        await self.deleted(driver, name)

        found = await all_kept(driver)
        assert [one.path for one in found] == [name, name]
        assert {one.at_ns for one in found} == set(await kept(driver, name))
        assert isinstance(await self.back(driver, found[0]), Returned)
        assert hand.content(name) == b"one"
        assert [one.size for one in await driver.kept(name)] == [4]

    async def test_nothing_kept_is_walked_looked_at_or_in_the_way(self, made):
        driver, hand = await made(promise=FOREVER)
        await driver.mark("id")
        await self.replaced(driver, "a", b"old", b"new")
        await self.deleted(driver, "a")

        assert await tree(driver) == {}
        assert await driver.is_empty()
        assert hand.names() == set()
        for one in await driver.kept("a"):
            assert await driver.look([one.place]) == [None]

    async def test_another_opening_knows_it_all(self, made):
        first, _ = await made(promise=FOREVER)
        await self.replaced(first, "d/a", b"old", b"new", was=OLD)
        found = await first.kept("d/a")
        await first.close()
        second, _ = await made(promise=FOREVER)
        if not await look(second, "d/a"):
            pytest.skip("the storage does not last")

        assert await second.kept("d/a") == found

    async def test_what_was_not_expected_is_not_kept_but_left(self, driver, hand):
        hand.write("a", b"mine")
        order = put("a", b"x", replaces=STALE)
        await write(driver, Writing(order, chunks(b"x")))
        await driver.delete([Delete(1, "a", Kind.FILE, STALE)])

        assert await all_kept(driver) == []
        assert hand.content("a") == b"mine"

    async def test_a_file_is_brought_back_as_it_was(self, driver, hand):
        old = await self.replaced(driver, "d/a", b"old", mode=0o604)
        await self.deleted(driver, "d/a")
        await driver.prune(["d"])
        driver.made_parents()

        [one] = await driver.kept("d/a")
        answer = await self.back(driver, one)

        assert answer.seen == await look(driver, "d/a")
        assert (answer.seen.mode, answer.seen.stamp.mtime_ns) == (0o604, YESTERDAY)
        assert answer.seen.stamp.size == old.stamp.size
        assert answer.made == [await look(driver, "d")]
        assert driver.made_parents() == []
        assert (hand.content("d/a"), await driver.kept("d/a")) == (b"old", [])

    async def test_what_it_replaces_is_kept_so_that_undoing_can_be_undone(
        self, driver, hand
    ):
        await self.replaced(driver, "a", b"old", b"newer")
        [one] = await driver.kept("a")
        await self.back(driver, one, digest=OLD, cause="undo")

        [other] = await driver.kept("a")
        assert (other.loss, other.size, other.digest) == (Loss.UNDONE, 5, OLD)
        assert (other.cause, hand.content("a")) == ("undo", b"old")
        await self.back(driver, other)
        assert hand.content("a") == b"newer"

    @pytest.mark.parametrize("there", [None, STALE])
    async def test_nothing_unexpected_is_replaced(self, driver, hand, there):
        await self.replaced(driver, "a", b"old", b"new")
        [one] = await driver.kept("a")
        hand.write("a", b"mine")
        [error] = await driver.bring_back([Return("a", one.place, there)])

        assert isinstance(error, StorageChanged)
        assert hand.content("a") == b"mine"
        assert await driver.kept("a") == [one]

    async def test_a_folder_in_the_way(self, driver, hand):
        await self.replaced(driver, "a", b"old")
        await self.deleted(driver, "a")
        [one] = await driver.kept("a")
        hand.folder("a")
        at = await stamp(driver, "a")
        answers = await driver.bring_back(
            [Return("a", one.place, None), Return("a", one.place, at)]
        )

        assert [type(answer) for answer in answers] == [StorageChanged] * 2
        assert await driver.kept("a") == [one]

    async def test_a_file_where_a_folder_would_be_needed(self, driver, hand):
        await self.replaced(driver, "d/a", b"old")
        await self.deleted(driver, "d/a")
        await driver.prune(["d"])
        hand.write("d", b"mine")
        [one] = await driver.kept("d/a")

        assert isinstance(await self.back(driver, one), StorageChanged)
        assert (hand.content("d"), await driver.kept("d/a")) == (b"mine", [one])

    async def test_what_is_no_longer_kept(self, driver):
        await self.replaced(driver, "a", b"old", b"new")
        [one] = await driver.kept("a")
        await self.back(driver, one)

        assert isinstance(await self.back(driver, one), StorageChanged)

    async def test_below_a_folder(self, driver):
        for path in ("d/a", "d/e/b", "dd", "d!"):
            await self.replaced(driver, path, b"1", b"22", b"333")
        await self.deleted(driver, "d/a")

        below = await all_kept(driver, "d")
        assert sorted(one.path for one in below) == ["d/a"] * 3 + ["d/e/b"] * 2
        assert len(await all_kept(driver)) == 9
        assert [one.path for one in await all_kept(driver, "d/e")] == ["d/e/b"] * 2
        assert await all_kept(driver, "none") == await all_kept(driver, "dd") == []
        async for page in driver.kept_below(""):
            assert {one.path for one in page}

    @pytest.mark.parametrize("everywhere", [True, False])
    async def test_more_versions_than_promised_are_forgotten(self, made, everywhere):
        driver, _ = await made(promise=Promise(days=1, versions=2))
        long = "n" * 250
        for path in ("d/a", "b", long):
            await self.replaced(driver, path, *(b"x" * n for n in range(6)))
        gone = [n async for n in driver.forget_kept(everywhere=everywhere)]

        assert sum(gone) == 9
        for path in ("d/a", "b", long):
            assert sorted(one.size for one in await driver.kept(path)) == [3, 4]
        again = [n async for n in driver.forget_kept(everywhere=everywhere)]
        assert sum(again) == 0

    async def test_what_is_too_old_is_forgotten(self, made, monkeypatch):
        driver, hand = await made(promise=Promise(days=2, versions=9))
        await self.replaced(driver, "d/a", b"1", b"22")
        later = clock.nanoseconds() + 86_400 * 10**9
        monkeypatch.setattr(clock, "nanoseconds", lambda: later)
        await self.replaced(driver, "d/a", b"333")
        assert sum([n async for n in driver.forget_kept(everywhere=True)]) == 0
        much_later = later + 86_400 * 10**9 + 10**9
        monkeypatch.setattr(clock, "nanoseconds", lambda: much_later)

        assert sum([n async for n in driver.forget_kept(everywhere=True)]) == 1
        assert [one.size for one in await driver.kept("d/a")] == [2]
        assert hand.content("d/a") == b"333"
