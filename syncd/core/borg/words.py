"""Command lines of Borg and of SSH, as lists of words.

Values stand behind ``--``, or in one word with their option. Secrets stand nowhere.
"""

import shlex
from collections.abc import Mapping, Sequence

from msgspec import Struct

from syncd.core.borg.names import archives
from syncd.core.borg.reports import PIPE_CODES
from syncd.core.borg.tasks import Keep
from syncd.core.borg.values import Client, Login, Policy, Repository, known_as
from syncd.core.borg.variables import Dump, Files
from syncd.errors import BadRequest, ConfigError

LOCK_WAIT = 60
"""Seconds that Borg waits for a repository that somebody else works on."""

CONNECT = 30
"""Seconds within which a machine must answer."""

STRICT = (
    *("-oBatchMode=yes", "-oStrictHostKeyChecking=yes", "-oUpdateHostKeys=no"),
    *("-oGlobalKnownHostsFile=/dev/null", f"-oConnectTimeout={CONNECT}"),
    *("-oServerAliveInterval=15", "-oServerAliveCountMax=4"),
)
"""SSH asks nobody, believes no machine unseen, and notices in time that one is gone."""

SSH_FAILED = 255
NOTHING_THERE = 66
"""Exit codes of SSH itself, and of ``any_there``."""

STDIN = "stdin"
"""What the one file of a dump is called."""

PIPE = (
    'count=$1; shift; "${@:1:count}" | "${@:count+1}";'
    ' codes=("${PIPESTATUS[@]}"); echo "' + PIPE_CODES + ' ${codes[*]}" >&2;'
    " [ $((codes[0] + codes[1])) = 0 ]"
)
ANY_THERE = 'for one; do [ -e "$one" ] || [ -L "$one" ] && exit 0; done; exit 66'
IN_FOLDER = 'cd -- "$1" && shift && exec "$@"'
"""Shell programs that are the same for everybody: what differs are their words."""

UNPREFIXED = r"--transform=flags=rhS;s,^\./\(.\),\1,"
"""Has tar leave out the ``./`` before names, and before what hard links lead to."""

Words = list[str]

_COMMON = ("--log-json", f"--lock-wait={LOCK_WAIT}")


class Keys(Struct, frozen=True, kw_only=True):
    """Files that SSH is to read."""

    known_hosts: str
    key: str | None = None


def ssh_options(keys: Keys) -> Words:
    """Return SSH's options, with the files that it reads."""
    words = [*STRICT, f"-oUserKnownHostsFile={_quoted(keys.known_hosts)}"]
    if keys.key is not None:
        words += ["-oIdentitiesOnly=yes", f"-oIdentityFile={_quoted(keys.key)}"]
    return words


def ssh(
    client: Client, keys: Keys, words: Sequence[str], *, agent: bool = False
) -> Words:
    """Return the words that run others on a client.

    With ``agent`` it may use our keys meanwhile. Raise ConfigError for a client that
    cannot be reached.
    """
    if client.behind_firewall:
        raise ConfigError(
            f"{client.hostname} is behind a firewall and cannot be reached: it has to"
            " fetch its jobs itself"
        )
    return [
        "ssh",
        *ssh_options(keys),
        *(("-A",) if agent else ("-a",)),
        "-x",
        "-T",
        f"-p{client.port}",
        f"-l{client.user}",
        "--",
        client.address or client.hostname,
        shlex.join(words),
    ]


def lent(login: Login, client: Client, repository: Repository, keys: Keys) -> Words:
    """Return the options of ``ssh-add`` that limit what a client may do with our key.

    From there it opens nothing but the machine of the repository.
    """
    if login.lend_freely:
        return []
    there = repository.place
    name = known_as(client.address or client.hostname, client.port)
    store = known_as(there.host or name, there.port)
    account = f"{there.user}@" if there.user else ""
    return [
        *("-H", keys.known_hosts),
        *("-h", f"{client.user}@{name}"),
        *("-h", f"{name}>{account}{store}"),
    ]


def rsh(keys: Keys) -> str:
    """Return what BORG_RSH has to be, so that Borg reaches repositories."""
    return shlex.join(["ssh", *ssh_options(keys), "-a", "-x"])


def any_there(paths: Sequence[str]) -> Words:
    """Return the words that end with NOTHING_THERE if none of the paths is there."""
    return ["sh", "-c", ANY_THERE, "sh", *paths]


def pipe(first: Sequence[str], second: Sequence[str]) -> Words:
    """Return the words that run two commands, the second on what the first prints.

    How each has ended is told on stderr, for reports.pipe_codes.
    """
    return ["bash", "-c", PIPE, "bash", str(len(first)), *first, *second]


def inside(folder: str, words: Sequence[str]) -> Words:
    """Return the words that run others in a folder."""
    return ["sh", "-c", IN_FOLDER, "sh", folder, *words]


def environment(keys: Keys, base: str = "") -> dict[str, str]:
    """Return what Borg needs in its environment; no secret is among it."""
    said = {"BORG_RSH": rsh(keys), **SETTLED}
    return {**said, "BORG_BASE_DIR": base} if base else said


SETTLED: Mapping[str, str] = {
    # Nobody is there to answer questions; these are asked when a folder has moved.
    "BORG_RELOCATED_REPO_ACCESS_IS_OK": "yes",
    "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes",
    "BORG_DISPLAY_PASSPHRASE": "no",
    # Times are printed without their zone.
    "TZ": "UTC",
    # Names are read and printed as they are.
    "LC_ALL": "C.UTF-8",
}


def create(
    repository: Repository,
    archive: str,
    what: Files | Dump,
    *,
    bandwidth: int | None = None,
) -> Words:
    """Return the words that make an archive."""
    words = ["borg", "create", *_COMMON, "--progress", "--json", *_limit(bandwidth)]
    where = _where(repository, archive)
    if isinstance(what, Dump):
        # Borg runs it, and keeps nothing of it if it fails.
        words += [f"--stdin-name={STDIN}", "--content-from-command"]
        return [*words, "--", where, *what.words]
    if what.one_file_system:
        words.append("--one-file-system")
    words += [f"--exclude={pattern}" for pattern in what.excludes]
    return [*words, "--", where, *what.paths]


def import_tar(
    repository: Repository, archive: str, *, bandwidth: int | None = None
) -> Words:
    """Return the words that make an archive of a tar on stdin."""
    words = ["borg", "import-tar", *_COMMON, "--progress", "--json", *_limit(bandwidth)]
    return [*words, "--", _where(repository, archive), "-"]


def tar(what: Files) -> Words:
    """Return the words that print files as a tar; raise BadRequest for patterns.

    Names in it are as Borg has them. What it says is not translated: by that is known
    whether it gave up.
    """
    words = ["env", "LC_ALL=C", "tar", "--create", "--file=-", "--format=gnu"]
    words += ["--directory=/", UNPREFIXED]
    words += ["--warning=no-file-removed", "--warning=no-file-changed"]
    if what.one_file_system:
        words.append("--one-file-system")
    for pattern in what.excludes:
        words += _tar_exclude(pattern)
    return [*words, "--", *(f"./{path.lstrip('/')}" for path in what.paths)]


def _tar_exclude(pattern: str) -> Words:
    """Return a pattern of Borg's in tar's words, which leaves out nothing else."""
    style, colon, rest = pattern.partition(":")
    if not colon or style not in ("fm", "sh", "pp", "pf", "re"):
        style, rest = "fm", pattern
    path = rest.lstrip("/")
    # Only there a star stands for no slash, and two for any folders.
    is_shell = style == "sh"
    deep = is_shell and path.startswith("**/")
    if is_shell:
        path = path.removeprefix("**/")
        path = path[:-1] if path.endswith("/**") else path
    if style == "re" or not path or (is_shell and "**" in path):
        raise BadRequest(
            f"the exclude {pattern!r} cannot be heeded when a client is pulled; give a"
            " pattern like sh:/home/*/.cache, with ** at its beginning or end only"
        )
    if style in ("pp", "pf"):
        return ["--no-wildcards", "--anchored", f"--exclude=./{path.rstrip('/')}"]
    slashes = "--no-wildcards-match-slash" if is_shell else "--wildcards-match-slash"
    # To tar, a backslash takes from what follows its meaning.
    path = path.replace("\\", "\\\\") + ("*" if path.endswith("/") else "")
    anchor, start = ("--no-anchored", "") if deep else ("--anchored", "./")
    return ["--wildcards", slashes, anchor, f"--exclude={start}{path}"]


def listing(repository: Repository, archive: str, paths: Sequence[str] = ()) -> Words:
    """Return the words that print what is in an archive, or some of it, a line each."""
    where = _where(repository, archive)
    return ["borg", "list", *_COMMON, "--json-lines", "--", where, *_exactly(paths)]


def survey(repository: Repository) -> Words:
    """Return the words that print which archives there are."""
    return ["borg", "list", *_COMMON, "--json", "--", repository.path]


def info(repository: Repository, archive: str | None = None) -> Words:
    """Return the words that print how much a repository, or an archive, takes."""
    where = repository.path if archive is None else _where(repository, archive)
    return ["borg", "info", *_COMMON, "--json", "--", where]


def rename(repository: Repository, archive: str, name: str) -> Words:
    """Return the words that call an archive otherwise."""
    return ["borg", "rename", *_COMMON, "--", _where(repository, archive), name]


def prune(
    repository: Repository,
    policy: Policy,
    client: Client,
    keep: Keep,
    *,
    dry_run: bool = False,
) -> Words:
    """Return the words that delete what no rule keeps; raise BadRequest without one."""
    rules = [
        f"--keep-{name}={number}"
        for name in Keep.__struct_fields__
        if (number := getattr(keep, name))
    ]
    if not rules:
        raise BadRequest("no rule says what is kept: pruning would delete everything")
    words = ["borg", "prune", *_COMMON, "--list", "--info", *rules]
    if dry_run:
        words.append("--dry-run")
    glob = f"--glob-archives={archives(policy, client)}"
    return [*words, glob, "--", repository.path]


def compact(repository: Repository) -> Words:
    """Return the words that make room of what was deleted."""
    return ["borg", "compact", *_COMMON, "--progress", "--", repository.path]


def check(repository: Repository, archive: str | None, *, data: bool) -> Words:
    """Return the words that look whether a repository or an archive is sound."""
    words = ["borg", "check", *_COMMON, "--progress", "--info"]
    if data:
        words.append("--verify-data")
    if archive is None:
        return [*words, "--", repository.path]
    return [*words, "--", _where(repository, archive)]


def init(repository: Repository) -> Words:
    """Return the words that make a repository."""
    words = ["borg", "init", *_COMMON, f"--encryption={repository.encryption}"]
    if repository.append_only:
        words.append("--append-only")
    return [*words, "--make-parent-dirs", "--", repository.path]


def version() -> Words:
    """Return the words that print Borg's version."""
    return ["borg", "--version"]


def break_lock(repository: Repository) -> Words:
    """Return the words that remove a lock; only for one that nobody holds."""
    return ["borg", "break-lock", *_COMMON, "--", repository.path]


def extract(repository: Repository, archive: str, paths: Sequence[str]) -> Words:
    """Return the words that unpack an archive into the working folder."""
    words = ["borg", "extract", *_COMMON, "--progress", "--numeric-ids"]
    return [*words, "--", _where(repository, archive), *_exactly(paths)]


def export_tar(repository: Repository, archive: str, paths: Sequence[str]) -> Words:
    """Return the words that print an archive as a tar."""
    where = _where(repository, archive)
    return ["borg", "export-tar", *_COMMON, "--", where, "-", *_exactly(paths)]


def untar() -> Words:
    """Return the words that unpack a tar on stdin into the working folder."""
    return ["tar", "--extract", "--file=-", "--preserve-permissions", "--numeric-owner"]


def _exactly(paths: Sequence[str]) -> Words:
    return [f"pp:{path}" for path in relative(paths)]


def relative(paths: Sequence[str]) -> Words:
    """Return paths as archives have them; raise BadRequest for what is none."""
    relative = []
    for path in paths:
        stripped = path.strip("/")
        if not stripped or ".." in stripped.split("/"):
            raise BadRequest(
                f"{path!r} is no path in an archive; leave all out for the whole of it"
            )
        relative.append(stripped)
    return relative


def _where(repository: Repository, archive: str) -> str:
    return f"{repository.path}::{archive}"


def _limit(bandwidth: int | None) -> Words:
    return [f"--upload-ratelimit={bandwidth}"] if bandwidth else []


def _quoted(path: str) -> str:
    """Return a file's name as SSH takes it in its options: % and blanks are special."""
    return '"' + path.replace("%", "%%") + '"'
