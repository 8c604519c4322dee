"""Names of vaults go by the local clock, and none is given twice."""

from datetime import UTC
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.backup.names import AHEAD, checked, names
from syncd.errors import BadRequest

BERLIN = ZoneInfo("Europe/Berlin")
MOMENTS = st.floats(0, 4_000_000_000)


def test_a_name_is_the_local_time_and_then_the_next_second():
    found = list(islice(names("", 1_700_000_000.9, BERLIN), 2))

    assert found == ["20231114T231320", "20231114T231321"]
    assert next(names("a_b", 1_700_000_000, UTC)) == "a_b_20231114T221320"


@given(MOMENTS, st.sampled_from([UTC, BERLIN]))
def test_no_name_comes_twice_and_each_can_be_one(at, zone):
    found = list(names("p", at, zone))

    assert len(set(found)) == AHEAD
    assert checked(found[0]) == found[0]
    assert sorted(found) == found


@pytest.mark.parametrize("prefix", ["-a", "a/b", "..", "a b", "ä", "x" * 101, "a\n"])
def test_a_prefix_that_is_no_part_of_a_folders_name_is_refused(prefix):
    with pytest.raises(BadRequest, match="prefix"):
        names(prefix, 1.0, UTC)


@pytest.mark.parametrize(
    "name", ["", "2020", "../20200101T000000", "20200101T000000/", "_20200101T000000"]
)
def test_what_no_vault_can_be_called_is_refused(name):
    with pytest.raises(BadRequest, match="no name of a vault"):
        checked(name)
