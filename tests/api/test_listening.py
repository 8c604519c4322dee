import socket
from contextlib import ExitStack

import pytest

from syncd.api.listening import bound
from syncd.errors import ConfigError


def where(sockets):
    """Return where the sockets listen, and close them."""
    with ExitStack() as stack:
        return [stack.enter_context(one).getsockname()[:2] for one in sockets]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_every_address_is_had():
    first, second = free_port(), free_port()

    found = where(bound([("127.0.0.1", first), ("127.0.0.2", first), ("::1", second)]))

    assert found == [("127.0.0.1", first), ("127.0.0.2", first), ("::1", second)]


def test_a_name_is_all_its_addresses_on_one_port():
    found = where(bound([("localhost", 0)]))

    assert "127.0.0.1" in {host for host, _ in found}
    assert len({port for _, port in found}) == 1


def test_a_port_in_use_is_named_and_nothing_is_left_open():
    first = ("127.0.0.1", free_port())
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        with pytest.raises(ConfigError) as told:
            bound([first, ("127.0.0.1", taken)])

    assert str(told.value) == (
        f"cannot listen on 127.0.0.1:{taken}: Address already in use; stop what"
        " uses it, or choose another address under `listen`"
    )
    assert where(bound([first])) == [first]


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("192.0.2.1", "cannot listen on 192.0.2.1:1: "),
        ("::2", r"cannot listen on \[::2\]:1"),
    ],
)
def test_an_address_that_is_not_ours(host, words):
    with pytest.raises(ConfigError, match=words):
        bound([(host, 1)])
