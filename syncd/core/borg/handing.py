"""Work that is handed to a client which cannot be reached: it fetches it itself.

The client runs the program with ``sh``, gives it the secrets on stdin, and keeps stdin
open until it ends. It sends back the exit code, and what stdout and stderr had.
"""

from msgspec import Struct
from msgspec.structs import replace

from syncd.core.borg import reports, script, words
from syncd.core.borg.tasks import BackUp, Result
from syncd.core.borg.variables import Dump, Machine, reading
from syncd.core.job import Progress
from syncd.errors import ConfigError

MOST = 1000
"""Lines of stderr, the last, by which a failure is understood."""


class Handed(Struct, frozen=True):
    """What a client gets."""

    program: str
    secrets: str
    """For its stdin; may stand in no log."""


def handed(task: BackUp) -> Handed:
    """Return what a client runs to back itself up.

    Raise ConfigError for what it cannot do, BadRequest for what makes no sense.
    """
    what = reading(task.policy, task.variables, task.client)
    if isinstance(what, Machine) or task.repository.place.host is None:
        raise ConfigError(
            f"{task.client.hostname} is behind a firewall, and can only push its own"
            " files and dumps into a repository that it reaches by SSH"
        )
    make = words.create(
        task.repository, task.archive, what, bandwidth=task.client.bandwidth
    )
    variable = what.variable if isinstance(what, Dump) else None
    password = what.password if isinstance(what, Dump) else ""
    program = script.program(make, task.login.known_hosts, variable=variable)
    secrets = script.secrets(task.repository.passphrase, password)
    return Handed(program, secrets.decode())


def came_back(task: BackUp, code: int, printed: bytes, said: str) -> Result:
    """Return what came of handed work, by what the client has sent back.

    Raise what went wrong, as if it had been done here.
    """
    lines = [reports.understood(line) for line in said.splitlines()[-MOST:]]
    told = [one for one in lines if one and not isinstance(one, Progress)]
    return replace(reports.backed_up(code, told, printed), archive=task.archive)
