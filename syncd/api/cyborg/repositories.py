"""Repositories: where archives lie, and the keys they are encrypted with."""

import re
from typing import Any

from syncd.api.cyborg.collection import Creating, Resource, Telling
from syncd.api.cyborg.fields import Checked, Flag, Text, Whole
from syncd.api.cyborg.shapes import common, concealed, picked
from syncd.errors import BadRequest
from syncd.store.cyborg.finding import Beside
from syncd.store.cyborg.records import Repository

_HOST = r"[A-Za-z0-9_.\[\]:-]+"
_PLACES = (
    r"/.*",
    rf"(?!-)[\w.-]+@{_HOST}:.+",
    rf"ssh://((?!-)[\w.-]+@)?(?!-){_HOST}(:\d{{1,5}})?/.+",
)


def place(text: str) -> None:
    """Raise BadRequest unless that is where a repository can be."""
    plain = text.isprintable() and not any(
        part.startswith("-") for part in text.split(":")[:1]
    )
    if not plain or not any(re.fullmatch(one, text) for one in _PLACES):
        raise BadRequest(
            "This is no place of a repository; write /FOLDER, USER@HOST:/FOLDER or"
            " ssh://USER@HOST:PORT/FOLDER."
        )


FIELDS = {
    "name": Text(label="Name", required=True),
    "path": Checked(label="Path", required=True, check=place),
    "repository_key": Text(label="Repository key", required=True),
    "original_size": Whole(label="Original size", default=0),
    "compressed_size": Whole(label="Compressed size", default=0),
    "deduplicated_size": Whole(label="Deduplicated size", default=0),
    "ready": Flag(label="Ready"),
    "enabled": Flag(label="Enabled", default=True),
}


class _Repository(Resource):
    model = "repositories"
    fields = FIELDS
    secrets = ("repository_key",)

    def secret(self, sealed: str) -> str:
        """Return a secret as this answer tells it."""
        return concealed(sealed)

    def shape(self, found: Repository, beside: Beside) -> dict[str, Any]:
        """Return a repository as answers show it."""
        return {
            **common(self.model, found, beside, {}, {}),
            **picked(found, "name", "path"),
            "repository_key": self.secret(found.repository_key),
            **picked(found, "original_size", "compressed_size", "deduplicated_size"),
            **picked(found, "ready", "enabled", "uuid"),
        }


class Repositories(Creating, _Repository):
    """All repositories."""


class OneRepository(Telling, _Repository):
    """One repository."""


ROUTES = [
    ("/repositories", Repositories),
    ("/repositories/{number}", OneRepository),
]
