import io
import tarfile

from hypothesis import given
from hypothesis import strategies as st

from syncd.core.vault import Item, ItemKind
from syncd.vaults.tar import END, encoded, header, padding

NAMES = st.binary(min_size=1, max_size=300).map(
    lambda name: (
        name.replace(b"\0", b"0").replace(b"/", b"_").decode(errors="surrogateescape")
    )
)
TIMES = st.integers(-(2**40), 2**40) | st.integers(0, 2**31)


@given(
    NAMES,
    st.sampled_from(ItemKind),
    st.binary(max_size=2000),
    st.integers(0, 0o7777),
    TIMES,
    NAMES,
)
def test_everybody_reads_what_we_write(  # noqa: PLR0917 - drawn
    name, kind, content, mode, second, target
):
    content = content if kind is ItemKind.FILE else b""
    item = Item(
        path=name,
        kind=kind,
        size=len(content),
        mode=mode,
        mtime_ns=second * 10**9 + 7,
        target=target if kind is ItemKind.LINK else None,
    )

    text = header(item) + content + padding(len(content)) + END

    with tarfile.open(fileobj=io.BytesIO(text), mode="r:", encoding="utf-8") as tar:
        (found,) = tar.getmembers()
        told = tar.extractfile(found) if kind is ItemKind.FILE else None
        assert told is None or told.read() == content
    assert encoded(found.name) == encoded(name)
    assert (found.mode, found.mtime) == (mode, second)
    assert found.type == {"file": b"0", "directory": b"5", "link": b"2"}[kind]
    assert found.linkname == (item.target or "")


def test_sizes_beyond_octal_digits():
    item = Item(path="huge", size=9 * 2**30)

    assert tarfile.TarInfo.frombuf(header(item), "utf-8", "strict").size == item.size
