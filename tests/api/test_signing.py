"""Signed tokens: good for their use, for a while, with our key only."""

import stat

import jwt
import pytest

from syncd.api.signing import Signer
from syncd.core.permission import Role
from syncd.errors import NotLoggedIn, Unavailable
from syncd.store.users import User

USER = User(
    id=7,
    email="a@example.org",
    role=Role.VIEWER,
    password="",
    disabled=False,
    epoch=3,
    created_at=0.0,
)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "signing.key"


def test_a_token_tells_whose_it_is_until_it_expires(file):
    signer = Signer(file)
    token = signer.sign(USER, "access", now=1000, lasts=60)

    assert signer.read(token, "access", now=1059) == (7, 3)
    with pytest.raises(NotLoggedIn, match="has expired"):
        signer.read(token, "access", now=1060)


def test_the_key_outlives_the_process_and_is_for_nobody_else(file):
    token = Signer(file).sign(USER, "access", now=1000, lasts=60)

    assert Signer(file).read(token, "access", now=1000) == (7, 3)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [one.name for one in file.parent.iterdir()] == ["signing.key"]


def test_a_token_is_for_one_use(file):
    signer = Signer(file)
    token = signer.sign(USER, "refresh", now=1000, lasts=60)

    assert signer.read(token, "refresh", now=1000) == (7, 3)
    with pytest.raises(NotLoggedIn, match="send the access token"):
        signer.read(token, "access", now=1000)


CLAIMS = {"sub": "7", "epoch": 3, "token_type": "access", "exp": 9999999999}


@pytest.mark.parametrize(
    "token",
    [
        "",
        "a.b.c",
        "\ud800",
        jwt.encode(CLAIMS, "another key that is long enough, too", "HS256"),
        jwt.encode(CLAIMS, "", "none"),
    ],
)
def test_tokens_that_are_not_ours(file, token):
    with pytest.raises(NotLoggedIn, match="no token of ours"):
        Signer(file).read(token, "access", now=1000)


def test_a_token_that_says_too_little(file):
    signer = Signer(file)
    signer.sign(USER, "access", now=1000, lasts=60)
    said = jwt.encode({"sub": "7"}, file.read_bytes(), "HS256")

    with pytest.raises(NotLoggedIn):
        signer.read(said, "access", now=1000)


def test_a_key_that_is_none(file):
    file.write_bytes(b"short")

    with pytest.raises(Unavailable, match="remove it, and a new one is made"):
        Signer(file).sign(USER, "access", now=1000, lasts=60)


def test_a_key_that_cannot_be_written(tmp_path):
    with pytest.raises(Unavailable, match="No such file"):
        Signer(tmp_path / "gone" / "key").sign(USER, "access", now=1000, lasts=60)
