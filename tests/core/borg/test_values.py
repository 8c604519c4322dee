"""What is a repository or a client, and what is refused as one."""

import pytest
from msgspec.structs import replace

from syncd.core.borg.values import (
    Client,
    Login,
    Place,
    Repository,
    folder,
    is_here,
    known_as,
    line,
    place,
)
from syncd.errors import BadRequest


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/srv/backup", Place("/srv/backup")),
        ("backup:/srv", Place("/srv", "backup")),
        ("borg@backup:/srv/r", Place("/srv/r", "backup", "borg")),
        ("borg@backup:r", Place("r", "backup", "borg")),
        ("ssh://borg@10.0.0.1:2222/srv", Place("/srv", "10.0.0.1", "borg", 2222)),
        ("ssh://backup/srv", Place("/srv", "backup")),
    ],
)
def test_where_a_repository_lies(path, expected):
    assert place(path) == expected
    assert Repository(path=path).place == expected


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("", "is empty"),
        ("  ", "is empty"),
        ("/", "must be absolute, not the root"),
        ("//server/share", "must be absolute, not the root"),
        ("/srv/a:b", "without a colon"),
        ("srv", "is no repository: give"),
        ("ftp://host/srv", "is no repository: give"),
        ("ssh://host", "is no repository: give"),
        ("ssh://host:0/srv", "0 is no port"),
        ("ssh://host:99999/srv", "99999 is no port"),
        ("-oProxyCommand=x:/srv", "cannot be called"),
        ("ssh://-oProxyCommand=x/srv", "cannot be called"),
        ("-x@host:/srv", "no name of an account"),
        ("host:", "names no folder"),
        ("host:/", "names no folder"),
        ("host:-x", "names no folder"),
        ("host:://x", "braces or '::'"),
        ("/srv/{hostname}", "braces"),
        ("/srv::archive", "braces or '::'"),
        ("/srv/a\nb", "the end of a line"),
        ("/srv/a\0b", "NUL"),
        ("/srv/\ud800", "no valid Unicode"),
        ("/" + "x" * 20_000, "longer than"),
        ("host://srv", "is no repository"),
    ],
)
def test_what_is_no_repository(path, words):
    with pytest.raises(BadRequest, match=words):
        Repository(path=path)


def test_a_secret_is_not_told_when_it_is_refused():
    with pytest.raises(BadRequest) as refused:
        Repository(path="/srv", passphrase="hush\nhush")

    assert "hush" not in str(refused.value)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"hostname": ""}, "cannot be called"),
        ({"hostname": "-oProxyCommand=x"}, "cannot be called"),
        ({"hostname": "a b"}, "cannot be called"),
        ({"hostname": "web*"}, "cannot be called"),
        ({"hostname": "web-"}, "cannot be called"),
        ({"hostname": "web\n"}, "cannot be called"),
        ({"hostname": "w" * 2000}, "cannot be called"),
        ({"address": "-x"}, "cannot be called"),
        ({"port": 0}, "is no port"),
        ({"port": 65_536}, "is no port"),
        ({"user": "-l"}, "no name of an account"),
        ({"user": "a" * 2000}, "no name of an account"),
        ({"bandwidth": -1}, "makes no sense"),
    ],
)
def test_what_is_no_client(said, words):
    with pytest.raises(BadRequest, match=words):
        Client(**{"hostname": "web", **said})


def test_a_client():
    client = Client(hostname="web-01.example.com", address="10.0.0.1", bandwidth=5)

    assert (client.port, client.user, client.here) == (22, "root", False)
    assert replace(client, bandwidth=None).bandwidth is None


@pytest.mark.parametrize(
    "said",
    [{"known_hosts": ["a\nb"]}, {"key_passphrase": "a\nb"}, {"known_hosts": [""]}],
)
def test_what_is_no_login(said):
    with pytest.raises(BadRequest):
        Login(**said)


@pytest.mark.parametrize(
    ("name", "here"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("LAB.example.com", True),
        ("lab", True),
        ("lab2", False),
        ("lab.example.org", False),
    ],
)
def test_who_is_this_machine(name, here):
    assert is_here(name, "lab.example.com") == here


@pytest.mark.parametrize("path", ["srv", "/srv/../etc", "", "/a\nb"])
def test_what_is_no_folder(path):
    with pytest.raises(BadRequest):
        folder("a folder", path)


def test_a_folder_is_given_back():
    assert folder("a folder", "/srv/..data") == "/srv/..data"


def test_a_line_says_what_it_is_about():
    with pytest.raises(BadRequest, match="the thing is longer than 3"):
        line("the thing", "four", longest=3)


def test_what_a_machine_is_called_where_it_is_known():
    assert known_as("web", 22) == "web"
    assert known_as("web", 2222) == "[web]:2222"
