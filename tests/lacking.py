"""What a test does where the machine lacks something that it needs."""

import os
from typing import NoReturn

import pytest


def lacking(what: str) -> NoReturn:
    """Skip the test, but where everything has to be there, fail it."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)
