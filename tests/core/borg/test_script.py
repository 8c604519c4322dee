"""The program that clients run; here a shell runs it with a Borg that is none."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.borg import script
from syncd.core.borg.values import Client

LINE = "web ssh-ed25519 AAAA"
BORG = """\
#!/bin/sh
printf '%s\\n' "$@"
cat "$(printf '%s' "$BORG_RSH" | sed 's/.*UserKnownHostsFile=\\([^ ]*\\) .*/\\1/')"
eval "cat <&$BORG_PASSPHRASE_FD"
printf '\\n%s\\n' "${MYSQL_PWD-none}"
pwd
exit 3
"""


@pytest.fixture
def borg(tmp_path: Path) -> Path:
    program = tmp_path / "borg"
    program.write_text(BORG)
    program.chmod(0o700)
    return program


def run(text: str, secrets: bytes) -> tuple[int, list[str]]:
    """Run it as over SSH: stdin stays open until it ends."""
    process = subprocess.Popen(
        ["sh", "-c", text], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(secrets)
        process.stdin.flush()
        printed = process.stdout.read().decode()
        code = process.wait(60)
        process.stdin.close()
    return code, printed.splitlines()


def test_it_hands_on_everything(borg, tmp_path):
    folder = tmp_path / "new 'folder'"
    text = script.program(
        [str(borg), "a b", "$(id)"],
        [LINE],
        variable="MYSQL_PWD",
        folder=str(folder),
    )

    code, said = run(text, script.secrets(" p\\w ", "db"))

    assert code == 3
    assert said == ["a b", "$(id)", LINE, " p\\w ", "db", str(folder)]


def test_without_a_password_there_is_no_variable(borg):
    _, said = run(script.program([str(borg)], []), script.secrets("", ""))

    assert said[:2] == ["", "#"]
    assert said[-2] == "none"


def test_a_folder_that_is_not_empty_is_left_alone(borg, tmp_path):
    code, said = run(
        script.program([str(borg)], [], folder=str(tmp_path)), script.secrets("", "")
    )

    assert (code, said) == (script.OCCUPIED, [])


PATIENT = """
import pathlib, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
print("there", flush=True)
signal.sigwait([signal.SIGTERM])
pathlib.Path(sys.argv[1]).write_text("gone")
sys.exit(9)
"""


def test_it_ends_when_nobody_wants_it_any_more(tmp_path):
    said = tmp_path / "said"
    patient = [sys.executable, "-c", PATIENT, str(said)]
    process = subprocess.Popen(
        ["sh", "-c", script.program(patient, [])],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(script.secrets("", ""))
        process.stdin.flush()
        assert process.stdout.readline() == b"there\n"
        process.stdin.close()
        code = process.wait(60)

    assert code == 9
    assert said.read_text() == "gone"


def test_secrets_must_come_first(borg):
    process = subprocess.run(
        ["sh", "-c", script.program([str(borg)], [])],
        input=b"half",
        capture_output=True,
        check=False,
        timeout=60,
    )

    assert (process.returncode, process.stdout) == (255, b"")


@pytest.mark.parametrize(
    ("user", "first"), [("root", ["sh", "-c"]), ("me", ["sudo", "-n"])]
)
def test_who_is_not_root_becomes_root(user, first):
    client = Client(hostname="web", user=user)

    assert script.shell(client, "x")[:2] == first
    assert script.as_root(client, ["sh", "-c", "x"])[:2] == first
    kept = "--preserve-env=SSH_AUTH_SOCK" in script.shell(client, "x", agent=True)
    assert kept == (user == "me")


def test_a_password_is_read_before_a_command_begins():
    words = script.with_password("PGPASSWORD", ["sh", "-c", "echo $PGPASSWORD; cat"])

    done = subprocess.run(
        words, input=b"a b\nmore", capture_output=True, check=True, timeout=60
    )

    assert done.stdout == b"a b\nmore"


def test_what_is_unpacked_is_unpacked_in_a_new_folder(tmp_path):
    folder = str(tmp_path / "a b" / "c")
    words = script.into(folder, ["pwd"])

    first = subprocess.run(words, capture_output=True, check=True, text=True)
    (tmp_path / "a b" / "c" / "x").touch()
    second = subprocess.run(words, capture_output=True, check=False)

    assert first.stdout.strip() == folder
    assert second.returncode == script.OCCUPIED


@given(
    st.lists(st.text(st.characters(exclude_characters="\0"), max_size=8), min_size=1)
)
def test_words_stay_words(words):
    said = script.into("/new", words)[2].rpartition("\nexec ")[2]

    if "\n" not in "".join(words):
        assert shlex.split(said) == words
