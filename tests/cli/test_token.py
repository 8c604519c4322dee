"""syncd token, on an index of its own."""

import json
import re
from typing import Any

import pytest

from syncd import clock
from tests.cli.test_user import User, add, user

__all__ = ["user"]

WORDS = re.compile(r"k[0-9a-f]{20}:[\w-]{43}\n")


def token(user: User, *words: str):
    return user(*words, group="token")


def listed(user: User) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(token(user, "list", "--json").out)[
        "tokens"
    ]
    return found


def test_a_token_is_told_once_on_one_line(user):
    add(user)

    ended = token(user, "create", "Ops@example.org")

    assert ended.code == 0
    assert WORDS.fullmatch(ended.out)
    assert ended.err == ""
    key, _, secret = ended.out.strip().partition(":")
    [row] = listed(user)
    assert (row["key"], row["user"], row["state"]) == (key, "ops@example.org", "good")
    assert (row["actions"], row["expires_at"], row["used_at"]) == ([], None, None)
    assert secret not in token(user, "list").out
    assert secret not in token(user, "list", "--json").out


def test_a_token_with_everything(user):
    add(user)
    said = ["--action", "sync.read", "--action", "metrics", "--expires", "90d"]

    ended = token(user, "create", "ops@example.org", *said, "--name", "ci", "--json")

    made = json.loads(ended.out)
    assert made["user"] == "ops@example.org"
    [row] = listed(user)
    assert (row["name"], row["actions"]) == ("ci", ["metrics", "sync.read"])
    assert row["expires_at"] == pytest.approx(clock.timestamp() + 90 * 86_400, abs=600)
    assert "ci" in token(user, "list").out


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["create", "nobody@b"], 66, "there is no user nobody@b"),
        (["create", "nonsense"], 64, "is no address of mail"),
        (["create", "ops@example.org", "--action", "fly"], 64, "no action 'fly'"),
        (["create", "ops@example.org", "--action", "audit"], 64, "more than its user"),
        (["create", "ops@example.org", "--expires", "soon"], 64, "write 12h or 90d"),
        (["create", "ops@example.org", "--expires", "0d"], 64, "write 12h or 90d"),
        (["revoke", "knone"], 66, "there is no token knone"),
    ],
)
def test_what_cannot_be(user, words, code, told):
    add(user)

    ended = token(user, *words)

    assert (ended.code, ended.out) == (code, "")
    assert told in ended.err
    assert listed(user) == []


@pytest.mark.parametrize("whole", [True, False])
def test_a_token_is_revoked(user, whole):
    add(user)
    words = token(user, "create", "ops@example.org").out.strip()
    key = words.partition(":")[0]

    ended = token(user, "revoke", words if whole else key)

    assert ended == (0, f"{key} is void\n", "")
    assert listed(user)[0]["state"] == "revoked"
    assert token(user, "revoke", key).code == 75
