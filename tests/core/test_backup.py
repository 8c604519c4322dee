import pytest

from syncd.core.backup import VaultView, lasting
from syncd.core.vault import Summary


@pytest.mark.parametrize(
    ("more", "valid"),
    [
        ({}, True),
        ({"verified": 1.0, "proven": 2.0}, True),
        ({"canceled": True}, False),
        ({"damaged": ["packs/1: rotten"]}, False),
    ],
)
@pytest.mark.parametrize("failed", [None, "no room"])
def test_a_vault_can_be_restored_from_if_nothing_is_wrong_with_it(more, valid, failed):
    summary = Summary(name="v", source="s", made=1.0, failed=failed)

    assert VaultView(summary=summary, **more).valid is (valid and failed is None)


def test_what_lasts_of_what_is_asked_for_has_no_moment_in_it():
    pin = {"reason": "law", "by": "me", "since": 1.0, "until": 9.0}
    asked = {"variables": {"start": 5, "mode": "x"}, "derived": ["start"], "pin": pin}

    assert lasting(asked) == {
        "variables": {"mode": "x"},
        "pin": {"reason": "law", "by": "me", "until": 9.0},
    }
    assert lasting({"vault": "v", "pin": None}) == {"vault": "v", "pin": None}
    assert pin["since"] == 1.0
