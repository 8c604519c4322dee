"""Passwords are compared off the loop, and slower after failures, by account, too."""

from collections.abc import Iterator

import pytest

from syncd.api import passwords as comparing
from syncd.api.guesses import FREE
from syncd.api.pace import Hurried
from syncd.api.passwords import Passwords
from syncd.core.permission import Role
from syncd.store import passwords as real
from syncd.store.users import User

EMAIL = "a@example.org"
HOME, ELSEWHERE = "10.0.0.1", "10.0.0.2"
USER = User(
    id=1,
    email=EMAIL,
    role=Role.VIEWER,
    password="right",
    disabled=False,
    epoch=0,
    created_at=0.0,
)


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Compare plainly, and remember what was."""
    found = []

    def fits(kept: str, password: str) -> bool:
        found.append((kept, password))
        return kept == password

    monkeypatch.setattr(real, "fits", fits)
    return found


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Do not wait, but remember for how long it would have been."""
    found: list[float] = []

    async def noted(seconds: float) -> None:
        found.append(seconds)

    monkeypatch.setattr(comparing, "_pause", noted)
    return found


@pytest.fixture
def passwords(compared: object, waits: object) -> Iterator[Passwords]:
    lent = Passwords()
    yield lent
    lent.close()


async def guess(passwords: Passwords, addresses: int = 1) -> None:
    """Guess from so many addresses until it is slow."""
    for number in range(FREE + 3):
        address = f"10.1.{number % addresses}.1"
        assert not await passwords.fits(EMAIL, f"guess {number}", USER, address)


async def test_what_proved_right_is_not_compared_again(passwords, compared):
    for _ in range(3):
        assert await passwords.fits(EMAIL, "right", USER, HOME)
    assert len(compared) == 1

    # But it is from elsewhere: who is slowed down there must not find it out.
    assert await passwords.fits(EMAIL, "right", USER, ELSEWHERE)
    assert len(compared) == 2


async def test_for_nobody_something_is_compared_too(passwords, compared):
    assert not await passwords.fits("nobody@example.org", "right", None, HOME)

    assert compared == [(real.NOBODYS, "right")]


async def test_guessing_from_many_addresses_is_slow(passwords, waits):
    await guess(passwords, addresses=8)

    waits.clear()
    assert await passwords.fits(EMAIL, "right", USER, "10.9.9.9")
    assert waits[0] > 0


async def test_but_not_for_whoever_was_there_before(passwords, waits):
    assert await passwords.fits(EMAIL, "right", USER, HOME)
    await guess(passwords, addresses=8)

    waits.clear()
    assert await passwords.fits(EMAIL, "right", USER, HOME)
    assert not await passwords.fits(EMAIL, "mistyped", USER, HOME)
    assert waits == [0.0, 0.0]


async def test_an_address_that_guesses_learns_nothing_of_others_logins(
    passwords, waits
):
    assert await passwords.fits(EMAIL, "right", USER, HOME)
    with pytest.raises(Hurried):
        for number in range(100):
            await passwords.fits(EMAIL, f"guess {number}", USER, HOME)

    # Known or not, the right one is no quicker there than a wrong one.
    with pytest.raises(Hurried):
        await passwords.fits(EMAIL, "right", USER, HOME)


async def test_the_pair_of_the_environment_is_as_slow(passwords, waits):
    for _ in range(FREE + 3):
        assert not await passwords.attempt("backup", False, HOME)
    assert waits[-1] > 0
    assert await passwords.attempt("backup", True, ELSEWHERE)


async def test_only_so_much_is_remembered(passwords, monkeypatch):
    monkeypatch.setattr(comparing, "MOST", 3)
    for number in range(6):
        assert await passwords.fits(EMAIL, "right", USER, f"10.2.{number}.1")

    assert len(passwords._proved) == len(passwords._welcome) == 3
