"""Which addresses only this machine reaches."""

import pytest

from syncd.core.address import is_loopback


@pytest.mark.parametrize(
    ("host", "only_here"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.3.2.1", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.7", False),
        ("nas.local", False),
        ("", False),
    ],
)
def test_what_only_this_machine_reaches(host, only_here):
    assert is_loopback(host) is only_here
