import re
from urllib.parse import quote_from_bytes

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.api.operation import LIMIT, Operation, PathWord, Word, on
from syncd.errors import BadRequest

PATH = PathWord("path", "")


@given(st.text(st.characters(exclude_categories=["Cs"])) | st.from_regex(r"[./a]{0,9}"))
def test_the_pattern_of_a_path_says_what_is_taken(text):
    try:
        PATH.read(text.encode())
    except BadRequest:
        taken = False
    else:
        taken = True

    sound = jsonschema.Draft202012Validator(PATH.schema()).is_valid(text)
    assert sound == taken


@given(st.binary())
def test_any_bytes_are_a_path_or_refused(raw):
    try:
        found = PATH.read(raw)
    except BadRequest:
        return
    assert found is None or not found.startswith("/")


@given(st.binary(max_size=30))
def test_any_bytes_are_a_number_or_refused_in_words(raw):
    try:
        assert 1 <= LIMIT.read(raw) <= 1000
    except BadRequest as error:
        assert str(error).isprintable(), quote_from_bytes(raw)


def test_one_of_a_few():
    word = Word("state", "", ("new", "old"))

    assert word.read(b"new") == "new"
    with pytest.raises(BadRequest, match=re.escape("one of new, old, not 'odd'")):
        word.read(b"odd")


def test_defaults_and_strangers():
    async def call(self) -> None:
        """Do it."""

    operation = Operation(call=call, query=(LIMIT,))

    assert operation.parameters({}) == {"limit": 20}
    assert operation.parameters({"limit": [b"7"]}) == {"limit": 7}
    with pytest.raises(BadRequest, match="2 times"):
        operation.parameters({"limit": [b"7", b"7"]})
    with pytest.raises(BadRequest, match="unknown parameter 'x': known are limit"):
        operation.parameters({"x": [b""]})


def test_one_function_may_answer_two_methods():
    @on("PUT")
    @on("POST")
    async def call(self) -> None:
        """Do it."""

    operations = vars(call)["operations"]
    assert operations.keys() == {"PUT", "POST"}
    assert operations["PUT"].about == "Do it."
