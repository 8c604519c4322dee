"""What OPTIONS tells of an address: methods, fields, what can be searched for."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, ClassVar

from syncd.api.cyborg.fields import Field
from syncd.api.cyborg.handler import CyborgHandler
from syncd.errors import SyncdError
from syncd.store.cyborg.finding import kind
from syncd.store.cyborg.models import MODELS
from syncd.store.listing import LARGEST_PAGE

BODIES = ("POST", "PUT")


class Described(CyborgHandler):
    """An address that tells what it takes."""

    model: ClassVar[str] = ""
    fields: ClassVar[Mapping[str, Field]] = {}

    async def options(self, *_: str) -> None:
        """Tell which methods there are and, to who may use them, what they take."""
        if self._refusal is not None:
            raise self._refusal
        if self.is_preflight:
            self.permit()
            return
        await self.recognise()
        said: dict[str, Any] = {
            "name": (self.model or type(self).__name__).replace("_", " ").title(),
            "description": (type(self).__doc__ or "").partition("\n")[0],
            "renders": ["application/json"],
            "parses": ["application/json"],
        }
        if actions := self._actions():
            said["actions"] = actions
        if self.model in MODELS:
            model = MODELS[self.model]
            said["types"] = [kind(self.model)]
            said["search_fields"] = [*model.searched]
            said["related_search_fields"] = [
                f"{name}__search" for name in sorted(model.relations)
            ]
            said["max_page_size"] = LARGEST_PAGE
        self.say(said, HTTPStatus.OK)

    def _actions(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if "GET" in self.operations and self._may("GET"):
            found["GET"] = self._shown()
        for method in BODIES:
            if method in self.operations and self._may(method):
                found[method] = {
                    name: told(field) for name, field in self.fields.items()
                }
        return found

    def _may(self, method: str) -> bool:
        action = self.needed(method)
        try:
            if action is not None:
                self.require(action)
        except SyncdError:
            return False
        return self.who.role is not None

    def _shown(self) -> dict[str, Any]:
        model = MODELS.get(self.model)
        own = model.fields if model is not None else {}
        return {
            **{
                name: {"type": one.kind, "label": label(name)}
                for name, one in own.items()
            },
            **{
                name: {"type": one.kind, "label": one.label, **one.bounds()}
                for name, one in self.fields.items()
            },
        }


def told(field: Field) -> dict[str, Any]:
    """Return what is told of a field that can be sent."""
    said = {"type": field.kind, "required": field.required, "label": field.label}
    if not field.required:
        said["default"] = field.default
    return {**said, **field.bounds()}


def label(name: str) -> str:
    """Return what people call a field."""
    return name.replace("_", " ").capitalize()
