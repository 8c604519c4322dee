import hashlib
import os
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.errors import StorageError
from syncd.vaults import manifest

NAMES = st.binary(min_size=1, max_size=20).filter(lambda name: b"\0" not in name)
DIGESTS = st.binary(min_size=32, max_size=32).map(bytes.hex)


@given(st.dictionaries(NAMES | st.sampled_from([b"\\", b"a\nb", b"\r"]), DIGESTS))
def test_what_is_written_is_read(digests):
    assert manifest.read(manifest.written(digests)) == digests


@given(st.data())
def test_any_flipped_bit_is_noticed(data):
    digests = data.draw(st.dictionaries(NAMES, DIGESTS, min_size=1, max_size=3))
    text = bytearray(manifest.written(digests))
    bit = data.draw(st.integers(0, len(text) * 8 - 1))
    text[bit // 8] ^= 1 << bit % 8

    try:
        read = manifest.read(bytes(text))
    except StorageError:
        return
    assert read != digests


@pytest.mark.parametrize(
    "text",
    [
        b"0" * 64 + b"  a",
        b"0" * 64 + b" *a\n",
        b"A" * 64 + b"  a\n",
        b"\\" + b"0" * 64 + b"  a\n",
        b"\\" + b"0" * 64 + b"  a\\x\n",
        b"0" * 64 + b"  a\\b\n",
        (b"0" * 64 + b"  a\n") * 2,
        b"\n",
    ],
)
def test_what_we_would_not_write_is_refused(text):
    with pytest.raises(StorageError):
        manifest.read(text)


def test_sha256sum_checks_even_the_oddest_names(tmp_path):
    names = [b"plain", b"a\nb", b"c\\d", b"e\rf", b"\xff", b" g ", b"-h", b"*i"]
    digests = {}
    for name in names:
        (tmp_path / os.fsdecode(name)).write_bytes(name * 3)
        digests[name] = hashlib.sha256(name * 3).hexdigest()
    (tmp_path / manifest.NAME).write_bytes(manifest.written(digests))
    check = ["sha256sum", "--strict", "-c", manifest.NAME]

    good = subprocess.run(check, cwd=tmp_path, capture_output=True, check=False)
    (tmp_path / "a\nb").write_bytes(b"other")
    bad = subprocess.run(check, cwd=tmp_path, capture_output=True, check=False)

    assert (good.returncode, good.stderr) == (0, b"")
    assert bad.returncode == 1
