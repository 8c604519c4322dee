"""What people say of a source that is a CouchDB."""

from typing import Annotated

from pydantic import BeforeValidator, Field, field_validator, model_validator

from syncd.backup_sources.options import SourceOptions
from syncd.core.match import duration, size

Seconds = Annotated[float, BeforeValidator(duration)]
Size = Annotated[int, BeforeValidator(size)]

USUAL = {
    "components": "athena_components",
    "sessions": "athena_sessions",
    "system": "athena_system",
}


class CouchDBOptions(SourceOptions):
    """A CouchDB: documents with their revisions, conflicts and attachments."""

    url: str = Field(
        pattern=r"^https?://[^\s/@?#]+(/[^\s@?#]*)?$",
        description="where it is, https://HOST:PORT; without a login in it",
    )
    user: str = Field(default="", description="who logs in; nobody, if not said")
    password: str = Field(default="", repr=False, description="and the password")
    ca: str | None = Field(
        default=None,
        description="file of the authorities to trust, in PEM; else the system's",
    )
    verify: bool = Field(
        default=True, description="whether the server's certificate is looked at"
    )
    databases: dict[str, str] | list[str] = Field(
        default=USUAL,
        description="names of the databases, in the order in which they are read; or"
        " what each is there for with its name, as in {components: my_components}",
    )
    left_out: list[str] = Field(
        default=["athena_backup", "session_athena"],
        description="documents with one of these as their type are not backed up, and"
        " no restore touches them",
    )
    timeout: Seconds = Field(
        default=90.0, gt=0, description="how long one answer may take"
    )
    patience: Seconds = Field(
        default=60.0,
        ge=0,
        description="how long a request that fails is tried again; then the job fails",
    )
    parallel: int = Field(
        default=4, ge=1, le=32, description="requests that are under way at once"
    )
    batch: Size = Field(
        default=4 << 20,
        ge=1 << 16,
        le=256 << 20,
        description="about how many bytes of documents are asked for, or sent, at once;"
        " memory grows with it",
    )

    @field_validator("databases")
    @classmethod
    def _are_names(
        cls, value: dict[str, str] | list[str]
    ) -> dict[str, str] | list[str]:
        names = list(value.values()) if isinstance(value, dict) else value
        if not names or not all(names):
            raise ValueError("names no database; name at least one")
        if len(set(names)) < len(names):
            raise ValueError("names a database twice")
        return value

    @model_validator(mode="after")
    def _is_whole_login(self) -> "CouchDBOptions":
        if bool(self.user) != bool(self.password):
            raise ValueError("user and password go together; say both or neither")
        return self
