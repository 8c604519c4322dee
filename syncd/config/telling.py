"""What is run or told around backups, and who is told of trouble."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, PlainValidator

from syncd.config.value import Value
from syncd.config.values import seconds
from syncd.core.job import Kind

Seconds = Annotated[float, PlainValidator(seconds)]


def _address(value: str) -> str:
    if not value.startswith(("http://", "https://")) or len(value.split("/")) < 3:
        raise ValueError("is no address; write https://HOST/PATH")
    return value


class Hook(Value):
    """A command that is run, or an address that is told, before or after jobs."""

    command: tuple[str, ...] = Field(
        default=(),
        description="the command and its arguments, each a text of its own; SYNCD_JOB,"
        " SYNCD_KIND, SYNCD_SOURCE, SYNCD_VAULT and (after) SYNCD_ERROR tell it more",
    )
    url: Annotated[str, AfterValidator(_address)] | None = Field(
        default=None, description="the address that gets a POST of what happens"
    )
    secret: str = Field(
        default="", repr=False, description="what the POST is signed with, by HMAC"
    )
    timeout: Seconds = Field(
        default=60.0, description="how long it may take: 60, 90s, 15m"
    )
    kinds: tuple[Kind, ...] = Field(
        default=(Kind.BACKUP,), description="the kinds of jobs that it is for"
    )


class Hooks(Value):
    """What is run or told around jobs."""

    before: tuple[Hook, ...] = Field(
        default=(), description="a job fails if one of these does"
    )
    after: tuple[Hook, ...] = Field(
        default=(), description="these are run whatever came of the job"
    )


class Mail(Value):
    """The server that takes mail, and whom it is for."""

    host: str = Field(min_length=1, description="name of the mail server")
    port: int = Field(default=25, ge=1, le=65535, description="its port")
    tls: Literal["none", "starttls", "tls"] = Field(
        default="none", description="how the connection is encrypted"
    )
    user: str = Field(default="", description="the account there, if one is needed")
    password: str = Field(default="", repr=False, description="its password")
    sender: str = Field(min_length=3, description="whom the mail is from")
    to: tuple[str, ...] = Field(min_length=1, description="whom it is for")


class Told(Value):
    """An address that is told of failures, recovery and staleness."""

    url: Annotated[str, AfterValidator(_address)] = Field(
        description="the address that gets a POST"
    )
    secret: str = Field(
        default="", repr=False, description="what the POST is signed with, by HMAC"
    )


class Notify(Value):
    """Who is told when something fails, goes well again, or is too old."""

    mail: Mail | None = Field(default=None, description="mail, through this server")
    web: tuple[Told, ...] = Field(default=(), description="addresses that are told")
    stale: Seconds | None = Field(
        default=None,
        description="the age from which on the newest valid vault of a source is too"
        " old: 26h; without it, none ever is",
    )
