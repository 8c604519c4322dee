"""Real ZooKeepers from Debian, on free ports of loopback, with folders of their own."""

import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import trustme
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from kazoo.client import KazooClient
from kazoo.exceptions import NoNodeError
from kazoo.security import OPEN_ACL_UNSAFE

from tests.acceptance.daemon import free_port
from tests.peers.lent import Lent

CLASSES = ":".join(
    f"/usr/share/java/{name}.jar"
    for name in ("zookeeper", "slf4j-simple", "netty-codec", "netty-resolver")
)
STARTS_WITHIN = 60.0

NEWER = Path(sys.prefix) / "share" / "zookeeper-3.9"
"""Where make test puts classes of a ZooKeeper that Debian does not have yet."""

SASL = ("keeper", "of-the-zoo")
SUPER = ("super:duper", "super:Z3dqc6aPbvbSpFf45hrhLBB44xU=")
"""The login that may do anything, and its digest."""

_JAAS = """
Server {
  org.apache.zookeeper.server.auth.DigestLoginModule required
  user_keeper="of-the-zoo";
};
"""


class Server:
    """One member, or a server alone."""

    def __init__(
        self,
        home: Path,
        *,
        number: int = 0,
        port: int | None = None,
        settings: Mapping[str, object] | None = None,
        properties: Sequence[str] = (),
        classes: str = CLASSES,
    ) -> None:
        self.home = home
        self.data = home / "data"
        self.data.mkdir(parents=True)
        self.port = port or free_port()
        self.host = f"127.0.0.1:{self.port}"
        if number:
            (self.data / "myid").write_text(f"{number}\n")
        said: dict[str, object] = {
            "tickTime": 500,
            "initLimit": 40,
            "syncLimit": 20,
            "minSessionTimeout": 1000,
            "maxSessionTimeout": 60000,
            "maxClientCnxns": 0,
            "preAllocSize": 1024,
            "forceSync": "no",
            "admin.enableServer": "false",
            "4lw.commands.whitelist": "*",
            "dataDir": self.data,
            "clientPortAddress": "127.0.0.1",
            "clientPort": self.port,
            **(settings or {}),
        }
        lines = [f"{name}={value}\n" for name, value in said.items()]
        (home / "zoo.cfg").write_text("".join(lines))
        self._properties = properties
        self._classes = classes
        self.admin = f"http://127.0.0.1:{said.get('admin.serverPort', 0)}"
        self.process: Lent | None = None

    def start(self) -> Self:
        """Start it; it is not yet ready."""
        java = shutil.which("java")
        assert java, "make test installs it"
        assert Path(CLASSES.split(":")[0]).exists(), "make test installs zookeeper"
        command = [
            java,
            "-Xmx128m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-XX:-UsePerfData",
            "-Dzookeeper.extendedTypesEnabled=true",
            f"-Dzookeeper.DigestAuthenticationProvider.superDigest={SUPER[1]}",
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            # Else whoever was alone for a while votes once a minute.
            "-Dzookeeper.fastleader.maxNotificationInterval=500",
            *self._properties,
            "-cp",
            self._classes,
            "org.apache.zookeeper.server.quorum.QuorumPeerMain",
            str(self.home / "zoo.cfg"),
        ]
        self.process = Lent(command, self.home / "log")
        return self

    def ready(self) -> Self:
        """Wait until it serves."""
        deadline = time.monotonic() + STARTS_WITHIN
        while "Mode" not in self.say("srvr"):
            assert self.process is not None
            assert self.process.runs, self.log()
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.05)
        return self

    def say(self, word: str) -> str:
        """Return the answer to a word of four letters; empty if it is not there."""
        with (
            suppress(OSError),
            socket.create_connection(("127.0.0.1", self.port), timeout=5) as link,
        ):
            link.sendall(word.encode())
            text = b""
            while some := link.recv(65536):
                text += some
            return text.decode()
        return ""

    @property
    def mode(self) -> str:
        """Return whether it leads, follows or is alone."""
        for line in self.say("srvr").splitlines():
            if line.startswith("Mode: "):
                return line.removeprefix("Mode: ")
        return ""

    def owner(self, path: str) -> str:
        """Return how a node lives, which only the server's own files tell.

        By the last record about it in its logs: the type of what created it.
        """
        kinds = {15: "persistent", 1: "persistent", 19: "container", 21: "ttl"}
        found = ""
        wanted = len(path).to_bytes(4, "big") + path.encode()
        for log in sorted(self.data.glob("version-2/log.*")):
            text = log.read_bytes()
            start = -1
            while (start := text.find(wanted, start + 1)) >= 0:
                # Alone its type stands before the record, in a batch also its length.
                alone = int.from_bytes(text[start - 4 : start], "big")
                batch = int.from_bytes(text[start - 8 : start - 4], "big")
                found = kinds.get(alone, kinds.get(batch, found))
        return found

    def kill(self) -> None:
        """Kill it, as a power cut would."""
        if self.process is not None:
            self.process.kill()
            self.process = None

    def pause(self) -> None:
        """Have it stand still."""
        assert self.process is not None
        self.process.signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Have it go on."""
        assert self.process is not None
        self.process.signal(signal.SIGCONT)

    def log(self) -> str:
        """Return the end of what it says."""
        return (self.home / "log").read_text()[-3000:]


class Zoo:
    """Servers that are one ZooKeeper; a context manager."""

    def __init__(self, servers: Sequence[Server], home: Path) -> None:
        self.servers = list(servers)
        self._home = home

    def __enter__(self) -> Self:
        try:
            return self.started()
        except BaseException:
            self.__exit__()
            raise

    def started(self) -> Self:
        """Start who does not run, and wait until all serve."""
        for server in self.servers:
            if server.process is None:
                server.start()
        for server in self.servers:
            server.ready()
        return self

    def __exit__(self, *_: object) -> None:
        for server in self.servers:
            server.kill()
        shutil.rmtree(self._home, ignore_errors=True)

    @property
    def hosts(self) -> list[str]:
        """Return where they listen."""
        return [server.host for server in self.servers]

    def client(self, *logins: str, **more: Any) -> KazooClient:
        """Return a client that is connected; whoever takes it stops it."""
        client = KazooClient(
            hosts=",".join(self.hosts),
            auth_data=[("digest", login) for login in logins],
            **more,
        )
        client.start(30)
        return client

    @contextmanager
    def visited(self, *logins: str, **more: Any) -> Iterator[KazooClient]:
        """Lend a client."""
        client = self.client(*logins, **more)
        try:
            yield client
        finally:
            client.stop()
            client.close()

    def content(self, top: str = "/") -> dict[str, tuple[Any, ...]]:
        """Return data and ACLs of all nodes at and below one, whoever they belong to.

        Without those of living sessions; by path below the top.
        """
        found: dict[str, tuple[Any, ...]] = {}
        with self.visited(SUPER[0]) as client:
            level = [top]
            while level:
                deeper = []
                for path, data, acl, names in _looked(client, level):
                    inside = path[len(top) :].strip("/") or path
                    found[inside] = (data, sorted(map(str, acl)))
                    deeper += [f"{path.rstrip('/')}/{name}" for name in names]
                level = deeper
        return found

    def clear(self) -> None:
        """Delete all that is not ZooKeeper's own, whoever it belongs to."""
        with self.visited(SUPER[0]) as client:
            tops = [f"/{n}" for n in client.get_children("/") if n != "zookeeper"]
            for name in client.get_children("/zookeeper/quota"):
                tops.append(f"/zookeeper/quota/{name}")
            for top in tops:
                _deleted(client, top)
            client.set_acls("/", OPEN_ACL_UNSAFE)
            client.set("/", b"")


def alone(**more: Any) -> Zoo:
    """Return a server alone."""
    home = _home()
    return Zoo([Server(home / "0", **more)], home)


@contextmanager
def unstarted(**more: Any) -> Iterator[Zoo]:
    """Lend a server alone that does not run yet."""
    zoo = alone(**more)
    try:
        yield zoo
    finally:
        zoo.__exit__()


def with_sasl() -> Zoo:
    """Return a server alone that knows a login by SASL."""
    home = _home()
    jaas = home / "jaas.conf"
    jaas.write_text(_JAAS)
    provider = "org.apache.zookeeper.server.auth.SASLAuthenticationProvider"
    server = Server(
        home / "0",
        settings={"authProvider.1": provider},
        properties=[f"-Djava.security.auth.login.config={jaas}"],
    )
    return Zoo([server], home)


def ensemble(count: int = 3) -> Zoo:
    """Return so many servers that are one."""
    home = _home()
    members = {}
    for number in range(1, count + 1):
        members[f"server.{number}"] = f"127.0.0.1:{free_port()}:{free_port()}"
    servers = [
        Server(home / str(number), number=number, settings=members)
        for number in range(1, count + 1)
    ]
    return Zoo(servers, home)


def newer(count: int = 1, **more: object) -> Zoo:
    """Return so many servers of ZooKeeper 3.9 with admin servers; more are settings."""
    home = _home()
    members = {}
    for number in range(1, count + 1) if count > 1 else ():
        members[f"server.{number}"] = f"127.0.0.1:{free_port()}:{free_port()}"
    jars = sorted(map(str, NEWER.glob("*.jar")))
    assert jars, "make test brings ZooKeeper 3.9"
    servers = []
    for number in range(1, count + 1):
        settings = {
            "admin.enableServer": "true",
            "admin.serverAddress": "127.0.0.1",
            "admin.serverPort": free_port(),
            "admin.rateLimiterIntervalInMS": 0,
            **members,
            **more,
        }
        # Classes of the newer come first, Debian's are those that it needs besides.
        server = Server(
            home / str(number),
            number=number if count > 1 else 0,
            settings=settings,
            classes=":".join([*jars, CLASSES, "/usr/share/java/servlet-api.jar"]),
        )
        servers.append(server)
    return Zoo(servers, home)


class Encrypted(Zoo):
    """A server alone that speaks TLS, and asks clients for a certificate."""

    def __init__(self) -> None:
        home = _home()
        authority = trustme.CA()
        self.ca = home / "ca.pem"
        authority.cert_pem.write_to_path(self.ca)
        served = authority.issue_cert("127.0.0.1", "localhost")
        ours = authority.issue_cert("client@example.org")
        self.certificate, self.key = home / "client.pem", home / "client.key"
        ours.cert_chain_pems[0].write_to_path(self.certificate)
        ours.private_key_pem.write_to_path(self.key)
        store = home / "server.pem"
        # ZooKeeper reads no other form of keys.
        key = load_pem_private_key(served.private_key_pem.bytes(), None)
        how = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        store.write_bytes(key.private_bytes(*how))
        for pem in served.cert_chain_pems:
            pem.write_to_path(store, append=True)
        self.secure = free_port()
        factory = "org.apache.zookeeper.server.NettyServerCnxnFactory"
        settings = {
            "serverCnxnFactory": factory,
            "secureClientPort": self.secure,
            "secureClientPortAddress": "127.0.0.1",
            "ssl.keyStore.location": store,
            "ssl.trustStore.location": self.ca,
            "ssl.clientAuth": "need",
        }
        super().__init__([Server(home / "0", settings=settings)], home)


def _looked(client: KazooClient, paths: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """Give path, data, ACL and names of children of what is there and lasts."""
    for start in range(0, len(paths), 1000):
        some = paths[start : start + 1000]
        data = [client.get_async(path) for path in some]
        acls = [client.get_acls_async(path) for path in some]
        names = [client.get_children_async(path) for path in some]
        for path, *answers in zip(some, data, acls, names, strict=True):
            with suppress(NoNodeError):
                (content, stat), (acl, _), below = (one.get(60) for one in answers)
                if not stat.ephemeralOwner:
                    yield path, content, acl, below


def _deleted(client: KazooClient, top: str) -> None:
    found, level = [top], [top]
    while level:
        asked = [(path, client.get_children_async(path)) for path in level]
        level = [f"{path}/{name}" for path, names in asked for name in names.get(60)]
        found += level
        if len(level) > 1000:
            break  # Nobody makes so wide a tree deeper.
    found.reverse()
    for start in range(0, len(found), 2000):
        batch = client.transaction()
        for path in found[start : start + 2000]:
            batch.delete(path)
        assert all(one is True for one in batch.commit())


def _home() -> Path:
    return Path(tempfile.mkdtemp(prefix="zk", dir="/tmp"))
