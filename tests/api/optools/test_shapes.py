"""Times in words, ids, and who somebody is, as its clients know them."""

import pytest

from syncd.api.optools import shapes


@pytest.mark.parametrize(
    ("took", "words"),
    [
        (23800, "23.8 secs"),
        (133, "133.0 ms"),
        (1542, "1.5 secs"),
        (1542056, "25.7 mins"),
        (15420568, "4.3 hrs"),
        (1542056818, "17.8 days"),
        (0.15, "0.1 ms"),
        (1250, "1.3 secs"),
        (1000, "1000.0 ms"),
        (60000, "60.0 secs"),
        (0, "0 secs"),
        (-1, "0 secs"),
        ("?", "? sec"),
        (None, "? sec"),
        (True, "? sec"),
    ],
)
def test_how_long_it_took(took, words):
    assert shapes.elapsed(took) == words


@pytest.mark.parametrize(
    ("name", "means", "shown"),
    [
        ("dshuffma@us.ibm.com", "password", "d******a@us.ibm.com"),
        ("abc@x.org", "session", "a**@x.org"),
        ("ab@x.org", "session", "**@x.org"),
        ("a@x.org", "session", "*@x.org"),
        ("a@x.org", "token k1RK41qxePGAqHg8", "k1RK41qx***"),
        ("anybody", "no login", "unknown_email"),
        ("", "nothing", "-"),
    ],
)
def test_who_asked_is_not_told_in_full(name, means, shown):
    assert shapes.censored(name, means) == shown
