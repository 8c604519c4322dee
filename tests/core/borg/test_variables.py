"""What policies may say, by their type."""

from typing import Any

import pytest

from syncd.core.borg.values import Client, Policy
from syncd.core.borg.variables import (
    MYSQLDUMP,
    NOT_OF_A_SYSTEM,
    Dump,
    Files,
    Machine,
    Reading,
    reading,
)
from syncd.errors import BadRequest

CLIENT = Client(hostname="web", id=7)


def read(policy: Policy, variables: dict[str, Any]) -> Reading | Machine:
    return reading(policy, variables, CLIENT)


def words(policy: Policy, variables: dict[str, Any]) -> list[str]:
    dump = read(policy, variables)
    assert isinstance(dump, Dump)
    return list(dump.words)


@pytest.mark.parametrize(
    ("policy", "variables", "expected"),
    [
        (Policy.ROOTFS, {}, Files(("/",), NOT_OF_A_SYSTEM)),
        (
            Policy.ROOTFS,
            {"exclude": ["*.log"], "one_file_system": True},
            Files(("/",), (*NOT_OF_A_SYSTEM, "*.log"), one_file_system=True),
        ),
        (Policy.CONFIG, {"exclude": None}, Files(("/etc",))),
        (Policy.MAIL, {}, Files(("/var/lib/mail", "/var/mail"))),
        (Policy.FOLDERS, {"folders": ["/a", "/b c"]}, Files(("/a", "/b c"))),
        (Policy.VM, {"domain": "x"}, Machine({"domain": "x"})),
    ],
)
def test_files(policy, variables, expected):
    assert read(policy, variables) == expected


def test_a_pipe_fails_with_any_of_its_commands():
    said = words(Policy.PIPED, {"command": "a | b"})

    assert said == ["bash", "-o", "pipefail", "-c", "a | b"]


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, [*MYSQLDUMP, "--all-databases"]),
        (
            {"user": "u", "databases": "a", "port": 3307},
            [
                *MYSQLDUMP,
                *("--user=u", "--host=127.0.0.1"),
                *("--port=3307", "--databases", "a"),
            ],
        ),
        (
            {"databases": ["a", "b"], "host": "db"},
            [
                *MYSQLDUMP,
                *("--host=db", "--databases", "a", "b"),
            ],
        ),
        (
            {"user": "u", "extended_mysql": {"7": {"databases": ["c"]}, "8": {}}},
            [
                *MYSQLDUMP,
                *("--user=u", "--databases", "c"),
            ],
        ),
        (
            {
                "databases": "a",
                "extended_mysql": {"7": {"credential": {"user": "v", "port": 1}}},
            },
            [
                *MYSQLDUMP,
                *("--user=v", "--host=127.0.0.1"),
                *("--port=1", "--databases", "a"),
            ],
        ),
        (
            {"databases": "", "extended_mysql": {"8": {"databases": ["c"]}}},
            [*MYSQLDUMP, "--all-databases"],
        ),
    ],
)
def test_mysql(variables, expected):
    assert words(Policy.MYSQL, variables) == expected


def test_a_password_is_no_word():
    dump = read(Policy.MYSQL, {"user": "u", "password": "hush"})

    assert isinstance(dump, Dump)
    assert (dump.variable, dump.password) == ("MYSQL_PWD", "hush")
    assert "hush" not in " ".join(dump.words)


@pytest.mark.parametrize(
    ("variables", "head", "tail"),
    [
        ({}, "sh", ["sh", "pg_dumpall"]),
        ({"database": "a"}, "sh", ["sh", "pg_dump", "a"]),
        ({"user": "u", "password": "p"}, "env", ["PGUSER=u", "pg_dumpall"]),
        (
            {"port": 5433, "database": ["a", "b"]},
            "env",
            ["sh", "pg_dump", "a", "b"],
        ),
        ({"host": "db", "port": 1}, "env", ["PGHOST=db", "PGPORT=1", "pg_dumpall"]),
        (
            {"extended_postgresql": {"7": {"databases": ["c"]}}},
            "sh",
            ["sh", "pg_dump", "c"],
        ),
    ],
)
def test_postgresql(variables, head, tail):
    said = words(Policy.POSTGRESQL, variables)

    assert said[0] == head
    assert said[-len(tail) :] == tail


def test_a_port_alone_is_one_of_this_machine():
    assert "PGHOST=127.0.0.1" in words(Policy.POSTGRESQL, {"port": 5433})


@pytest.mark.parametrize(
    ("policy", "variables", "complaint"),
    [
        (Policy.FOLDERS, {}, "say which folders"),
        (Policy.FOLDERS, {"folders": []}, "say which folders"),
        (Policy.FOLDERS, {"folders": ["srv"]}, "must begin with a slash"),
        (Policy.FOLDERS, {"folders": ["/srv/.."]}, "goes up"),
        (Policy.FOLDERS, {"folders": "/srv"}, "folders must be a list"),
        (Policy.FOLDERS, {"folders": [1]}, "must be a list of texts"),
        (Policy.FOLDERS, {"folders": [""]}, "is empty"),
        (Policy.ROOTFS, {"exclude": "x"}, "exclude must be a list"),
        (Policy.ROOTFS, {"exclude": ["a\nb"]}, "end of a line"),
        (Policy.ROOTFS, {"one_file_system": 1}, "must be true or false"),
        (Policy.CONFIG, {"folder": ["/x"]}, "'folder' means nothing"),
        (Policy.PIPED, {}, "say which command"),
        (Policy.PIPED, {"command": " "}, "is empty"),
        (Policy.PIPED, {"command": ["ls"]}, "command must be text"),
        (Policy.PIPED, {"command": "ls", "more": 1}, "'more' means nothing"),
        (Policy.MYSQL, {"databases": 1}, "a name or a list of names"),
        (Policy.MYSQL, {"databases": ["--all"]}, "no name of a database"),
        (Policy.MYSQL, {"databases": ["a/b"]}, "no name of a database"),
        (Policy.MYSQL, {"port": True}, "port must be a whole number"),
        (Policy.MYSQL, {"port": 0}, "is no port"),
        (Policy.MYSQL, {"host": "-x"}, "cannot be called"),
        (Policy.MYSQL, {"password": "a\nb"}, "end of a line"),
        (Policy.MYSQL, {"extended_mysql": {"7": 1}}, "must be an object"),
        (Policy.MYSQL, {"extended_mysql": {"7": {"x": 1}}}, "'x' means nothing"),
        (
            Policy.MYSQL,
            {"extended_mysql": {"7": {"credential": {"x": 1}}}},
            "'x' means nothing",
        ),
        (Policy.POSTGRESQL, {"database": "host=evil"}, "no name of a database"),
        (Policy.POSTGRESQL, {"databases": "a"}, "'databases' means nothing"),
    ],
)
def test_what_makes_no_sense_is_told(policy, variables, complaint):
    with pytest.raises(BadRequest, match=complaint):
        read(policy, variables)
