import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.backup_sources.command.output import LAST, LONGEST_LINE, Output


def told(*pieces: bytes, most: int = 1 << 20) -> list[str]:
    lines: list[str] = []
    output = Output(lines.append, most=most)
    for piece in pieces:
        output.feed(piece)
    output.end()
    return lines


@pytest.mark.parametrize(
    ("printed", "lines"),
    [
        (b"", []),
        (b"a", ["a"]),
        (b"a\n", ["a"]),
        (b"a\n\nb", ["a", "", "b"]),
        (b"10%\r20%\r\ndone\n", ["10%", "20%", "done"]),
        (b"\xff\n", ["\ufffd"]),
    ],
)
def test_what_is_printed_becomes_lines(printed, lines):
    assert told(printed) == lines


@given(st.binary(max_size=60), st.data())
def test_how_it_comes_does_not_matter(printed, data):
    pieces, rest = [], printed
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        pieces.append(rest[:size])
        rest = rest[size:]

    assert told(*pieces) == told(printed)


@given(st.text(st.sampled_from("ab\n\r"), max_size=40), st.data())
def test_how_lines_end_does_not_matter(text, data):
    printed = text.encode()
    at = data.draw(st.integers(0, len(printed)))

    assert told(printed[:at], printed[at:]) == told(printed)


def test_a_line_without_end_takes_no_memory():
    lines: list[str] = []
    output = Output(lines.append)
    for _ in range(300):
        output.feed(b"x" * 1000)

    assert {len(line) for line in lines} == {LONGEST_LINE}
    assert len(lines) == 300_000 // LONGEST_LINE


def test_too_much_is_told_by_its_beginning_and_its_end():
    number = 10_000
    lines = told(*(b"%d\n" % n for n in range(number)), most=100)

    assert lines[:3] == ["0", "1", "2"]
    assert lines[-1] == str(number - 1)
    left_out = number - len(lines) + 1
    assert f"... {left_out} lines of output are left out here" in lines
    assert len(lines) < 50 + LAST + 1


@given(st.integers(0, 500))
def test_no_line_is_told_twice_or_lost_unsaid(number):
    lines = told(*(b"%d\n" % n for n in range(number)), most=50)
    said = [line for line in lines if not line.startswith("...")]
    left_out = sum(int(line.split()[1]) for line in lines if line.startswith("..."))

    assert len(set(said)) == len(said)
    assert len(said) + left_out == number


def test_the_last_lines_tell_why():
    output = Output(lambda _: None)
    output.feed(b"".join(b"%d\n\n" % n for n in range(9)) + b"so it ends")
    output.end()

    assert output.last() == ["5", "6", "7", "8", "so it ends"]
