"""Command lines: every value stays one word, and none becomes an option."""

import shlex

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from syncd.core.borg import words
from syncd.core.borg.tasks import Keep
from syncd.core.borg.values import Client, Login, Policy, Repository
from syncd.core.borg.variables import Dump, Files
from syncd.errors import BadRequest, ConfigError

KEYS = words.Keys(known_hosts="/s/known_hosts", key="/s/key")
REPOSITORY = Repository(path="/srv/r", passphrase="hush")
CLIENT = Client(hostname="web", port=2222, user="me", address="10.0.0.1")

TEXTS = st.text(min_size=1, max_size=20) | st.sampled_from(
    ["-x", "--", "--stats", "a b", "$(id)", "'", '"', "re:.*", "::", "{now}", "*"]
)
HOSTS = st.text("abz01-._", min_size=1, max_size=10)


def repository(path: str) -> Repository:
    try:
        return Repository(path=path)
    except BadRequest:
        assume(False)
        raise


def client(name: str) -> Client:
    try:
        return Client(hostname=name)
    except BadRequest:
        assume(False)
        raise


def behind(said: list[str]) -> list[str]:
    """Return what stands behind the first ``--``, where nothing is an option."""
    return said[said.index("--") + 1 :]


@given(TEXTS, TEXTS, TEXTS)
def test_values_of_a_backup_stay_values(path, pattern, folder):
    where = repository(f"/{path}")
    what = Files((f"/{folder}",), (pattern,))

    said = words.create(where, "archive", what)

    assert behind(said) == [f"/{path}::archive", f"/{folder}"]
    options = said[2 : said.index("--")]
    assert f"--exclude={pattern}" in options
    assert len(options) == 5
    assert all(one.startswith("--") for one in options)


@given(st.lists(TEXTS, min_size=1))
def test_a_command_is_handed_on_word_for_word(command):
    said = words.create(REPOSITORY, "a", Dump(tuple(command)))

    assert behind(said) == ["/srv/r::a", *command]


@given(HOSTS, st.lists(TEXTS, min_size=1))
def test_a_client_gets_the_same_words(name, command):
    assume("\0" not in "".join(command))
    said = words.ssh(client(name), KEYS, command)

    host, text = behind(said)
    assert host == name
    assert shlex.split(text) == command
    assert said[0] == "ssh"
    assert all(one.startswith("-") for one in said[1 : said.index("--")])


@given(st.lists(TEXTS))
def test_paths_to_restore_are_prefixes(paths):
    try:
        relative = words.relative(paths)
    except BadRequest:
        assume(False)
        raise

    said = words.extract(REPOSITORY, "a", paths)

    assert behind(said) == ["/srv/r::a", *(f"pp:{one}" for one in relative)]
    assert behind(words.listing(REPOSITORY, "a", paths)) == behind(said)
    exported = behind(words.export_tar(REPOSITORY, "a", paths))
    assert exported == ["/srv/r::a", "-", *behind(said)[1:]]


@given(st.sampled_from(Policy), HOSTS, st.integers(1, 9))
def test_pruning_is_about_one_glob(policy, name, number):
    said = words.prune(REPOSITORY, policy, client(name), Keep(yearly=number))

    globs = [one for one in said if one.startswith("--glob-archives=")]
    assert len(globs) == 1
    assert globs[0].startswith(f"--glob-archives={policy}-{name}-[0-9]")
    assert behind(said) == ["/srv/r"]


def test_every_rule_has_its_own_option():
    keep = Keep(hourly=1, daily=2, weekly=3, monthly=4, yearly=5)

    said = words.prune(REPOSITORY, Policy.VM, CLIENT, keep)

    rules = [one for one in said if one.startswith("--keep")]
    assert rules == [
        *("--keep-hourly=1", "--keep-daily=2", "--keep-weekly=3"),
        *("--keep-monthly=4", "--keep-yearly=5"),
    ]
    assert "--dry-run" not in said
    assert "--dry-run" in words.prune(REPOSITORY, Policy.VM, CLIENT, keep, dry_run=True)


def test_without_a_rule_nothing_is_pruned():
    with pytest.raises(BadRequest, match="would delete everything"):
        words.prune(REPOSITORY, Policy.VM, CLIENT, Keep())


def test_a_limit_is_heeded():
    files = Files(("/",), one_file_system=True)

    said = words.create(REPOSITORY, "a", files, bandwidth=100)

    assert {"--upload-ratelimit=100", "--one-file-system"} <= set(said)
    assert "--upload-ratelimit=7" in words.import_tar(REPOSITORY, "a", bandwidth=7)
    assert not any("ratelimit" in one for one in words.import_tar(REPOSITORY, "a"))


def test_ssh_goes_where_it_should_and_asks_nobody():
    said = words.ssh(CLIENT, KEYS, ["true"])

    assert said[-2:] == ["10.0.0.1", "true"]
    assert {"-p2222", "-lme", "-a", "-T", *words.STRICT} <= set(said)
    assert '-oIdentityFile="/s/key"' in said
    assert "-A" in words.ssh(CLIENT, KEYS, ["true"], agent=True)


@pytest.mark.parametrize(
    ("path", "store"),
    [
        ("ssh://borg@store:2222/srv", "borg@[store]:2222"),
        ("store:/srv", "store"),
        ("/srv", "[10.0.0.1]:2222"),
    ],
)
def test_a_lent_key_opens_one_machine_only(path, store):
    said = words.lent(Login(), CLIENT, Repository(path=path), KEYS)

    client = "[10.0.0.1]:2222"
    assert said[:2] == ["-H", "/s/known_hosts"]
    assert said[2:] == ["-h", f"me@{client}", "-h", f"{client}>{store}"]
    assert words.lent(Login(lend_freely=True), CLIENT, REPOSITORY, KEYS) == []


def test_a_client_behind_a_firewall_is_not_called():
    with pytest.raises(ConfigError, match="has to fetch its jobs"):
        words.ssh(Client(hostname="web", behind_firewall=True), KEYS, ["true"])


def test_the_environment_has_no_secret():
    said = words.environment(KEYS, "/base")

    assert said["BORG_BASE_DIR"] == "/base"
    assert "BORG_BASE_DIR" not in words.environment(words.Keys(known_hosts="/k"))
    assert not [name for name in said if "PASS" in name and name[5:12] != "DISPLAY"]
    assert shlex.split(said["BORG_RSH"])[0] == "ssh"


@pytest.mark.parametrize("path", ["/a b/known%hosts", "/it's/known_hosts"])
def test_borg_hands_the_files_on_to_ssh(path):
    rsh = shlex.split(words.rsh(words.Keys(known_hosts=path)))

    assert f'-oUserKnownHostsFile="{path.replace("%", "%%")}"' in rsh
    assert not any("Identity" in one for one in rsh)


ANY = ["--wildcards", "--wildcards-match-slash", "--anchored"]
ONE = ["--wildcards", "--no-wildcards-match-slash", "--anchored"]
DEEP = ["--wildcards", "--no-wildcards-match-slash", "--no-anchored"]
EXACT = ["--no-wildcards", "--anchored"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.log", [*ANY, "--exclude=./*.log"]),
        ("/srv/tmp", [*ANY, "--exclude=./srv/tmp"]),
        ("srv/tmp/", [*ANY, "--exclude=./srv/tmp/*"]),
        ("fm:*.o", [*ANY, "--exclude=./*.o"]),
        ("a\\b:c", [*ANY, "--exclude=./a\\\\b:c"]),
        ("-x", [*ANY, "--exclude=./-x"]),
        ("sh:/proc/*", [*ONE, "--exclude=./proc/*"]),
        ("sh:/srv/**", [*ONE, "--exclude=./srv/*"]),
        ("sh:**/.cache", [*DEEP, "--exclude=.cache"]),
        ("pp:/srv/[a]/", [*EXACT, "--exclude=./srv/[a]"]),
        ("pf:/srv/*", [*EXACT, "--exclude=./srv/*"]),
    ],
)
def test_what_a_tar_leaves_out(pattern, expected):
    said = words.tar(Files(("/srv", "/-x"), (pattern,), one_file_system=True))

    end = said.index("--")
    # In other languages nobody could tell what it says.
    assert said[:3] == ["env", "LC_ALL=C", "tar"]
    assert said[end - len(expected) : end] == expected
    assert behind(said) == ["./srv", "./-x"]
    assert "--one-file-system" in said


@pytest.mark.parametrize("pattern", ["re:x", "re:", "sh:/a/**/b", "sh:/", "pp:/", "/"])
def test_what_tar_cannot_leave_out_is_refused(pattern):
    with pytest.raises(BadRequest, match="cannot be heeded when a client is pulled"):
        words.tar(Files(("/srv",), (pattern,)))


@pytest.mark.parametrize("path", ["", "/", "a/../b", ".."])
def test_what_is_no_path_in_an_archive(path):
    with pytest.raises(BadRequest, match="no path in an archive"):
        words.relative([path])


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (words.survey(REPOSITORY), ["/srv/r"]),
        (words.info(REPOSITORY), ["/srv/r"]),
        (words.info(REPOSITORY, "a"), ["/srv/r::a"]),
        (words.compact(REPOSITORY), ["/srv/r"]),
        (words.init(REPOSITORY), ["/srv/r"]),
        (words.break_lock(REPOSITORY), ["/srv/r"]),
        (words.rename(REPOSITORY, "a", "b"), ["/srv/r::a", "b"]),
        (words.check(REPOSITORY, None, data=False), ["/srv/r"]),
        (words.check(REPOSITORY, "a", data=True), ["/srv/r::a"]),
    ],
)
def test_what_is_done_with_a_repository(said, expected):
    assert said[0] == "borg"
    assert behind(said) == expected
    assert "hush" not in " ".join(said)


def test_what_makes_a_repository():
    assert "--append-only" not in words.init(REPOSITORY)
    honest = Repository(path="/srv/r", append_only=True)
    assert "--append-only" in words.init(honest)
    assert words.version() == ["borg", "--version"]


@given(st.lists(TEXTS, min_size=1), st.lists(TEXTS, min_size=1))
def test_programs_for_the_shell_are_the_same_for_everybody(first, second):
    piped = words.pipe(first, second)

    assert piped[:4] == ["bash", "-c", words.PIPE, "bash"]
    assert piped[4:] == [str(len(first)), *first, *second]
    assert words.inside("/f", first)[3:] == ["sh", "/f", *first]
    assert words.any_there(first)[3:] == ["sh", *first]
    assert words.untar()[0] == "tar"
