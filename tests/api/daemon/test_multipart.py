"""Forms: what is in them, however the bytes are cut."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from syncd.api.daemon.multipart import MOST_FIELD, MOST_FIELDS, MOST_HEAD, Form
from syncd.errors import BadRequest

TYPE = "multipart/form-data; boundary=xx"


def a_part(name: str, content: bytes, filename: str | None = None) -> bytes:
    said = f'form-data; name="{name}"'
    if filename is not None:
        said += f'; filename="{filename}"\r\nContent-Type: application/zip'
    return b"\r\n--xx\r\nContent-Disposition: " + said.encode() + b"\r\n\r\n" + content


def read(data: bytes, cuts=()) -> tuple[Form, bytes]:
    form, content, last = Form(TYPE), b"", 0
    for cut in [*sorted(cut % (len(data) + 1) for cut in cuts), len(data)]:
        content += b"".join(form.feed(data[last:cut]))
        last = cut
    return form, content


@given(st.binary() | st.text("-x\r\n").map(str.encode), st.lists(st.integers(0, 10**4)))
@example(b"\r\n--x", [])
@example(b"\r\n--", [])
@example(b"", [])
def test_a_file_is_what_was_sent(content, cuts):
    if b"\r\n--xx" in b"\r\n" + content:
        return
    body = a_part("type", b"full") + a_part("file", content, "a.zip")
    form, found = read(body[2:] + b"\r\n--xx--\r\nmore", cuts)

    assert found == content
    assert (form.filename, form.fields) == ("a.zip", {"type": b"full"})
    assert form.complete


def test_what_comes_before_is_passed_over():
    form, found = read(b"hello" + a_part("file", b"x", "a") + b"\r\n--xx--")

    assert (found, form.complete) == (b"x", True)


@pytest.mark.parametrize(
    "filename", ["../../x.zip", "x.zip", "C:\\\\x.zip", "ž.zip", ""]
)
def test_names_are_given_as_they_are(filename):
    form, _ = read(a_part("file", b"", filename)[2:])

    assert form.filename is not None
    assert not form.complete


def test_a_form_without_a_file():
    assert read(a_part("type", b"full")[2:] + b"\r\n--xx--")[0].filename is None


@pytest.mark.parametrize(
    "type",
    [
        "",
        "application/json",
        "multipart/form-data",
        "multipart/mixed; boundary=xx",
        "multipart/form-data; boundary=" + "x" * 71,
        'multipart/form-data; boundary="x\ty"',
    ],
)
def test_what_is_no_form(type):
    with pytest.raises(BadRequest, match="must be multipart/form-data"):
        Form(type)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (a_part("file", b"a", "a") + b"\r\n--xxyz", "boundary inside"),
        (a_part("file", b"", "a") + a_part("file", b"", "b"), "more than one file"),
        (a_part("a", b"") + a_part("a", b""), "twice"),
        (a_part("a", b"x" * (MOST_FIELD + 1) + b"\r\n--xx--"), "too long"),
        (b"\r\n--xx\r\nX: y\r\n\r\n", "no name"),
        (b"\r\n--xx\r\nContent-Disposition: form-data\r\n\r\n", "no name"),
        (b"\r\n--xx\r\n" + b"x" * (MOST_HEAD + 1), "too long a head"),
        (b"\r\n--xx\r\n" + b"x" * (MOST_HEAD + 1) + b"\r\n\r\n", "too long a head"),
        (
            b"".join(a_part(f"f{n}", b"") for n in range(MOST_FIELDS + 1)),
            "too many fields",
        ),
    ],
)
def test_what_is_refused(data, words):
    with pytest.raises(BadRequest, match=words):
        read(data[2:])


@given(st.binary(), st.lists(st.integers(0, 100)))
def test_anything_is_read_or_refused(data, cuts):
    try:
        form, _ = read(b"--xx\r\n" + data, cuts)
    except BadRequest:
        return
    assert not form.complete or b"--xx--" in data
