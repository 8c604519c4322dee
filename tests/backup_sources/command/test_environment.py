from syncd.backup_sources.command.environment import environment

OURS = {
    "HOME": "/root",
    "PATH": "/bin",
    "LANG": "C",
    "LC_ALL": "C",
    "TZ": "UTC",
    "PYTHONPATH": "/syncd",
    "PYTHONSAFEPATH": "1",
    "BACKUP_DAEMON_API_CREDENTIALS_PASSWORD": "secret",
    "AWS_SECRET_ACCESS_KEY": "secret",
}


def test_only_what_is_no_secret_is_handed_down():
    assert environment(OURS, {}) == {
        "HOME": "/root",
        "PATH": "/bin",
        "LANG": "C",
        "LC_ALL": "C",
        "TZ": "UTC",
    }


def test_what_is_meant_for_it_counts():
    assert environment(OURS, {"PATH": "/opt", "X": "y"})["PATH"] == "/opt"
    assert environment({}, {"X": "y"}) == {"X": "y"}
