import gzip
import io
import os
import random
import stat
import struct
import tarfile
import zipfile

import pytest

from syncd.errors import BadRequest, StorageError, TooLarge
from syncd.vaults.uploads import Limits, take_in

SECRET = "/etc/passwd"


class Packed:
    """Makes an archive of one form, member by member."""

    def __init__(self, path, form):
        self.path, self.form = path, form
        if form == "zip":
            self._zip = zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED)
        else:
            self._tar = tarfile.open(path, "w:gz", format=form)  # noqa: SIM115

    def __enter__(self):
        return self

    def __exit__(self, *_):
        (self._zip if self.form == "zip" else self._tar).close()

    def file(self, name, content=b"x", mode=0o644):
        self._member(name, content, stat.S_IFREG | mode, tarfile.REGTYPE)

    def folder(self, name, mode=0o755):
        end = "/" if self.form == "zip" else ""
        self._member(name + end, b"", stat.S_IFDIR | mode, tarfile.DIRTYPE)

    def link(self, name, target):
        if self.form == "zip":
            self._member(name, os.fsencode(target), stat.S_IFLNK | 0o777, None)
        else:
            self._member(name, b"", 0o777, tarfile.SYMTYPE, target)

    def device(self, name):
        self._member(name, b"", stat.S_IFCHR | 0o644, tarfile.CHRTYPE)

    def _member(self, name, content, mode, kind, target=""):
        if self.form == "zip":
            info = zipfile.ZipInfo(name, (2024, 1, 2, 3, 4, 6))
            info.external_attr = mode << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            self._zip.writestr(info, content)
            return
        member = tarfile.TarInfo(name)
        member.type, member.size, member.linkname = kind, len(content), target
        member.mode, member.mtime = stat.S_IMODE(mode), 1_700_000_000
        self._tar.addfile(member, io.BytesIO(content))


@pytest.fixture(
    params=["zip", tarfile.GNU_FORMAT, tarfile.PAX_FORMAT], ids=["zip", "gnu", "pax"]
)
def packed(request, tmp_path):
    return Packed(tmp_path / "archive", request.param)


@pytest.fixture
def out(tmp_path):
    """Lend where things are unpacked to; nothing may ever be beside it."""
    folder = tmp_path / "deep" / "out"
    folder.mkdir(parents=True)
    yield folder
    assert [path.name for path in folder.parent.iterdir()] == ["out"]


def names(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_what_is_sound_is_unpacked(packed, out):
    with packed:
        packed.folder("A", 0o750)
        packed.file("A/1", b"one", 0o4755)
        packed.file("./B//2", b"two")
        packed.file("A/" + "long" * 40, b"")
        packed.link("A/link", "../B/2")
        packed.link("dangling", "nothing")

    assert take_in(packed.path, out) == 6
    assert names(out) == sorted(
        ["A", "A/1", "A/" + "long" * 40, "A/link", "B", "B/2", "dangling"]
    )
    assert (out / "A/link").read_bytes() == b"two"
    assert (out / "A/1").stat().st_mode & 0o7777 == 0o755
    assert (out / "A").stat().st_mode & 0o7777 == 0o750
    assert 1.6e9 < (out / "A/1").stat().st_mtime < 1.8e9


@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "../../x",
        "/x",
        "//x",
        "a/../../x",
        "a/..",
        "..",
        "n" * 256,
        "d/" * 1600 + "x",
    ],
)
def test_names_that_lead_out_or_are_too_long_are_refused(packed, out, name):
    with packed:
        packed.file("good")
        packed.file(name)

    with pytest.raises(BadRequest) as refused:
        take_in(packed.path, out)
    assert name[:20] in str(refused.value)


@pytest.mark.parametrize(
    ("links", "beyond"),
    [
        ({"l": SECRET}, "l"),
        ({"l": "../x"}, "l"),
        ({"a/l": "../../x"}, "a/l"),
        ({"a/b/y": "../..", "x": "a/b/y/.."}, "x"),
        ({"a/b/y": "../..", "a/b/z": "y/../x"}, "a/b/z"),
        ({"l": ""}, "l"),
    ],
)
def test_links_that_lead_out_are_refused(packed, out, links, beyond):
    with packed:
        packed.folder("a/b")
        for name, target in links.items():
            packed.link(name, target)

    with pytest.raises(BadRequest, match=f"^{beyond} -> "):
        take_in(packed.path, out)


def test_nothing_is_written_through_a_link(packed, out, tmp_path):
    with packed:
        packed.link("l", str(tmp_path))
        packed.file("l/x")

    with pytest.raises(BadRequest, match="l/x: it lies below a link"):
        take_in(packed.path, out)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("again", ["A/1", "./A//1", "A/./1"])
def test_a_name_that_comes_twice_is_refused(packed, out, again):
    with packed:
        packed.file("A/1")
        packed.file(again)

    with pytest.raises(BadRequest, match="twice"):
        take_in(packed.path, out)


def test_a_file_is_no_folder(packed, out):
    with packed:
        packed.file("A")
        packed.file("A/1")

    with pytest.raises(BadRequest, match="A/1: it lies below a file"):
        take_in(packed.path, out)


def test_a_folder_is_no_link(packed, out):
    with packed:
        packed.file("A/1")
        packed.link("A", "B")

    with pytest.raises(BadRequest, match="A: the archive has this name twice"):
        take_in(packed.path, out)


def test_devices_are_refused(packed, out):
    with packed:
        packed.device("null")

    with pytest.raises(BadRequest, match="null: it is a device"):
        take_in(packed.path, out)


def test_hard_links_are_refused(tmp_path, out):
    with tarfile.open(tmp_path / "t", "w:gz") as tar:
        info = tarfile.TarInfo("hard")
        info.type, info.linkname = tarfile.LNKTYPE, SECRET
        tar.addfile(info)

    with pytest.raises(BadRequest, match="hard: it is a hard link"):
        take_in(tmp_path / "t", out)


def test_bombs_are_refused_by_ratio_size_and_count(packed, out):
    with packed:
        packed.file("small", b"x")
        packed.file("bomb", bytes(3_000_000))
        for n in range(100):
            packed.file(f"{n}", b"")
    size = packed.path.stat().st_size
    assert size < 15_000

    with pytest.raises(TooLarge):
        take_in(packed.path, out, Limits(ratio=100, unsuspicious=1000))
    for path in out.iterdir():
        path.unlink()
    with pytest.raises(TooLarge, match="bomb"):
        take_in(packed.path, out, Limits(bytes=2_900_000))
    for path in out.iterdir():
        path.unlink()
    with pytest.raises(TooLarge, match="more than 99 members"):
        take_in(packed.path, out, Limits(count=99))


def test_a_zip_that_lies_about_sizes_is_no_way_around(tmp_path, out):
    archive = tmp_path / "z"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("bomb", bytes(1_000_000))
    text = archive.read_bytes().replace(
        struct.pack("<L", 1_000_000), struct.pack("<L", 10)
    )
    archive.write_bytes(text)

    with pytest.raises(BadRequest):
        take_in(archive, out, Limits(bytes=100_000))
    assert sum(path.stat().st_size for path in out.iterdir()) <= 100_000


def test_a_header_that_wants_all_memory_is_refused(tmp_path, out):
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, 2**33
    with gzip.open(tmp_path / "t", "wb") as file:
        file.write(info.tobuf())
        file.write(bytes(5_000_000))

    with pytest.raises(BadRequest, match="header"):
        take_in(tmp_path / "t", out)


def test_broken_archives_are_refused_wherever_they_break(packed, out, tmp_path):
    content = random.Random(1).randbytes(20_000)
    with packed:
        packed.file("A/1", content)
    whole = packed.path.read_bytes()
    for cut in (0, 3, 4, 100, 10_000, len(whole) - 30):
        packed.path.write_bytes(whole[:cut])
        with pytest.raises(BadRequest):
            take_in(packed.path, out)
        for path in out.rglob("1"):
            path.unlink()
    packed.path.write_bytes(b"hello world")
    with pytest.raises(BadRequest, match=r"neither a \.zip nor a \.tgz"):
        take_in(packed.path, out)


def test_a_content_that_was_spoilt_is_noticed(packed, out):
    with packed:
        packed.file("A/1", random.Random(1).randbytes(20_000))
    spoilt = bytearray(packed.path.read_bytes())
    spoilt[10_000] ^= 1
    packed.path.write_bytes(spoilt)

    with pytest.raises(BadRequest):
        take_in(packed.path, out)


def test_encrypted_members_are_refused(tmp_path, out):
    archive = tmp_path / "z"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("secret", b"x")
    text = bytearray(archive.read_bytes())
    text[6] |= 1
    text[text.index(b"PK\1\2") + 8] |= 1
    archive.write_bytes(text)

    with pytest.raises(BadRequest, match="secret: it is encrypted"):
        take_in(archive, out)


def test_large_files_come_out_whole(packed, out):
    content = random.Random(3).randbytes(3_000_000)
    with packed:
        packed.file("A/1", content[:512])
        packed.file("A/2", content)
        packed.file("A/3", content[: 512 * 100])

    take_in(packed.path, out)
    assert (out / "A/2").read_bytes() == content
    assert (out / "A/3").read_bytes() == content[: 512 * 100]


def test_odd_names_come_out_as_they_were(tmp_path, out):
    name = os.fsdecode(b"odd\xff")
    with tarfile.open(tmp_path / "t", "w:gz", format=tarfile.GNU_FORMAT) as tar:
        tar.addfile(tarfile.TarInfo(name))
    take_in(tmp_path / "t", out)

    assert [os.fsencode(path.name) for path in out.iterdir()] == [b"odd\xff"]


def test_an_archive_that_is_not_there_is_no_bad_request(tmp_path, out):
    with pytest.raises(StorageError):
        take_in(tmp_path / "nothing", out)
