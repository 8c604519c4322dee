"""A policy's extra variables, checked by its type, and what they have Borg read."""

from collections.abc import Callable, Mapping
from typing import Any, cast

from msgspec import Struct

from syncd.core.borg.values import Client, Policy, folder, host, line, port, secret
from syncd.errors import BadRequest

NOT_OF_A_SYSTEM = tuple(
    f"sh:{path}/*"
    for path in (
        *("/media", "/dev", "/proc", "/sys", "/var/run", "/run", "/lost+found"),
        *("/mnt", "/var/lib/lxcfs", "/tmp"),
    )
)
"""What a whole system is backed up without; the folders themselves are kept."""

MAIL = ("/var/lib/mail", "/var/mail")

MYSQLDUMP = ("mysqldump", "--single-transaction", "--routines", "--events")
"""By itself it leaves out procedures, functions and events, and says nothing of it."""

AS_POSTGRES = (
    'if [ "$(id -u)" = 0 ]; then exec runuser -u postgres -- "$@";'
    ' else exec sudo -n -u postgres -- "$@"; fi'
)
EACH_DATABASE = (
    'program=$1; shift; for one in "$@"; do'
    ' "$program" --create --dbname="$one" || exit; done'
)
"""Shell programs that are the same for everybody: what differs are their words."""


class Files(Struct, frozen=True):
    """Files that Borg reads itself."""

    paths: tuple[str, ...]
    excludes: tuple[str, ...] = ()
    """Patterns of Borg's: ``*.log``, ``sh:/home/*/.cache``, ``re:...``."""
    one_file_system: bool = False


class Dump(Struct, frozen=True):
    """What a command prints, and Borg keeps as one file."""

    words: tuple[str, ...]
    variable: str | None = None
    """Name of the variable of the environment that has the password ..."""
    password: str = ""
    """... which stands on no command line."""


Reading = Files | Dump


class Machine(Struct, frozen=True):
    """A virtual machine, which a provider knows how to dump."""

    variables: dict[str, Any]


def reading(
    policy: Policy, variables: Mapping[str, Any], client: Client
) -> Reading | Machine:
    """Return what is read of a client; raise BadRequest for what makes no sense."""
    return _KINDS[policy](_Said(policy, variables), client)


class _Said:
    """Variables as they were given; every one must be asked for."""

    def __init__(self, policy: Policy, said: Mapping[str, Any]) -> None:
        self._policy = policy
        self._left = dict(said)

    def take(self, name: str, kind: type, default: Any) -> Any:
        """Return a variable's value; raise BadRequest for one of another kind."""
        value = self._left.pop(name, None)
        if value is None:
            return default
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise BadRequest(f"extra_vars: {name} must be {_KINDS_IN_WORDS[kind]}")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of lines of text."""
        return _texts(name, self.take(name, list, []))

    def text(self, name: str) -> str:
        """Return one line of text; empty: there is none."""
        value: str = self.take(name, str, "")
        if value:
            line(f"extra_vars: {name}", value)
        return value

    def names(self, name: str) -> tuple[str, ...]:
        """Return names of databases, given as one or as a list."""
        value = self._left.pop(name, None)
        if value is None or value == "":
            return ()
        many = [value] if isinstance(value, str) else value
        if not isinstance(many, list):
            raise BadRequest(f"extra_vars: {name} must be a name or a list of names")
        return tuple(_database(one) for one in _texts(name, many))

    def of(self, name: str, client: Client) -> Mapping[str, Any] | None:
        """Return what is said of that client only."""
        everybody = self.take(name, dict, {})
        one = everybody.get(str(client.id))
        if one is not None and not isinstance(one, dict):
            raise BadRequest(f"extra_vars: {name}: {client.id} must be an object")
        return cast("Mapping[str, Any] | None", one)

    def end(self, *allowed: str) -> None:
        """Raise BadRequest if anything is left."""
        if self._left:
            known = ", ".join(allowed)
            raise BadRequest(
                f"extra_vars: {sorted(self._left)[0]!r} means nothing to a policy of"
                f" type {self._policy}; it knows: {known}"
            )

    def rest(self) -> dict[str, Any]:
        """Return what nobody has asked for."""
        return self._left


_KINDS_IN_WORDS = {
    str: "text",
    list: "a list",
    dict: "an object",
    int: "a whole number",
    bool: "true or false",
}


def _texts(name: str, values: list[Any]) -> tuple[str, ...]:
    for value in values:
        if not isinstance(value, str):
            raise BadRequest(f"extra_vars: {name} must be a list of texts")
        line(f"extra_vars: {name}", value)
    return tuple(values)


def _database(name: str) -> str:
    if name.startswith("-") or any(one in name for one in "=/\\"):
        raise BadRequest(
            f"extra_vars: {name!r} is no name of a database that could be told from an"
            " option or an address; rename it, or dump it by a piped policy"
        )
    return name


def _files(said: _Said, paths: tuple[str, ...], *before: str) -> Files:
    files = Files(
        paths=paths,
        excludes=(*before, *said.texts("exclude")),
        one_file_system=said.take("one_file_system", bool, default=False),
    )
    said.end("folders", "exclude", "one_file_system")
    return files


def _rootfs(said: _Said, _: Client) -> Files:
    return _files(said, ("/",), *NOT_OF_A_SYSTEM)


def _config(said: _Said, _: Client) -> Files:
    return _files(said, ("/etc",))


def _mail(said: _Said, _: Client) -> Files:
    return _files(said, MAIL)


def _folders(said: _Said, _: Client) -> Files:
    paths = said.texts("folders")
    if not paths:
        raise BadRequest('extra_vars: say which folders: {"folders": ["/srv"]}')
    return _files(said, tuple(folder("extra_vars: a folder", one) for one in paths))


def _piped(said: _Said, _: Client) -> Dump:
    command = said.text("command")
    if not command:
        raise BadRequest('extra_vars: say which command: {"command": "..."}')
    said.end("command")
    # What fails anywhere in a pipe must not look like a short, good backup.
    return Dump(("bash", "-o", "pipefail", "-c", command))


class _Server(Struct, frozen=True):
    """How a server of databases is spoken to."""

    databases: tuple[str, ...]
    user: str
    password: str
    host: str
    port: int | None


def _server(said: _Said, extended: str, list_name: str, client: Client) -> _Server:
    own = said.of(extended, client)
    general = _spoken_to(said, list_name)
    said.end("user", "password", "host", "port", list_name, extended)
    if own is None:
        return general
    told = _Said(Policy.MYSQL, own)
    login = _Said(Policy.MYSQL, told.take("credential", dict, {}))
    databases = told.names("databases")
    told.end("credential", "databases")
    special = _spoken_to(login, "databases")
    login.end("user", "password", "host", "port")
    return _Server(
        databases=databases or general.databases,
        user=special.user or general.user,
        password=special.password or general.password,
        host=special.host or general.host,
        port=special.port or general.port,
    )


def _spoken_to(said: _Said, list_name: str) -> _Server:
    databases = said.names(list_name)
    name, password = said.text("user"), said.take("password", str, "")
    secret("extra_vars: password", password)
    at, number = said.text("host"), said.take("port", int, None)
    if at:
        host("extra_vars: host", at)
    if number is not None:
        port(number)
    return _Server(databases, name, password, at, number)


def _mysql(said: _Said, client: Client) -> Dump:
    server = _server(said, "extended_mysql", "databases", client)
    words = list(MYSQLDUMP)
    if server.user:
        words.append(f"--user={server.user}")
    if server.host or server.port:
        words.append(f"--host={server.host or '127.0.0.1'}")
    if server.port:
        words.append(f"--port={server.port}")
    words += (
        ["--databases", *server.databases] if server.databases else ["--all-databases"]
    )
    return Dump(tuple(words), "MYSQL_PWD" if server.password else None, server.password)


def _postgresql(said: _Said, client: Client) -> Dump:
    server = _server(said, "extended_postgresql", "database", client)
    words = (
        ["sh", "-c", EACH_DATABASE, "sh", "pg_dump", *server.databases]
        if server.databases
        else ["pg_dumpall"]
    )
    where = {"PGUSER": server.user, "PGHOST": server.host, "PGPORT": server.port}
    if server.port and not server.host:
        where["PGHOST"] = "127.0.0.1"
    if not any(where.values()):
        return Dump(("sh", "-c", AS_POSTGRES, "sh", *words))
    said_so = [f"{name}={value}" for name, value in where.items() if value]
    variable = "PGPASSWORD" if server.password else None
    return Dump(("env", *said_so, *words), variable, server.password)


def _vm(said: _Said, _: Client) -> Machine:
    return Machine(said.rest())


_KINDS: dict[Policy, Callable[[_Said, Client], Reading | Machine]] = {
    Policy.ROOTFS: _rootfs,
    Policy.CONFIG: _config,
    Policy.MAIL: _mail,
    Policy.FOLDERS: _folders,
    Policy.PIPED: _piped,
    Policy.MYSQL: _mysql,
    Policy.POSTGRESQL: _postgresql,
    Policy.VM: _vm,
}
