"""Secrets are kept sealed, and the key is elsewhere."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from syncd.errors import Unavailable
from syncd.store.sealing import MARK, Sealer


@pytest.fixture
def sealer(tmp_path) -> Sealer:
    return Sealer(tmp_path / "secrets.key")


@given(text=st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_what_is_sealed_is_opened(sealer, text):
    sealed = sealer.seal(text)

    assert sealed.startswith(MARK)
    assert len(text) < 8 or text not in sealed
    assert sealer.open(sealed) == text


def test_nothing_is_no_secret(sealer, tmp_path):
    assert sealer.open(sealer.seal("")) == ""
    assert not (tmp_path / "secrets.key").exists()


def test_what_was_never_sealed_is_as_it_is(sealer):
    assert sealer.open("plain") == "plain"


def test_the_key_is_ours_alone_and_lasts(sealer, tmp_path):
    sealed = sealer.seal("hush")

    assert (tmp_path / "secrets.key").stat().st_mode & 0o777 == 0o600
    assert Sealer(tmp_path / "secrets.key").open(sealed) == "hush"


def test_another_key_does_not_open_it(sealer, tmp_path):
    sealed = sealer.seal("hush")

    with pytest.raises(
        Unavailable, match=r"was sealed with another key .*put the right"
    ):
        Sealer(tmp_path / "other.key").open(sealed)
