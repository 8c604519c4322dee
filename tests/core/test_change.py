import msgspec
import pytest

from syncd.core.change import (
    Amend,
    Change,
    Delete,
    Done,
    Failed,
    Found,
    Gone,
    Inspect,
    Order,
    Outcome,
    Put,
    SetAside,
    Source,
    Why,
)
from syncd.core.file import Kind, Seen, Stamp

STAMP = Stamp(size=3, mtime_ns=4, ctime_ns=5, inode=2**63 + 1, tag="etag")
SEEN = Seen("d/a", Kind.LINK, STAMP, 0o777, "target")
PUT = Put(
    id=1,
    path="d/a",
    kind=Kind.FILE,
    size=3,
    mtime_ns=4,
    mode=0o600,
    target=None,
    digest=b"d" * 32,
    sources=[Source("A", "d/a", STAMP)],
    replaces=STAMP,
    hint=("old", STAMP),
    cause="cause",
)


@pytest.mark.parametrize(
    ("family", "said"),
    [
        (Change, Found(SEEN, digest=b"d", mime="text/plain", old="old", cause="c")),
        (Change, Gone("d/a", "c")),
        (Order, PUT),
        (Order, Delete(1, "d/a", Kind.DIRECTORY, STAMP)),
        (Order, Amend(1, "d/a", STAMP, 0o644, 7)),
        (Order, SetAside(1, "d/a", STAMP, "d/a-2")),
        (Order, Inspect(1, "d/a", STAMP, digest=True, mime=False)),
        (Outcome, Done(1, SEEN, digest=b"d", copied=3)),
        (Outcome, Done(1, None)),
        (Outcome, Failed(1, Why.BLOCKED, "no room")),
    ],
)
def test_what_is_said_is_understood_as_it_was_meant(family, said):
    frame = msgspec.msgpack.encode(said)

    assert msgspec.msgpack.Decoder(family).decode(frame) == said
