"""The rules file: YAML that people edit, and that PUT /rules replaces as a whole."""

import errno
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import yaml

from syncd.core.rules import RuleFaults
from syncd.document import Fault, parse
from syncd.errors import NoRoom, Unavailable
from syncd.text import printable

MOST_BYTES = 16 * 1024 * 1024
MOST_VALUES = 1_000_000
"""Aliases counted each time: as many rules as there may be, for all their entries."""

_HEADER = """\
# Written by PUT /rules; what was here before is in {backup}.
# It may be edited: `syncd rules reload`, PUT /rules/reload or SIGHUP puts it in force.
"""


def read(path: Path) -> Any:
    """Return the document in the file; raise RuleFaults if there is none."""
    try:
        return _document(_data(path))
    except RuleFaults as error:
        raise RuleFaults(*(f"{path}: {fault}" for fault in error.faults)) from None


def write(path: Path, document: Any) -> None:
    """Replace the file by the document, keeping the old one as NAME.bak.

    Whatever happens meanwhile, the file is the old or the new one, whole.
    Raise Unavailable (NoRoom on a full disk) if it cannot be written; then both
    are as they were.
    """
    try:
        file = path.resolve()
        backup = file.with_name(f"{file.name}.bak")
        old = file.read_bytes() if file.exists() else None
        new = _yaml(document, backup.name)
        if old != new:
            _replace({backup: old, file: new}, like=file)
    except (OSError, RuntimeError) as error:
        raise _unwritten(path, error) from error


# Reading ----------------------------------------------------------------------


def _data(path: Path) -> bytes:
    try:
        if not path.is_file():
            what = "is not a file" if path.exists() else "does not exist"
            raise RuleFaults(f"{what}; make it with the line rules: [] in it")
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise RuleFaults(f"cannot be read: {error.strerror}") from None
    if len(data) > MOST_BYTES:
        raise RuleFaults(f"is larger than {MOST_BYTES} bytes")
    return data


def _document(data: bytes) -> Any:
    said = parse(data, None, MOST_VALUES)
    if said.faults:
        raise RuleFaults(*map(_words, said.faults))
    if said.value is None:
        raise RuleFaults("is empty; no rules at all are the line rules: []")
    if isinstance(said.value, list):
        raise RuleFaults("begins with a list; put the line rules: above it")
    return said.value


def _words(fault: Fault) -> str:
    """Return a fault with its place as the rules' own faults have it."""
    parts = [f"[{p}]" if isinstance(p, int) else f".{p}" for p in fault.place]
    place = printable("".join(parts).removeprefix("."))
    return f"{place}: {fault.words}" if place else fault.words


# Writing ----------------------------------------------------------------------


class _Dumper(yaml.SafeDumper):
    """Writes every rule out, even if two are the same object.

    What cannot be seen is escaped: PyYAML would write some line breaks so that
    it reads them back as others.
    """

    def ignore_aliases(self, data: Any) -> bool:
        """Say that nothing is to be an alias."""
        return True

    def represent_str(self, data: str) -> yaml.ScalarNode:
        """Return the text as a node, in quotes where it has to be escaped."""
        style = None if data.isprintable() else '"'
        return self.represent_scalar("tag:yaml.org,2002:str", data, style)


_Dumper.add_representer(str, _Dumper.represent_str)


def _yaml(document: Any, backup: str) -> bytes:
    text: str = yaml.dump(
        document,
        Dumper=_Dumper,
        allow_unicode=True,
        default_flow_style=None,
        sort_keys=False,
    )
    return (_HEADER.format(backup=backup) + text).encode()


def _replace(contents: Mapping[Path, bytes | None], like: Path) -> None:
    """Make files of one folder hold their data, with owner and mode of another.

    All of it is safe on the disk before the first has its name. None: leave it.
    """
    with ExitStack() as temporaries:
        ready = [
            (temporaries.enter_context(_written(path, data, like)), path)
            for path, data in contents.items()
            if data is not None
        ]
        for temporary, path in ready:
            temporary.rename(path)
    _sync(like.parent)


@contextmanager
def _written(path: Path, data: bytes, like: Path) -> Iterator[Path]:
    """Lend a file beside the path that holds the data."""
    descriptor, name = tempfile.mkstemp(".tmp", ".syncd-", path.parent)
    temporary = Path(name)
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123 - it is a descriptor
            _resemble(descriptor, like)
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def _unwritten(path: Path, error: Exception) -> Unavailable:
    told = f"cannot write the rules to {path}: {error}"
    if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
        return NoRoom(f"{told}; make room on its disk, and put them again")
    return Unavailable(told)


def _resemble(descriptor: int, like: Path) -> None:
    try:
        status = like.stat()
    except FileNotFoundError:
        os.fchmod(descriptor, 0o644)
        return
    with suppress(PermissionError):
        os.fchown(descriptor, status.st_uid, status.st_gid)
    os.fchmod(descriptor, status.st_mode & 0o7777)


def _sync(folder: Path) -> None:
    """Make renames in the folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
