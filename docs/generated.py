"""Parts of the reference that come from the code, so that they are never behind."""

import json
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any

import click
from docutils import nodes
from docutils.parsers.rst import Directive
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from syncd.backup_sources import registry as backup_sources
from syncd.cli.main import syncd
from syncd.config import backup
from syncd.config.access import Accounts, Tls
from syncd.config.values import Config, Entry, Guard, Limits, Log
from syncd.drivers import registry


def _prefix(place: tuple[str | int, ...]) -> str:
    """Return what stands before a setting of backups: ``backup.hooks.before[].``."""
    words = "".join("[]" if part == "*" else f".{part}" for part in place)
    return f"backup{words}."


PARTS: list[tuple[str, type[BaseModel]]] = [
    ("", Config),
    ("entries.NAME.", Entry),
    ("entries.NAME.guard.", Guard),
    ("log.", Log),
    ("limits.", Limits),
    *((_prefix(place), model) for place, model in backup.MODELS.items()),
    ("tls.", Tls),
    ("accounts.", Accounts),
]


class Settings(Directive):
    """Lists every setting with its meaning and default."""

    def run(self) -> list[nodes.Node]:
        """Return one list."""
        return [_definitions(_settings())]


class Options(Directive):
    """Lists every driver with its options."""

    def run(self) -> list[nodes.Node]:
        """Return one list."""
        return [_definitions(_options(registry.schemas()))]


class SourceOptions(Directive):
    """Lists every source of backups with its options."""

    def run(self) -> list[nodes.Node]:
        """Return one list."""
        return [_definitions(_options(backup_sources.schemas()))]


class Commands(SphinxDirective):
    """Shows the help of every command."""

    def run(self) -> list[nodes.Node]:
        """Return a section for each."""
        context = click.Context(syncd, info_name="syncd", terminal_width=80)
        return [_section(one) for one in _commands(context)]


def _settings() -> Iterator[tuple[str, str]]:
    for prefix, model in PARTS:
        for name, field in model.model_fields.items():
            yield prefix + name, f"{_sentence(field.description)} {_default(field)}"


def _options(schemas: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for driver, schema in schemas.items():
        yield driver, schema.description
        required = schema.options.get("required", [])
        for name, option in schema.options.get("properties", {}).items():
            default = json.dumps(option.get("default"))
            state = "Required." if name in required else f"Default: {default}."
            yield f"{driver}: {name}", f"{_sentence(option.get('description'))} {state}"


def _sentence(text: str | None) -> str:
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def _default(field: FieldInfo) -> str:
    value: Any = field.default
    if field.is_required():
        return "Required."
    if isinstance(value, BaseModel):
        return "See below."
    if value is None or isinstance(value, bool):
        value = str(value).lower()
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, tuple) and not hasattr(value, "_fields"):
        value = f"[{', '.join(map(str, value))}]"
    if isinstance(value, float):
        value = f"{value:g}"
    if hasattr(value, "prefer"):
        value = "keep-both"
    return f"Default: {value}."


def _definitions(items: Iterator[tuple[str, str]]) -> nodes.definition_list:
    result = nodes.definition_list()
    for term, meaning in items:
        item = nodes.definition_list_item()
        item += nodes.term("", "", nodes.literal(term, term))
        item += nodes.definition("", nodes.paragraph(text=meaning.strip()))
        result += item
    return result


def _commands(context: click.Context) -> Iterator[click.Context]:
    group = context.command
    assert isinstance(group, click.Group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        inner = click.Context(
            command, info_name=name, parent=context, terminal_width=80
        )
        yield inner
        if isinstance(command, click.Group):
            yield from _commands(inner)


def _section(context: click.Context) -> nodes.section:
    path = context.command_path
    section = nodes.section(ids=[nodes.make_id(path)])
    section += nodes.title(text=path)
    help_text = context.command.get_help(context)
    section += nodes.literal_block(help_text, help_text, language="text")
    return section


def setup(app: Sphinx) -> dict[str, bool]:
    """Make the directives known."""
    app.add_directive("settings", Settings)
    app.add_directive("driver-options", Options)
    app.add_directive("source-options", SourceOptions)
    app.add_directive("commands", Commands)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
