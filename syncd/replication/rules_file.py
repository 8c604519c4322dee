"""The rules file: YAML that people edit, and that PUT /rules replaces as a whole."""

import errno
import os
import tempfile
from collections.abc import Hashable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import yaml

from syncd.core.rules import RuleFaults
from syncd.errors import NoRoom, Unavailable

MOST_BYTES = 16 * 1024 * 1024

_HEADER = """\
# Written by PUT /rules; what was here before is in {backup}.
# It may be edited: `syncd rules reload`, PUT /rules/reload or SIGHUP puts it in force.
"""

_NOT_YAML = (ValueError, TypeError, LookupError, AttributeError, OverflowError)
"""What PyYAML lets slip for values like ``!!int x`` or the date 2024-99-99."""


def read(path: Path) -> Any:
    """Return the document in the file; raise RuleFaults if there is none."""
    try:
        return _document(_text(path))
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


def _text(path: Path) -> str:
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
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise RuleFaults(f"line {line} is not UTF-8 text") from None


def _document(text: str) -> Any:
    try:
        document = yaml.load(text, _Loader)
    except yaml.MarkedYAMLError as error:
        raise RuleFaults(_words(error)) from None
    except yaml.YAMLError as error:
        raise RuleFaults(f"is not YAML: {' '.join(str(error).split())}") from None
    except RecursionError:
        raise RuleFaults("goes too deep") from None
    except _NOT_YAML as error:
        raise RuleFaults(f"has a value that cannot be: {error}") from None
    if document is None:
        raise RuleFaults("is empty; no rules at all are the line rules: []")
    if isinstance(document, list):
        raise RuleFaults("begins with a list; put the line rules: above it")
    return document


def _words(error: yaml.MarkedYAMLError) -> str:
    mark, problem = error.problem_mark, error.problem or "is not YAML"
    if "\\t" in problem:
        problem += "; indent with spaces, not tabs"
    if mark is None:
        return problem
    return f"line {mark.line + 1}, column {mark.column + 1}: {problem}"


class _Loader(yaml.SafeLoader):
    """A safe loader that refuses a key given twice instead of dropping one."""

    def construct_mapping(
        self, node: yaml.MappingNode, deep: bool = False
    ) -> dict[Hashable, Any]:
        """Return the mapping; raise ConstructorError for a key given twice."""
        seen = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    problem=f"the key {key.value[:40]!r} is there twice",
                    problem_mark=key.start_mark,
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


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
