import pytest

from syncd.core.backup import VaultView
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
