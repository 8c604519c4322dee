"""What people say of a source that is a command."""

import os
import re
from typing import Annotated, Any

from pydantic import (
    BeforeValidator,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from syncd.backup_sources.command.arguments import Variables, declared
from syncd.backup_sources.command.template import parse
from syncd.backup_sources.options import SourceOptions
from syncd.core.match import duration

OURS = ("SYNCD_", "BACKUP_DAEMON_API_CREDENTIALS_")
"""What the names of syncd's own secrets in the environment begin with."""

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_TEMPLATES = ("backup", "restore", "list", "evict", "terminate")

Names = list[str]
Seconds = Annotated[float, BeforeValidator(duration)]


class CommandOptions(SourceOptions):
    """A command that writes a backup into a folder, and another that reads it."""

    variables: Variables = Field(
        default=[],
        description="what whoever asks for a backup or restore may say besides, by"
        " name, or with a default: [mode, {region: eu}]; what is said becomes"
        " -NAME VALUE",
    )
    backup: str = Field(
        min_length=1,
        description="the command that writes a backup into %(data_folder)s (or"
        " {{ .data_folder }}); %(dbs)s becomes the databases that are asked for,"
        " %(NAME)s a variable",
    )
    restore: str = Field(
        default="",
        description="the command that brings back what lies in %(data_folder)s;"
        " %(dbs)s becomes the databases that are asked for, %(dbmap)s those that are"
        " to be called otherwise; without it nothing can be restored",
    )
    list: str = Field(
        default="",
        description="the command that prints the databases in %(data_folder)s, one a"
        " line",
    )
    evict: str = Field(
        default="",
        description="the command that is told of a backup, %(data_folder)s, before it"
        " is deleted",
    )
    terminate: str = Field(
        default="",
        description="the command that asks a running one to end; SIGTERM, and then"
        " SIGKILL, follow",
    )
    databases_key: str = Field(
        default="-d", description="what stands before the databases"
    )
    map_key: str = Field(
        default="-m", description="what stands before the new names of databases"
    )
    environment: dict[str, str] = Field(
        default={},
        repr=False,
        description="what the commands find in their environment, besides HOME, PATH,"
        " the language and the like",
    )
    must_have_env_vars: Names = Field(
        default=[],
        description="what the commands get of syncd's own environment, where it must"
        " be set",
    )
    timeout: Seconds | None = Field(
        default=None,
        description="time that a backup or restore may take: seconds, or text like"
        " 90s, 15m, 1h30m; then it is ended and has failed",
    )
    quick_timeout: Seconds = Field(
        default=60.0, description="time that list, evict and terminate may take"
    )
    grace: Seconds = Field(default=10.0, description="time between SIGTERM and SIGKILL")
    full_restore: bool = Field(
        default=True, description="whether all of a backup may be restored at once"
    )
    allow_empty: bool = Field(
        default=False,
        description="whether a backup may be one that wrote nothing; else that is a"
        " failure",
    )

    @field_validator("variables")
    @classmethod
    def _are_variables(cls, given: Variables) -> Variables:
        declared(given)
        return given

    @field_validator(*_TEMPLATES)
    @classmethod
    def _are_templates(cls, text: str, info: ValidationInfo) -> str:
        if text and "variables" in info.data:
            parse(text, declared(info.data["variables"]))
        return text

    @field_validator("environment")
    @classmethod
    def _is_environment(cls, given: dict[str, str]) -> dict[str, str]:
        for name, value in given.items():
            _check_variable(name)
            if "\0" in value:
                raise ValueError(f"{name} holds a NUL character; leave it out")
        return given

    @model_validator(mode="before")
    @classmethod
    def _has_what_it_must(cls, said: Any) -> Any:
        if not isinstance(said, dict):
            return said
        names, given = said.get("must_have_env_vars"), said.get("environment", {})
        if not isinstance(names, list) or not isinstance(given, dict):
            return said
        found = {
            name: _ours(name)
            for name in names
            if isinstance(name, str) and not given.get(name)
        }
        return {**said, "environment": {**given, **found}}


def _ours(name: str) -> str:
    _check_variable(name)
    if name.startswith(OURS):
        raise ValueError(f"{name} is syncd's own, and no command gets it; leave it out")
    value = os.environ.get(name)
    if not value:
        raise ValueError(
            f"{name} is not set in syncd's environment; set it, or write it to"
            " environment"
        )
    return value


def _check_variable(name: str) -> None:
    if not _VARIABLE.fullmatch(name):
        raise ValueError(f"{name!r} cannot be the name of a variable; correct it")
