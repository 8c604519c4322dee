"""Users: superusers see to all, everybody to themselves, and somebody is left."""

import pytest

from syncd.core.permission import Action, Role
from syncd.store import tokens, users
from tests.api.accounts import PASSWORD
from tests.api.cyborg.conftest import ADMIN, OPERATOR, VIEWER, As


async def test_one_is_made_with_all_its_keys(admin):
    made = await admin.made("users/", email="New@x.org", password="s3cret")

    assert list(made) == [
        *("id", "type", "url", "related", "summary_fields", "created"),
        *("first_name", "last_name", "email", "is_superuser"),
        *(
            f"notify_backup_{which}"
            for which in ("daily", "weekly", "monthly", "success", "failed", "summary")
        ),
    ]
    assert (made["email"], made["is_superuser"]) == ("new@x.org", False)
    assert made["url"] == "/api/v1/users/4/"


async def test_a_new_user_can_log_in(admin, place):
    await admin.made("users/", email="new@x.org", password="s3cret", is_superuser=True)

    new = As(place.http, ("new@x.org", "s3cret"))
    assert (await new.get("me/"))["results"][0]["email"] == "new@x.org"


async def test_one_without_a_password_cannot(admin, place):
    await admin.made("users/", email="new@x.org")
    await place.notice()

    answer = await As(place.http, ("new@x.org", ""))("GET", "me/")
    assert answer.status_code == 401


async def test_blanks_around_a_password_belong_to_it(admin, place):
    await admin.made("users/", email="new@x.org", password=" a ")
    where, said = "/api/token/obtain/", {"email": "new@x.org"}
    answer = await As(place.http)("POST", where, {**said, "password": " a "})
    assert answer.status_code == 200

    assert await admin.wrong("users/4/", {"password": "  "}, "PATCH") == {
        "password": ["This field may not be blank."]
    }
    answer = await admin("PATCH", "users/4/", {"password": "", "first_name": "N"})
    assert answer.json()["first_name"] == "N"


async def test_who_changes_a_user_is_written_down(admin, viewer, place):
    await admin("PATCH", "users/3/", {"first_name": "V"})
    await viewer("PATCH", "users/1/", {"password": "mine"})
    await viewer("GET", "users/3/")
    await admin("DELETE", "users/3/")

    _, lines = await place.auth.trail.page(offset=0, limit=10)
    assert [(one.who, one.action, one.target, one.status) for one in lines][::-1] == [
        (ADMIN, "PATCH /api/v1/users/{number}", "/api/v1/users/3/", 200),
        (VIEWER, "PATCH /api/v1/users/{number}", "/api/v1/users/1/", 403),
        (ADMIN, "DELETE /api/v1/users/{number}", "/api/v1/users/3/", 204),
    ]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({}, {"email": ["This field is required."]}),
        ({"email": "x"}, {"email": ["Enter a valid email address."]}),
        ({"email": "a@b c"}, {"email": ["Enter a valid email address."]}),
        ({"email": ADMIN}, {"email": ["User with this Email address already exists."]}),
        (
            {"email": "a@b.c", "password": ""},
            {"password": ["This field may not be blank."]},
        ),
        (
            {"email": "a@b.c", "password": "  "},
            {"password": ["This field may not be blank."]},
        ),
        (
            {"email": "a@b.c", "first_name": "x" * 31},
            {"first_name": ["Ensure this field has no more than 30 characters."]},
        ),
    ],
)
async def test_what_is_wrong_is_named(admin, said, words):
    said = {"password": "p", **said}

    assert await admin.wrong("users/", said) == words


async def test_the_first_user_is_one_who_can_let_in_others(ask, place):
    said = await ask.wrong("users/", {"email": "a@x.org", "password": "p"})
    assert "The first user has to be a superuser" in said["is_superuser"][0]
    said = await ask.wrong("users/", {"email": "a@x.org", "is_superuser": True})
    assert said == {"password": ["Password required for new User."]}

    await ask.made("users/", email="a@x.org", password="p", is_superuser=True)

    assert (await ask("GET", "users/")).status_code == 401
    assert (await As(place.http, ("a@x.org", "p"))("GET", "users/")).status_code == 200


async def test_me(admin, viewer, ask):
    said = await viewer.get("me/")

    assert (said["count"], said["next"], said["previous"]) == (1, None, None)
    assert said["results"][0]["email"] == VIEWER
    assert (await viewer("POST", "me/", {})).status_code == 405


async def test_nobody_is_me_where_nobody_logs_in(ask):
    assert (await ask.get("me/"))["results"] == []


async def test_who_is_no_superuser_sees_and_changes_themselves_only(
    admin, viewer, place
):
    assert await viewer.listed("users/", "email") == [VIEWER]
    own = (await viewer.get("me/"))["results"][0]
    assert await viewer.get(own["url"]) == own

    answer = await viewer("PATCH", own["url"], {"first_name": "V"})
    assert (answer.status_code, answer.json()["first_name"]) == (200, "V")
    token = answer.headers["X-Token"]
    headers = {"Authorization": f"Bearer {token}"}
    said = await As(place.http)("GET", "me/", headers=headers)
    assert said.json()["results"][0]["first_name"] == "V"

    answer = await viewer("PATCH", own["url"], {"is_superuser": True})
    assert (answer.status_code, answer.json()) == (
        403,
        {"detail": "Cannot change is_superuser."},
    )
    for method, body in (("GET", None), ("PATCH", {}), ("PUT", {}), ("DELETE", None)):
        answer = await viewer(method, "users/1/", body)
        assert answer.status_code == 403
        assert answer.json()["detail"].startswith("You do not have permission")
    assert (await viewer("DELETE", own["url"])).status_code == 403
    assert (await viewer("POST", "users/", {"email": "x@y.z"})).status_code == 403
    assert (await viewer("GET", "users/99/")).status_code == 404


async def test_another_password_makes_void_what_the_old_one_opened(
    admin, viewer, place
):
    own = (await viewer.get("me/"))["results"][0]

    answer = await viewer("PATCH", own["url"], {"password": "other"})

    assert answer.status_code == 200
    assert (await viewer("GET", "me/")).status_code == 401
    assert (await As(place.http, (VIEWER, "other"))("GET", "me/")).status_code == 200
    headers = {"Authorization": f"Bearer {answer.headers['X-Token']}"}
    assert (await As(place.http)("GET", "me/", headers=headers)).status_code == 200


async def test_roles_follow(admin, place):
    async def role(email: str) -> Role:
        user: users.User = await place.store.read(users.get, email)
        return user.role

    await admin("PATCH", "users/2/", {"is_superuser": False})
    assert await role(OPERATOR) is Role.OPERATOR
    await admin("PATCH", "users/2/", {"is_superuser": True})
    assert await role(OPERATOR) is Role.ADMIN
    await admin("PATCH", "users/2/", {"is_superuser": False})
    assert await role(OPERATOR) is Role.VIEWER


async def test_the_last_superuser_stays_one(admin):
    for method, body in (("DELETE", None), ("PATCH", {"is_superuser": False})):
        answer = await admin(method, "users/1/", body)
        assert answer.status_code == 409
        assert "This is the last superuser" in answer.json()["detail"]


async def test_who_is_removed_is_named_no_more(admin, place):
    await place.store.run(users.set_role, OPERATOR, Role.ADMIN)
    await place.notice()
    other = As(place.http, (OPERATOR, PASSWORD))
    await other.made("clients/", hostname="a")
    found = await admin.get("clients/1/")
    assert (found["created_by"], found["modified_by"]) == (2, 2)
    assert found["related"]["created_by"] == "/api/v1/users/2/"
    assert found["summary_fields"]["created_by"]["email"] == OPERATOR

    assert (await admin("DELETE", "users/2/")).status_code == 204

    found = await admin.get("clients/1/")
    assert (found["created_by"], found["modified_by"]) == (None, None)
    assert (await other("GET", "me/")).status_code == 401
    assert (await admin("DELETE", "users/2/")).status_code == 404


@pytest.mark.parametrize("query", ["password=a", "password__startswith=a"])
async def test_no_password_can_be_asked_for(admin, query):
    assert (await admin("GET", f"users/?{query}")).status_code == 403


async def test_filters_know_superusers(admin):
    assert await admin.listed("users/?is_superuser=true", "email") == [ADMIN]
    assert await admin.listed("users/?search=viewer", "email") == [VIEWER]


async def test_a_token_for_little_does_not_become_one_for_all(admin, place):
    user = await place.store.read(users.get, ADMIN)
    words = await place.store.run(
        lambda db: tokens.create(
            db, user, name="", actions=[Action.METRICS], expires_at=None, now=1.0
        )
    )
    await place.notice()
    limited = As(place.http, (words.key, words.secret))

    assert (await limited.get("me/"))["count"] == 1
    for body in ({"password": "mine"}, {"first_name": "x"}):
        answer = await limited("PATCH", "users/1/", body)
        assert answer.status_code == 403
        assert "X-Token" not in answer.headers
    assert (await limited("DELETE", "users/2/")).status_code == 403
