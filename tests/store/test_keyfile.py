"""Files of keys: made once, for our eyes only, and never half."""

import pytest

from syncd.errors import Unavailable
from syncd.store import keyfile


def test_a_key_is_made_once(tmp_path):
    file = tmp_path / "a.key"

    key = keyfile.read_or_made(file)

    assert len(key) >= keyfile.SHORTEST
    assert keyfile.read_or_made(file) == key
    assert file.stat().st_mode & 0o777 == 0o600
    assert [*tmp_path.iterdir()] == [file]


def test_what_is_no_key(tmp_path):
    (tmp_path / "a.key").write_bytes(b"short")
    with pytest.raises(Unavailable, match="is no key; remove it"):
        keyfile.read_or_made(tmp_path / "a.key")
    with pytest.raises(Unavailable, match="see to it"):
        keyfile.read_or_made(tmp_path / "none" / "a.key")


def test_the_first_one_stays_whoever_comes_second(tmp_path, monkeypatch):
    file = tmp_path / "a.key"
    other = b"o" * 64

    def while_we_make_ours(count: int) -> bytes:
        file.write_bytes(other)
        return b"u" * count

    monkeypatch.setattr("secrets.token_bytes", while_we_make_ours)

    assert keyfile.read_or_made(file) == file.read_bytes() == other
    assert [*tmp_path.iterdir()] == [file]
