"""Work for clients that fetch it: what they get, and what they send back."""

import pytest

from syncd.core.borg.handing import came_back, handed
from syncd.core.borg.tasks import BackUp
from syncd.core.borg.values import Client, Policy, Repository
from syncd.errors import BadRequest, ConfigError, StorageFull

CLIENT = Client(hostname="far", behind_firewall=True)
REPOSITORY = Repository(path="ssh://borg@store/srv", passphrase="hush")


def backup(**more) -> BackUp:
    given = {
        "repository": REPOSITORY,
        "client": CLIENT,
        "policy": Policy.CONFIG,
        "made": 0.0,
        **more,
    }
    return BackUp(**given)


def test_a_client_gets_a_program_without_secrets():
    variables = {"user": "u", "password": "db"}

    work = handed(backup(policy=Policy.MYSQL, variables=variables))

    assert work.secrets == "hush\ndb\n"
    assert "mysqldump" in work.program
    assert "MYSQL_PWD" in work.program
    assert "hush" not in work.program


def test_files_need_no_password():
    work = handed(backup())

    assert work.secrets == "hush\n\n"
    assert "ssh://borg@store/srv::config-far-1970-01-01_00-00 /etc" in work.program


@pytest.mark.parametrize(
    ("more", "kind"),
    [
        ({"policy": Policy.VM}, ConfigError),
        ({"repository": Repository(path="/srv")}, ConfigError),
        ({"policy": Policy.FOLDERS}, BadRequest),
    ],
)
def test_what_it_cannot_do_is_refused(more, kind):
    with pytest.raises(kind):
        handed(backup(**more))


def test_what_comes_back_is_a_result():
    said = 'plain\n{"type": "archive_progress", "nfiles": 1}\n\n'
    said += '{"type": "log_message", "levelname": "WARNING", "message": "careful"}\n'
    printed = b'{"archive": {"stats": {"nfiles": 3}}, "cache": {}}'

    result = came_back(backup(), 1, printed, said)

    assert (result.archive, result.files) == ("config-far-1970-01-01_00-00", 3)
    assert result.warnings == ["careful"]


def test_what_failed_there_has_failed():
    with pytest.raises(StorageFull, match="No space left"):
        came_back(backup(), 2, b"", "OSError: No space left on device")
