"""What people say of a source that is a ZooKeeper."""

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from syncd.backup_sources.options import SourceOptions
from syncd.core.match import duration, size

Seconds = Annotated[float, BeforeValidator(duration)]
Size = Annotated[int, BeforeValidator(size)]


class Strict(BaseModel):
    """Settings that go together; what is not known is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Login(Strict):
    """Who comes, by a scheme of ZooKeeper's such as ``digest``."""

    scheme: str = Field(default="digest", min_length=1)
    credential: str = Field(min_length=1, repr=False)


class Sasl(Strict):
    """Who comes, by SASL."""

    mechanism: Literal["DIGEST-MD5", "PLAIN", "GSSAPI"] = "DIGEST-MD5"
    username: str | None = None
    password: str | None = Field(default=None, repr=False)
    service: str = "zookeeper"


class Tls(Strict):
    """How the connection is encrypted."""

    ca: str | None = None
    certificate: str | None = None
    key: str | None = None
    key_password: str | None = Field(default=None, repr=False)
    verify: bool = True
    check_hostname: bool = True


class ZooKeeperOptions(SourceOptions):
    """A ZooKeeper: data, ACLs and sequence counters of its nodes."""

    sounded: ClassVar[bool] = True
    asked: ClassVar[tuple[str, ...]] = ("mode",)

    hosts: list[Annotated[str, Field(pattern=r"^[^\s,/@]+:\d{1,5}$")]] = Field(
        min_length=1,
        description="the members of the ensemble, HOST:PORT each; all of them, so that"
        " a lagging one is noticed",
    )
    auth: list[Login] = Field(
        default=[],
        description="logins, such as {scheme: digest, credential: !env ZK_LOGIN} with"
        " USER:PASSWORD in it",
    )
    sasl: Sasl | None = Field(
        default=None,
        description="a login by SASL: mechanism (DIGEST-MD5, PLAIN, GSSAPI), username,"
        " password, service",
    )
    tls: Tls | None = Field(
        default=None,
        description="TLS: ca, certificate, key, key_password (files in PEM), verify,"
        " check_hostname; {} takes the system's authorities",
    )
    session_timeout: Seconds = Field(
        default=10.0, gt=0, description="how long the servers wait for a sign of life"
    )
    patience: Seconds = Field(
        default=60.0,
        gt=0,
        description="how long a lost connection is waited for, before the job fails",
    )
    window: int = Field(
        default=256, ge=1, le=10_000, description="requests that are under way at once"
    )
    packet: Size = Field(
        default=900_000,
        ge=1024,
        description="bytes of a request that changes several nodes at once; less than"
        " the servers' jute.maxbuffer",
    )
    incomplete: bool = Field(
        default=False,
        description="whether a backup may lack nodes and digests of ACLs that this"
        " login may not see; else such a backup has failed",
    )
    consistent: bool = Field(
        default=False,
        description="whether a backup during which nodes moved has failed; else the"
        " nodes are named in it",
    )
    lag: int = Field(
        default=10_000,
        ge=0,
        description="transactions that the member which is read may be behind the"
        " leader; a backup from one further behind fails",
    )
    counters: int = Field(
        default=1_000_000,
        ge=0,
        description="how far a restore raises the counter of sequential names of one"
        " node; every step is a transaction of the servers",
    )
    containers: list[str] = Field(
        default=[],
        description="patterns of nodes that are containers (/locks/*), which ZooKeeper"
        " tells no client",
    )
    ttl: dict[str, Annotated[int, Field(ge=1, le=0xFFFFFFFFFF)]] = Field(
        default={},
        description="patterns of nodes with a time to live, and its milliseconds, which"
        " ZooKeeper tells no client either",
    )

    admin: list[Annotated[str, Field(pattern=r"^https?://[^\s/]+(/\S*)?$")]] = Field(
        default=[],
        description="addresses of the members' admin servers (http://zk-0:8080), for"
        " transactional backups from ZooKeeper 3.9 or newer",
    )
    admin_login: Login | None = Field(
        default=None, description="a login for these: one that has all rights on /"
    )
    data: str | None = Field(
        default=None,
        description="a server's folder (dataDir), for transactional backups from it",
    )
    logs: str | None = Field(
        default=None, description="the folder of its logs (dataLogDir) if it is another"
    )

    @model_validator(mode="after")
    def _is_one_login(self) -> "ZooKeeperOptions":
        named = self.sasl and self.sasl.username and self.sasl.password
        if self.sasl and self.sasl.mechanism != "GSSAPI" and not named:
            raise ValueError("sasl takes a username and a password")
        if self.tls and self.tls.key and not self.tls.certificate:
            raise ValueError("a tls key takes its certificate, too")
        return self
