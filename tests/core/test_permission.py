"""Roles allow more and more, tokens never more than their users."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.permission import (
    ALLOWED,
    ANYBODY,
    LOOKING,
    NEIGHBOUR,
    NOBODY,
    Action,
    Role,
    Who,
    allowed,
    limits,
    role_named,
)
from syncd.errors import BadRequest, NotAllowed, NotLoggedIn

roles = st.sampled_from(Role)
names = st.sets(st.sampled_from(Action) | st.text(max_size=5))


@pytest.mark.parametrize(
    ("role", "action", "may"),
    [
        (Role.VIEWER, Action.ENTER, True),
        (Role.VIEWER, Action.READ, True),
        (Role.VIEWER, Action.METRICS, True),
        (Role.VIEWER, Action.BACKUP_READ, True),
        (Role.VIEWER, Action.BACKUP_DOWNLOAD, False),
        (Role.VIEWER, Action.CHANGE, False),
        (Role.VIEWER, Action.OPTOOLS_SETTINGS, False),
        (Role.VIEWER, Action.AUDIT, False),
        (Role.OPERATOR, Action.CHANGE, True),
        (Role.OPERATOR, Action.BACKUP_RESTORE, True),
        (Role.OPERATOR, Action.BACKUP_EVICT, True),
        (Role.OPERATOR, Action.OPTOOLS_SETTINGS, True),
        (Role.OPERATOR, Action.ACCOUNTS, False),
        (Role.OPERATOR, Action.AUDIT, False),
        (Role.ADMIN, Action.ACCOUNTS, True),
        (Role.ADMIN, Action.AUDIT, True),
    ],
)
def test_what_a_role_allows(role, action, may):
    assert (action in allowed(role)) is may


def test_each_role_allows_what_the_one_below_does_and_more():
    viewer, operator, admin = (
        ALLOWED[role] for role in (Role.VIEWER, Role.OPERATOR, Role.ADMIN)
    )

    assert viewer < operator < admin == frozenset(Action)
    assert viewer <= LOOKING


@given(roles, names)
def test_a_limited_token_never_does_more_than_its_user(role, only):
    assert allowed(role, only) <= allowed(role)


@given(roles, names.filter(bool))
def test_a_limited_token_does_only_what_it_names(role, only):
    assert allowed(role, only) <= {*only, Action.ENTER}
    assert Action.ENTER in allowed(role, only)


@given(roles)
def test_a_token_without_limits_does_what_its_user_does(role):
    assert allowed(role, []) == ALLOWED[role]


@given(roles)
def test_what_a_role_allows_a_token_may_be_limited_to(role):
    assert limits(role, [*ALLOWED[role], *ALLOWED[role]]) == sorted(ALLOWED[role])


def test_limits_that_are_none():
    with pytest.raises(BadRequest, match=r"no action 'fly'; known are .*backup\.run"):
        limits(Role.ADMIN, ["fly"])
    with pytest.raises(
        BadRequest, match=r"the role viewer does not allow sync\.change"
    ):
        limits(Role.VIEWER, ["sync.read", "sync.change"])


def test_roles_by_name():
    assert role_named("viewer") is Role.VIEWER
    with pytest.raises(BadRequest, match="no role 'root'; known are admin, operator"):
        role_named("root")


def test_who_may_and_who_may_not():
    somebody = Who("a@example.org", Role.VIEWER, allowed(Role.VIEWER), "password")

    somebody.require(Action.READ)
    with pytest.raises(NotAllowed, match=r"a@example\.org may not .* sync\.change"):
        somebody.require(Action.CHANGE)
    for action in Action:
        with pytest.raises(NotLoggedIn, match="log in first"):
            NOBODY.require(action)
        ANYBODY.require(action)
    NEIGHBOUR.require(Action.CHANGE)
    with pytest.raises(NotAllowed):
        NEIGHBOUR.require(Action.ACCOUNTS)
