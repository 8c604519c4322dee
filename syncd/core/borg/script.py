"""The program that a client runs when Borg runs there: it pushes, or unpacks itself.

Secrets come through stdin, a line each, and nobody sees them. For as long as whoever
wants the work keeps stdin open it goes on; when that ends, so does Borg.
"""

import shlex
from collections.abc import Sequence

from syncd.core.borg.values import Client
from syncd.core.borg.words import SETTLED, STRICT, Words

PASSPHRASE_FD = 3

OCCUPIED = 73
"""Its exit code when the folder to restore into is not empty."""

_PROGRAM = """\
umask 077
IFS= read -r passphrase || exit 255
IFS= read -r password || exit 255
hosts=$(mktemp) || exit 255
trap 'rm -f "$hosts"' EXIT
printf '%s\\n' {hosts} >"$hosts"
BORG_RSH="ssh {strict} -oUserKnownHostsFile=$hosts -a -x"
export BORG_RSH {settled}
{steps}exec 4<&0 </dev/null
printf '%s' "$passphrase" | {{
  exec {fd}<&0 </dev/null 4<&-
  export BORG_PASSPHRASE_FD={fd}
  exec {words}
}} &
borg=$!
{{
  read -r wait <&4
  kill -TERM "$borg"
}} >/dev/null 2>&1 &
watch=$!
exec 4<&-
wait "$borg"
code=$?
kill "$watch" 2>/dev/null
exit "$code"
"""

_INTO = """\
mkdir -p -- {folder} && cd -- {folder} || exit 1
[ -z "$(ls -A)" ] || exit {occupied}
"""

_VARIABLE = """\
{name}=$password
export {name}
"""


def program(
    words: Sequence[str],
    known_hosts: Sequence[str],
    *,
    variable: str | None = None,
    folder: str | None = None,
) -> str:
    """Return a program for a shell that runs Borg's words.

    A ``variable`` of the environment gets the password of what is dumped. With a
    ``folder`` it works there, which must be new or empty.
    """
    steps = _VARIABLE.format(name=variable) if variable else ""
    if folder is not None:
        steps += _INTO.format(folder=shlex.quote(folder), occupied=OCCUPIED)
    return _PROGRAM.format(
        hosts=shlex.join(known_hosts or ["#"]),
        strict=" ".join(STRICT),
        settled=" ".join(f"{name}={value}" for name, value in SETTLED.items()),
        steps=steps,
        fd=PASSPHRASE_FD,
        words=shlex.join(words),
    )


def secrets(passphrase: str, password: str) -> bytes:
    """Return what such a program has to be told on its stdin."""
    return f"{passphrase}\n{password}\n".encode()


def as_root(client: Client, words: Sequence[str]) -> Words:
    """Return the words as root runs them on a client."""
    return list(words) if client.user == "root" else ["sudo", "-n", *words]


def with_password(variable: str, words: Sequence[str]) -> Words:
    """Return the words as they run with a variable that is read from stdin."""
    text = f"IFS= read -r {variable} && export {variable} && exec {shlex.join(words)}"
    return ["sh", "-c", text]


def into(folder: str, words: Sequence[str]) -> Words:
    """Return the words as they run in a folder that is new or empty.

    They end with OCCUPIED if it is not.
    """
    steps = _INTO.format(folder=shlex.quote(folder), occupied=OCCUPIED)
    return ["sh", "-c", f"umask 077\n{steps}exec {shlex.join(words)}"]


def shell(client: Client, text: str, *, agent: bool = False) -> Words:
    """Return the words that have a client's shell run a program, as root."""
    if client.user == "root":
        return ["sh", "-c", text]
    keep = ["--preserve-env=SSH_AUTH_SOCK"] if agent else []
    return ["sudo", "-n", *keep, "sh", "-c", text]
