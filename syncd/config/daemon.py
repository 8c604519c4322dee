"""How the backup daemon's API behaves: ``backup.daemon`` in the configuration."""

from typing import Annotated

from pydantic import Field, PlainValidator

from syncd.config.value import Value
from syncd.core import match


class Daemon(Value):
    """How the backup daemon's API behaves."""

    read_login: bool = Field(
        default=False,
        description="whether those who only look at backups and jobs must log in, too,"
        " where anybody can",
    )
    full_restore: bool = Field(
        default=True,
        description="whether all of a backup may be restored without naming its"
        " databases",
    )
    publish_variables: bool = Field(
        default=False,
        description="whether whoever looks at a backup is told which variables it was"
        " asked for with",
    )
    prefixes: bool = Field(
        default=False,
        description="whether backups of chosen databases are called"
        " PREFIX_NAMESPACE_TIME, which takes a namespace",
    )
    namespace: str = Field(
        default="",
        pattern=r"^[A-Za-z0-9_.-]{0,60}$",
        description="the namespace in such names",
    )
    upload_limit: Annotated[int, PlainValidator(match.size)] = Field(
        default=1 << 40,
        description="the largest archive that may be sent to become a vault: 10GiB",
    )
    data_validation: bool = Field(
        default=False,
        description="whether a note of the backup that was last found to be good may be"
        " left, and read",
    )
