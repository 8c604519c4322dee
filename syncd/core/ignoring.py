"""Which paths of a storage are none of syncd's business."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from syncd.core.path import is_reserved, parent
from syncd.errors import ConfigError

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

_REMEMBERED = 20_000


class Ignored:
    """The paths an entry's patterns leave out (gitignore grammar), and syncd's own.

    What lies in an ignored folder is ignored, whatever later patterns say.
    """

    def __init__(self, patterns: Sequence[str]) -> None:
        self._any = bool(patterns)
        if patterns:
            self._spec = parsed(patterns)
        self._patterns = [pattern for pattern in patterns if pattern]
        self._folder = lru_cache(_REMEMBERED)(self._has_folder)

    def has(self, path: str, *, folder: bool = False) -> bool:
        """Tell whether the path, or a folder above it, is left out."""
        return is_reserved(path) or (self._any and self._matches(path, folder))

    def has_name(self, path: str, *, folder: bool) -> bool:
        """Tell the same of a path whose parent is known not to be left out."""
        return self._any and self._spec.match_file(path + "/" if folder else path)

    def pattern(self, path: str, *, folder: bool = False) -> str | None:
        """Return the pattern that leaves out the path, None if there is none.

        That of the outermost folder which is left out comes first.
        """
        if not self._any:
            return None
        places = [f"{above}/" for above in _above(path)][::-1]
        for place in [*places, f"{path}/" if folder else path]:
            found = self._spec.check_file(place)
            if found.include and found.index is not None:
                return self._patterns[found.index]
        return None

    def _matches(self, path: str, folder: bool) -> bool:
        itself = self._folder(path) if folder else self._spec.match_file(path)
        return itself or any(map(self._folder, _above(path)))

    def _has_folder(self, path: str) -> bool:
        return self._spec.match_file(path + "/")


def parsed(patterns: Sequence[str]) -> "GitIgnoreSpec":
    """Return what the patterns mean; raise ConfigError if one means nothing."""
    # Loaded only where there are patterns: it is a tenth of what a child loads.
    from pathspec import GitIgnoreSpec  # noqa: PLC0415

    try:
        return GitIgnoreSpec.from_lines(patterns)
    except ValueError as error:
        raise ConfigError(f"not an ignore pattern: {error}") from None


def _above(path: str) -> Iterator[str]:
    """Give the folders the path lies in, innermost first, without the root."""
    while path := parent(path):
        yield path
