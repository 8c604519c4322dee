"""What a command prints, as lines for a log that must not become endless."""

from collections import deque
from collections.abc import Callable
from itertools import islice

LONGEST_LINE = 4096
"""Bytes; what is longer goes on in the next line."""

MOST = 8 << 20
"""Bytes told as they come; of what is more, only the last lines are told."""

LAST = 200
"""How many those are."""

SHOWN = 5
"""Lines that tell why a command failed."""

Tell = Callable[[str], None]


class Output:
    """Takes bytes as they come and tells lines; keeps the last ones."""

    def __init__(self, tell: Tell, *, most: int = MOST) -> None:
        self._tell = tell
        self._left = most
        self._begun = b""
        self._after_return = False
        self._last: deque[str] = deque(maxlen=LAST)
        self._untold = 0
        self._untold_bytes = 0

    def feed(self, data: bytes) -> None:
        """Take what was printed next."""
        if self._after_return and data.startswith(b"\n"):
            data = data[1:]
        self._after_return = data.endswith(b"\r") if data else self._after_return
        # A progress bar goes back to the beginning of its line: that is a line, too.
        whole = (self._begun + data).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *lines, begun = whole.split(b"\n")
        for line in lines:
            self._cut(line)
        while len(begun) > LONGEST_LINE:
            self._line(begun[:LONGEST_LINE])
            begun = begun[LONGEST_LINE:]
        self._begun = begun

    def end(self) -> None:
        """Tell what is left, the last lines of what was too much for the log."""
        begun, self._begun = self._begun, b""
        if begun:
            self._cut(begun)
        last = min(self._untold, LAST)
        if self._untold > last:
            self._tell(f"... {self._untold - last} lines of output are left out here")
        for line in islice(self._last, len(self._last) - last, None):
            self._tell(line)
        self._untold = 0

    def last(self, number: int = SHOWN) -> list[str]:
        """Return the last lines that were not blank."""
        said = [line for line in self._last if line.strip()]
        return said[-number:]

    def _cut(self, line: bytes) -> None:
        for start in range(0, max(len(line), 1), LONGEST_LINE):
            self._line(line[start : start + LONGEST_LINE])

    def _line(self, line: bytes) -> None:
        text = line.decode(errors="replace")
        self._last.append(text)
        self._left -= len(line) + 1
        if self._left >= 0:
            self._tell(text)
        else:
            self._untold += 1
