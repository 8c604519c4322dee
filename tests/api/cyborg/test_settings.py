"""Settings: 22 of them, checked, and the key of SSH."""

import pytest


async def test_there_are_22(ask):
    said = await ask.get("settings/?order_by=id")

    assert said["count"] == 22
    first = said["results"][0]
    assert list(first) == [
        *("id", "url", "key", "type", "setting_type", "value", "group", "order"),
        *("created", "modified"),
    ]
    assert (first["key"], first["value"]) == ("cyborgbackup_mail_system", "True")
    assert (await ask("POST", "settings/", {})).status_code == 405
    assert (await ask("DELETE", "settings/1/")).status_code == 405


async def set_(ask, key: str, value):
    number = (await ask.listed(f"settings/?key=cyborgbackup_{key}"))[0]
    return await ask("PATCH", f"settings/{number}/", {"value": value})


@pytest.mark.parametrize(
    ("key", "value", "kept"),
    [
        ("mail_system", False, "False"),
        ("mail_system", "true", "True"),
        ("auto_restore_test", "", ""),
        ("mail_port", 587, "587"),
        ("mail_port", "465", "465"),
        ("mail_server", "smtp.x.org", "smtp.x.org"),
        ("mail_from", "a@x.org", "a@x.org"),
        ("ic_cron", "0 5 * * MON", "0 5 * * MON"),
        ("mail_username", None, ""),
    ],
)
async def test_values(ask, key, value, kept):
    answer = await set_(ask, key, value)

    assert (answer.status_code, answer.json()["value"]) == (200, kept)
    assert (await ask.get(answer.json()["url"]))["value"] == kept


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("mail_system", "perhaps", "Must be a valid boolean."),
        ("mail_port", 0, "Ensure this value is greater than or equal to 1."),
        ("mail_port", "x", "A valid integer is required."),
        ("job_cleaning", -1, "Ensure this value is greater than or equal to 0."),
        ("mail_from", "x", "Enter a valid email address."),
        ("mail_server", {}, "Not a valid string."),
    ],
)
async def test_what_is_wrong_is_named(ask, key, value, words):
    answer = await set_(ask, key, value)

    assert (answer.status_code, answer.json()) == (400, {"value": [words]})


async def test_a_crontab_that_is_none(ask):
    answer = await set_(ask, "ic_cron", "garbage")

    assert "is no crontab" in answer.json()["value"][0]


async def test_put_wants_the_key_too(ask):
    answer = await ask("PUT", "settings/1/", {})

    assert answer.json() == {
        "key": ["This field is required."],
        "value": ["This field is required."],
    }
    said = {"key": "whatever", "value": "False"}
    answer = await ask("PUT", "settings/1/", said)
    assert answer.json()["key"] == "cyborgbackup_mail_system"
    assert answer.json()["value"] == "False"


async def test_passwords_are_not_told(ask, place):
    answer = await set_(ask, "mail_password", "hush")
    await set_(ask, "mail_password", "$encrypted$")

    assert answer.json()["value"] == "$encrypted$"
    assert "hush" not in (await ask("GET", "settings/")).text
    assert (await place.records.settings())["mail_password"] == "hush"
    answer = await ask("GET", "settings/?value__startswith=h")
    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("kind", "beginning"),
    [("ed25519", "ssh-ed25519 "), ("ecdsa", "ecdsa-sha2-nistp256 ")],
)
async def test_a_key_of_ssh(ask, kind, beginning):
    assert (await ask("GET", "settings/generate_ssh/")).status_code == 204
    assert await ask.get("settings/get_ssh_publickey/") == []

    answer = await ask("POST", "settings/generate_ssh/", {"type": kind, "size": 256})

    assert answer.status_code == 201
    assert answer.json()["pubkey"].startswith(beginning)
    assert await ask.get("settings/generate_ssh/") == []
    told = await ask.get("settings/get_ssh_publickey/")
    assert told == answer.json()["pubkey"]
    again = await ask("POST", "settings/generate_ssh/", {"type": kind})
    assert (again.status_code, again.json()) == (409, {})
    forced = await ask("POST", "settings/generate_ssh/", {"type": kind, "force": None})
    assert forced.json()["pubkey"] != told


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"type": "dsa"}, '"dsa" is not a valid choice.'),
        ({"type": "rsa", "size": 512}, "an rsa key has 2048 to 8192 bits"),
        ({"type": "ecdsa", "size": 5}, "an ecdsa key has 256, 384 or 521 bits"),
    ],
)
async def test_a_key_that_cannot_be(ask, said, words):
    answer = await ask("POST", "settings/generate_ssh/", said)

    assert answer.status_code == 400
    assert words in answer.text.replace("\\", "")


async def test_a_key_that_is_none(ask):
    await set_(ask, "ssh_key", "nonsense")

    answer = await ask("GET", "settings/get_ssh_publickey/")
    assert answer.status_code == 400
    assert "is none that we can read" in answer.json()["detail"]
