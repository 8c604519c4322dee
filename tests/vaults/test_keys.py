import pytest

from syncd.errors import ConfigError, StorageError
from syncd.vaults.keys import Keys, new_identity


def test_a_key_file_may_have_comments_and_older_keys():
    old, new = new_identity()[0], new_identity()[0]
    keys = Keys(f"# created: today\n\n{new}\n{old}\n")

    assert keys.decrypt(Keys(old).encrypt(b"old"), "x") == b"old"
    assert Keys(new).decrypt(keys.encrypt(b"new"), "x") == b"new"
    with pytest.raises(StorageError):
        Keys(old).decrypt(keys.encrypt(b"new"), "x")


def test_a_spare_key_can_read_too():
    secret, public = new_identity()
    keys = Keys(new_identity()[0], [public])

    assert Keys(secret).decrypt(keys.encrypt(b"content"), "x") == b"content"


@pytest.mark.parametrize("text", ["", "# nothing\n", "AGE-SECRET-KEY-1WRONG", "\0"])
def test_what_is_no_key_is_refused_without_being_told(text):
    with pytest.raises(ConfigError) as refused:
        Keys(text)

    assert not text.strip() or text.strip("# \n") not in str(refused.value)


def test_what_is_no_recipient_is_refused():
    with pytest.raises(ConfigError, match="age2nobody"):
        Keys(new_identity()[0], ["age2nobody"])
