import os

import pytest

from syncd.errors import NotFound
from syncd.supervisor.stats import Stats, minutes, short


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0, "0:00.00"),
        (0.19, "0:00.19"),
        (0.999, "0:01.00"),
        (61.5, "1:01.50"),
        (7200.0, "120:00.00"),
    ],
)
def test_processor_time_in_minutes(seconds, words):
    assert minutes(seconds) == words


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (0, "0B"),
        (999, "999B"),
        (2048, "2.0K"),
        (18 << 20, "18M"),
        (707 << 20, "707M"),
        (1 << 30, "1.0G"),
        (1020 << 20, "1.0G"),
        (9 << 60, "9216P"),
    ],
)
def test_sizes_are_short(size, words):
    assert short(size) == words


def test_the_share_of_the_processor_is_since_the_last_asking():
    stats = Stats(os.getpid(), 0.0)
    for _ in range(10**6):
        pass

    assert stats.read()["cpu"] > 0


def test_a_process_that_is_gone_has_no_figures():
    with pytest.raises(NotFound):
        Stats(2**22 + 1, 0.0).read()
