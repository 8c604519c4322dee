"""Passwords: kept so that nobody can read them back."""

import pytest

from syncd.store import passwords


@pytest.mark.parametrize("password", ["secret", "", "\N{SNOWMAN} and more", "\ud800"])
def test_a_password_fits_what_was_kept_of_it_and_no_other(password):
    kept = passwords.hashed(password)

    assert kept.startswith("$argon2id$")
    assert passwords.fits(kept, password)
    assert not passwords.fits(kept, password + "x")
    assert passwords.hashed(password) != kept


@pytest.mark.parametrize(
    "kept",
    ["", "plain", "$argon2id$broken", pytest.param(passwords.NOBODYS, id="nobody's")],
)
def test_what_fits_nothing(kept):
    assert not passwords.fits(kept, "plain")
