"""syncd user, on an index of its own."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from syncd.store import passwords
from tests.cli.conftest import Ended, command

PASSWORD = "correct horse battery"

User = Callable[..., Ended]


@pytest.fixture
def user(tmp_path: Path) -> User:
    """Run syncd user with a configuration of its own."""
    config = tmp_path / "syncd.yaml"
    config.write_text(f"state: {tmp_path}/s\nentries: {{A: {{driver: memory}}}}\n")

    def run(*words: str, given: str | None = None, group: str = "user") -> Ended:
        name, *more = words
        return command(group, name, "--config", str(config), *more, given=given)

    return run


def add(user: User, email: str = "ops@example.org", role: str = "operator") -> Ended:
    return user("add", email, "--role", role, "--password-stdin", given=PASSWORD)


def listed(user: User) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(user("list", "--json").out)["users"]
    return found


def test_a_user_is_added_and_listed(user):
    assert add(user, "Ops@Example.org") == (0, "ops@example.org was added\n", "")

    [row] = listed(user)
    assert (row["email"], row["role"], row["disabled"]) == (
        "ops@example.org",
        "operator",
        False,
    )
    assert "ops@example.org" in user("list").out
    assert PASSWORD not in str(row)


def test_json(user):
    ended = user(
        "add", "a@b", "--role", "viewer", "--password-stdin", "--json", given="x" * 20
    )

    assert json.loads(ended.out) == {"status": "ok", "user": "a@b", "role": "viewer"}


@pytest.mark.parametrize(
    ("words", "given", "code", "told"),
    [
        (["add", "nonsense", "--role", "viewer"], "", 64, "is no address of mail"),
        (["add", "a@b", "--role", "king"], "", 64, "is not one of"),
        (["add", "a@b"], "", 64, "--role"),
        (["add", "a@b", "--role", "viewer"], "x", 64, "with --password-stdin"),
        (["add", "a@b", "--role", "viewer", "--password-stdin"], "\n", 64, "1 to 1024"),
        (
            ["add", "a@b", "--role", "viewer", "--password-stdin"],
            "x" * 1025,
            64,
            "1 to 1024",
        ),
        (["passwd", "a@b", "--password-stdin"], "x", 66, "there is no user a@b"),
        (["disable", "a@b"], "", 66, "there is no user a@b"),
        (["enable", "a@b"], "", 66, "there is no user a@b"),
        (["role", "a@b", "--role", "admin"], "", 66, "there is no user a@b"),
    ],
)
def test_what_cannot_be(user, words, given, code, told):
    ended = user(*words, given=given)

    assert (ended.code, ended.out) == (code, "")
    assert told in ended.err
    assert listed(user) == []


def test_nobody_is_added_twice(user):
    add(user)
    ended = add(user, "OPS@example.org", "admin")

    assert (ended.code, ended.out) == (75, "")
    assert "there is a user ops@example.org already" in ended.err
    assert [row["role"] for row in listed(user)] == ["operator"]


def test_a_short_password_is_taken_and_spoken_of(user):
    ended = user("add", "a@b", "--role", "viewer", "--password-stdin", given="short\n")

    assert ended.code == 0
    assert "fewer than 12 characters are easily guessed" in ended.err


def test_a_user_is_disabled_and_enabled(user):
    add(user)

    assert user("disable", "ops@example.org").out == "ops@example.org is disabled\n"
    assert listed(user)[0]["disabled"]
    assert user("disable", "ops@example.org").code == 75
    assert user("enable", "ops@example.org").out == "ops@example.org is enabled\n"
    assert not listed(user)[0]["disabled"]


def test_a_user_gets_another_role_and_password(user, tmp_path, monkeypatch):
    add(user)
    kept: list[str] = []
    real = passwords.hashed

    def noted(password: str) -> str:
        kept.append(password)
        return real(password)

    monkeypatch.setattr(passwords, "hashed", noted)

    user("role", "ops@example.org", "--role", "viewer")
    ended = user("passwd", "ops@example.org", "--password-stdin", given="one more\r\nx")

    assert ended.out == "ops@example.org has another password\n"
    assert kept == ["one more"]
    assert listed(user)[0]["role"] == "viewer"


def test_from_then_on_the_door_is_closed(user, tmp_path):
    add(user)

    assert (tmp_path / "s" / "accounts").exists()
    assert (tmp_path / "s").stat().st_mode & 0o777 == 0o700
