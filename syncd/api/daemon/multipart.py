"""A form with files (multipart/form-data), read while it comes.

Fields are kept, up to a limit; the one file goes wherever it is told to, chunk by
chunk, and is never held in memory.
"""

import re
from collections.abc import Iterator
from email.message import Message
from enum import Enum, auto

from syncd.errors import BadRequest

LONGEST_BOUNDARY = 70
MOST_HEAD = 8192
"""Bytes of the lines before a part."""
MOST_FIELD = 8192
"""Bytes of a field that is no file."""
MOST_FIELDS = 50

_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,\-./:=? ]{1,70}", re.ASCII)


class _Where(Enum):
    BEFORE = auto()
    HEAD = auto()
    PART = auto()
    BEHIND = auto()


class Form:
    """Fields as they come; ``feed`` gives the bytes of the file."""

    def __init__(self, content_type: str) -> None:
        """Take the Content-Type; raise BadRequest if it is not that of a form."""
        said = Message()
        said["Content-Type"] = content_type
        boundary = said.get_boundary("") or ""
        if said.get_content_type() != "multipart/form-data" or not _BOUNDARY.fullmatch(
            boundary
        ):
            raise BadRequest("the body must be multipart/form-data, with its boundary")
        # So that the first boundary is found like the others.
        self._waiting = b"\r\n"
        self._mark = b"\r\n--" + boundary.encode()
        self._where = _Where.BEFORE
        self._field: str | None = None
        self.filename: str | None = None
        """Of the file, as the sender calls it; None: there was none."""
        self.fields: dict[str, bytes] = {}

    @property
    def complete(self) -> bool:
        """Tell whether the end has come."""
        return self._where is _Where.BEHIND

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Take some of the body, and give what is in it of the file.

        Raise BadRequest for what is no form, or one of too many or too large fields.
        """
        self._waiting += chunk
        while True:
            if self._where is _Where.HEAD:
                if not self._read_head():
                    return
            elif self._where is _Where.BEHIND:
                self._waiting = b""
                return
            else:
                found = self._waiting.find(self._mark)
                # What may be the beginning of a mark has to wait for the rest.
                end = found if found >= 0 else len(self._waiting) - len(self._mark)
                if end > 0:
                    yield from self._take(self._waiting[:end])
                    self._waiting = self._waiting[end:]
                if found < 0 or not self._pass_mark():
                    return

    def _take(self, content: bytes) -> Iterator[bytes]:
        if self._where is _Where.BEFORE:
            return
        if self._field is None:
            yield content
            return
        self.fields[self._field] += content
        if len(self.fields[self._field]) > MOST_FIELD:
            raise BadRequest(f"the field {self._field[:40]!a} is too long")

    def _pass_mark(self) -> bool:
        """Go over the mark that comes next; return whether all of it was there."""
        rest = self._waiting[len(self._mark) :][:2]
        if len(rest) < 2:
            return False
        if rest not in (b"\r\n", b"--"):
            raise BadRequest("the form has a boundary inside of a part")
        self._where = _Where.HEAD if rest == b"\r\n" else _Where.BEHIND
        self._waiting = self._waiting[len(self._mark) + 2 :]
        return True

    def _read_head(self) -> bool:
        """Read what a part is; return whether all of that was there."""
        end = self._waiting.find(b"\r\n\r\n")
        if max(end, len(self._waiting) if end < 0 else 0) > MOST_HEAD:
            raise BadRequest("a part of the form has too long a head")
        if end < 0:
            return False
        head, self._waiting = self._waiting[:end], self._waiting[end + 4 :]
        self._begin(_disposition(head))
        self._where = _Where.PART
        return True

    def _begin(self, said: Message) -> None:
        name = said.get_param("name", header="content-disposition")
        filename = said.get_filename()
        if said.get_content_disposition() != "form-data" or not isinstance(name, str):
            raise BadRequest("a part of the form has no name")
        if name == "file":
            if self.filename is not None:
                raise BadRequest("the form has more than one file")
            self.filename, self._field = filename or "", None
            return
        if name in self.fields or len(self.fields) >= MOST_FIELDS:
            raise BadRequest(f"the form has {name[:40]!a} twice, or too many fields")
        self._field, self.fields[name] = name, b""


def _disposition(head: bytes) -> Message:
    """Return the head of a part, of which only one line says anything."""
    said = Message()
    for line in head.decode(errors="replace").split("\r\n"):
        name, _, value = line.partition(":")
        if name.strip().lower() == "content-disposition":
            said["Content-Disposition"] = value.strip()
    return said
