"""Names of archives, and whose they are."""

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from syncd.core.borg.names import archive, archives, check, named
from syncd.core.borg.tasks import BackUp
from syncd.core.borg.values import Client, Policy, Repository
from syncd.errors import BadRequest

HOSTS = st.from_regex(r"[a-z0-9](?:[a-z0-9._-]{0,20}[a-z0-9])?", fullmatch=True)
POLICIES = st.sampled_from(Policy)
TIMES = st.integers(0, 4_000_000_000).map(float)


def matches(glob: str, name: str) -> bool:
    """Match as Borg does: only what is in brackets means anything in our globs."""
    assert not set(glob) & set("*?!\\")
    return re.fullmatch(glob.replace(".", r"\."), name) is not None


def test_a_name():
    client = Client(hostname="lab.example.com")
    made = archive(Policy.VM, client, 1_543_010_520.0)

    assert made == "vm-lab.example.com-2018-11-23_22-02"


@pytest.mark.parametrize("policy", Policy)
def test_a_client_with_a_name_too_long_for_borg_is_refused_at_once(policy):
    """Borg itself finds that out when it has read everything."""
    most = 231 - len(f"{policy}--2018-11-23_22-02")
    long = Client(hostname="a" * most)
    assert len(archive(policy, long, 1_543_010_520.0)) == 231

    with pytest.raises(BadRequest, match="too long for one of Borg's archives"):
        BackUp(
            repository=Repository(path="/srv/r"),
            client=Client(hostname="a" * (most + 1)),
            policy=policy,
            made=0.0,
        )


@given(POLICIES, HOSTS, TIMES)
def test_every_archive_is_its_own_clients(policy, host, made):
    client = Client(hostname=host)
    name = archive(policy, client, made)

    assert matches(archives(policy, client), name)
    assert check(name) == name
    found = named(name)
    assert found is not None
    assert (found.policy, found.hostname) == (policy, host)
    assert 0 <= made - found.made < 60


@given(POLICIES, HOSTS, POLICIES, HOSTS, TIMES)
def test_no_archive_is_another_clients(policy, host, other_policy, other, made):
    assume((policy, host) != (other_policy, other))
    name = archive(other_policy, Client(hostname=other), made)

    assert not matches(archives(policy, Client(hostname=host)), name)


@pytest.mark.parametrize("more", ["-01", "-2018-11-23_22-02", ".example.com"])
def test_a_longer_name_is_another_client(more):
    longer = archive(Policy.ROOTFS, Client(hostname=f"web{more}"), 0.0)

    assert not matches(archives(Policy.ROOTFS, Client(hostname="web")), longer)


@pytest.mark.parametrize(
    "name",
    ["", "web", "rootfs-web", "other-web-2018-11-23_22-02", "vm-web-2018-13-23_22-02"],
)
def test_names_that_are_none_of_ours(name):
    assert named(name) is None


def test_a_name_of_no_host_is_none_of_ours():
    assert named("vm--x-2018-11-23_22-02") is None


@pytest.mark.parametrize(
    "name", ["", "-x", " x", "x" * 256, "a/b", "a::b", "{now}", "a\nb", "a\0"]
)
def test_what_cannot_be_a_name(name):
    with pytest.raises(BadRequest, match="no name of an archive"):
        check(name)
