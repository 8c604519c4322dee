"""From a file to a Config, or to one error that names every fault in it."""

import json
import os
from difflib import get_close_matches
from pathlib import Path

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from syncd import document
from syncd.config import credentials, together, variables
from syncd.config.access import Accounts, Tls
from syncd.config.values import Config, Entry, Guard, Limits, Log
from syncd.document import Document, Fault, Place
from syncd.errors import ConfigError
from syncd.hiding import scrubbed
from syncd.text import printable

WORDS = {
    "bool_type": "is not true or false; write one of them, without quotes",
    "dict_type": "is not a mapping; write KEY: VALUE below it",
    "enum": "is not one of {expected}; choose one",
    "float_type": "is not a number; write one, without quotes",
    "greater_than": "is not greater than {gt:g}; raise it",
    "json_invalid": "is nested too deeply; no setting needs that",
    "greater_than_equal": "is less than {ge:g}; raise it",
    "int_type": "is not a whole number; write one, without quotes",
    "less_than_equal": "is more than {le:g}; lower it",
    "list_type": "is not a list; write [ONE, ANOTHER]",
    "literal_error": "is not one of {expected}; choose one",
    "missing": "is missing; add it",
    "model_type": "is not a mapping; write KEY: VALUE below it",
    "path_type": "is not text; put it in quotes",
    "string_type": "is not text; put it in quotes",
    "string_too_short": "is empty; write something",
    "too_short": "is empty; give at least {min_length}",
    "tuple_type": "is not a list; write [ONE, ANOTHER]",
    "value_error": "{error}",
}
"""What is wrong and what to do, by pydantic's kind of error."""

SECTIONS: dict[str, type[BaseModel]] = {
    "accounts": Accounts,
    "limits": Limits,
    "log": Log,
    "tls": Tls,
}
"""What stands under each key of the file that holds further keys."""

_KEY = "[key]"


def read(path: Path) -> Config:
    """Return the configuration in the file.

    Raise one ConfigError that names every fault, each as
    ``FILE: PLACE: what is wrong; what to do``.
    """
    try:
        said = document.parse(path.read_bytes(), path.parent)
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read: {error.strerror}; name another with --config"
        ) from None
    value, taken, unclear = variables.applied(said.value, os.environ)
    config, faults = _checked(said._replace(value=value, faults=said.faults + unclear))
    tls = config and _placed(config.tls, path.parent)
    if tls:
        faults = [*faults, *_of_certificate(tls)]
    pair, wrong = credentials.pair(os.environ)
    faults = [*faults, *wrong]
    if faults or config is None:
        raise ConfigError("\n".join(_lines(path, faults, said.secrets)))
    return config.with_environment(pair, taken).model_copy(
        update={
            "state": config.state.resolve(),
            "rules": path.parent / config.rules,
            "tls": tls,
        }
    )


def model_faults(error: ValidationError, model: type[BaseModel]) -> list[Fault]:
    """Return pydantic's faults in our words; the model is that of the whole value."""
    found = error.errors(include_url=False)
    return [_fault(one, model) for one in found if not _is_aftermath(one, found)]


def _checked(said: Document) -> tuple[Config | None, list[Fault]]:
    if said.faults and said.faults[0].place == () and said.value is None:
        return None, said.faults
    config, found = None, list[Fault]()
    try:
        config = Config.model_validate_json(
            json.dumps(said.value), context=said.secrets
        )
    except ValidationError as error:
        found = model_faults(error, Config)
    found += together.faults(said.value, model_faults, said.files)
    # What could not be read has been said; that it is null or missing is no news.
    known = [fault.place for fault in said.faults]
    new = [f for f in found if not any(f.place[: len(p)] == p for p in known if p)]
    return config, said.faults + new


def _placed(tls: Tls | None, folder: Path) -> Tls | None:
    """Return it with its files where they are, seen from anywhere."""
    if tls is None:
        return None
    folder = folder.resolve()
    return Tls(certificate=folder / tls.certificate, key=folder / tls.key)


def _of_certificate(tls: Tls) -> list[Fault]:
    # Loaded here: most daemons speak no TLS, and it takes a while to load.
    from syncd.config import certificates  # noqa: PLC0415

    return list(certificates.faults(tls))


def _lines(path: Path, faults: list[Fault], secrets: frozenset[str]) -> list[str]:
    return [
        f"{path}: {document.shown(fault.place) or 'configuration'}:"
        f" {scrubbed(fault.words, secrets)}"
        for fault in dict.fromkeys(faults)
    ]


def _fault(error: ErrorDetails, model: type[BaseModel]) -> Fault:
    place: Place = tuple(part for part in error["loc"] if part != _KEY)
    kind = error["type"]
    if kind == "extra_forbidden":
        known = list(_model(model, place[:-1]).model_fields)
        return Fault(place, _unknown(str(place[-1]), known))
    if kind in WORDS:
        return Fault(place, WORDS[kind].format(**error.get("ctx", {})))
    said = printable(error["msg"])
    return Fault(place, f"{said[:1].lower()}{said[1:]}; see the reference of settings")


def _is_aftermath(error: ErrorDetails, found: list[ErrorDetails]) -> bool:
    """Tell whether it is only empty because what it holds is wrong."""
    place = error["loc"]
    return error["type"] == "too_short" and any(
        len(other["loc"]) > len(place) and other["loc"][: len(place)] == place
        for other in found
    )


def _model(whole: type[BaseModel], place: Place) -> type[BaseModel]:
    """Return the model of what stands at the place."""
    if whole.__name__ == "Backup":
        from syncd.config import backup  # noqa: PLC0415 - loaded if it is there

        return backup.model(place)
    if whole is not Config:
        return whole
    if len(place) == 1:
        return SECTIONS.get(str(place[0]), Config)
    shape = tuple("*" if at == 1 else part for at, part in enumerate(place))
    return _MODELS.get(shape, Config)


_MODELS: dict[Place, type[BaseModel]] = {
    ("entries", "*"): Entry,
    ("entries", "*", "guard"): Guard,
}


def _unknown(key: str, known: list[str]) -> str:
    near = get_close_matches(key, known, n=1)
    if near:
        return f"is not known; did you mean {near[0]}?"
    return f"is not known; possible here: {', '.join(sorted(known)) or 'nothing'}"
