"""Classes by name, as installed packages announce them by entry points.

A package announces a class twice under one name: itself in one group, the model of its
options in another. So the options can be checked, and told, without what the class is
made of; and a child loads the class by its reference, without the models.
"""

import sys
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import Any, Generic, NamedTuple, Protocol, TypeVar, cast

from syncd.errors import ConfigError


class Model(Protocol):
    """What may be said, as pydantic checks it."""

    @classmethod
    def model_json_schema(cls) -> dict[str, Any]:
        """Return it as JSON Schema."""
        ...


Options = TypeVar("Options", bound=Model)


class Schema(NamedTuple):
    """What people may know of a class: a sentence, and its options as JSON Schema."""

    description: str
    options: dict[str, Any]


class Announced(Generic[Options]):
    """The classes of one group, and the models of their options."""

    def __init__(
        self,
        what: str,
        groups: tuple[str, str],
        usual: type[Options],
        ours: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        """Look into two groups: of the classes, and of the models of their options.

        ``what`` they are called, ``usual`` is the model of those that announce none,
        and ``ours``, by group, is known without a look at every installed package.
        """
        self._what = what
        self._classes, self._models = groups
        self._usual = usual
        self._ours = ours or {}

    def names(self) -> list[str]:
        """Return the names of what is installed, sorted."""
        return sorted(_announced(self._classes))

    def reference(self, name: str) -> str:
        """Return where the class of that name is, for load.

        Raise ConfigError if there is none.
        """
        place = self._place(self._classes, name)
        if place is None:
            known = ", ".join(self.names()) or "none"
            raise ConfigError(f"there is no {self._what} {name!r}; known: {known}")
        return place

    def options(self, name: str) -> type[Options]:
        """Return the model of the options of that name.

        Raise ConfigError if there is no such class, or if its package is broken.
        """
        reference = self.reference(name)
        place = self._place(self._models, name)
        if place is None:
            return self._usual
        return cast("type[Options]", load(place, self._what, reference))

    def schemas(self) -> dict[str, Schema]:
        """Return everything whose options can be loaded, with what these may say."""
        found = {}
        for name in self.names():
            try:
                model = self.options(name)
            except ConfigError:
                continue  # told to whoever configures it
            first = (model.__doc__ or "").strip().partition("\n")[0]
            found[name] = Schema(first, model.model_json_schema())
        return found

    def _place(self, group: str, name: str) -> str | None:
        return self._ours.get(group, {}).get(name) or _announced(group).get(name)


def load(reference: str, what: str, told: str = "") -> Any:
    """Return what ``module:name`` refers to.

    Raise ConfigError if its package is broken, which names ``told`` in its place.
    """
    module, _, name = reference.partition(":")
    try:
        return getattr(import_module(module), name)
    except Exception as error:  # noqa: BLE001 - a stranger's package may fail in any way
        raise ConfigError(
            f"a {what} cannot be loaded from {told or reference}:"
            f" {type(error).__name__}: {error}; install its package anew"
        ) from None


def _announced(group: str) -> dict[str, str]:
    return _found(group, tuple(sys.path))


@cache
def _found(group: str, _where: tuple[str, ...]) -> dict[str, str]:
    # Asked for again and again; to look means to read of every installed package; what
    # looks is itself loaded only for that.
    metadata = import_module("importlib.metadata")
    return {point.name: point.value for point in metadata.entry_points(group=group)}
