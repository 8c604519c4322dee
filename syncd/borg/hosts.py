"""Fetches the keys of machines, and looks whether clients have what is needed."""

from syncd.borg.running import Runner
from syncd.core.borg import reports, script, words
from syncd.core.borg.hosts import host_keys
from syncd.core.borg.tasks import FetchHostKeys, Mode, PrepareClient, Result
from syncd.errors import StorageBusy, StorageError

SCAN_WITHIN = 10
"""Seconds within which a machine must show its keys."""

OLDEST = (1, 2)
"""The version of Borg that can do all that is asked of it."""


async def fetch(task: FetchHostKeys, runner: Runner) -> Result:
    """Return the keys that a machine shows; raise StorageBusy if it shows none."""
    said = ["ssh-keyscan", f"-T{SCAN_WITHIN}", f"-p{task.port}", "--", task.host]
    ran = await runner.run(said, limit=2 * SCAN_WITHIN)
    keys = host_keys(ran.printed.decode(errors="replace"), task.host, task.port)
    if not keys:
        raise StorageBusy(
            f"{task.host} shows no key at port {task.port}; see that it is up, and its"
            " address and port right"
        )
    return Result(host_keys=keys)


async def prepare(task: PrepareClient, runner: Runner) -> Result:
    """Return which Borg a client has; raise StorageError if it lacks what it needs."""
    client = task.client
    wanted = ["tar", "--version"] if _only_read(task) else words.version()
    said = wanted
    if not client.here:
        as_root = script.as_root(client, wanted)
        said = words.ssh(client, runner.doors.keys, as_root)
    ran = await runner.run(said)
    if ran.code:
        raise reports.failure(f"preparing {client.hostname}", ran.code, ran.lines)
    printed = ran.printed.decode(errors="replace").strip()
    if _only_read(task):
        return Result(version="")
    version = printed.rpartition(" ")[2]
    if not reports.is_at_least(version, OLDEST):
        raise StorageError(
            f"{client.hostname} has {printed or 'no Borg'}; install Borg 1.2 or newer"
        )
    return Result(version=version)


def _only_read(task: PrepareClient) -> bool:
    return task.mode is Mode.PULL and not task.client.here
