"""Makes an archive of a client: here, pushed by the client, or pulled from it."""

import asyncio
import shlex
from collections.abc import Awaitable, Callable

from msgspec.structs import replace

from syncd import clock
from syncd.borg.providers import dump
from syncd.borg.running import Ran, Runner
from syncd.core.borg import reports, script, words
from syncd.core.borg.tasks import BackUp, Mode, Result, Sizes
from syncd.core.borg.variables import Dump, Files, Machine, Reading, reading
from syncd.errors import ConfigError, NotFound, StorageError, SyncdError

TAR_UNREADABLE = (1, 2)
"""tar's exit codes when some files changed or could not be read; the rest was."""

TAR_GAVE_UP = "exiting now"
"""So ends what tar says when it leaves out all that would have followed."""

Make = Callable[[BackUp, Reading, Runner], Awaitable[Result]]


async def back_up(task: BackUp, runner: Runner) -> Result:
    """Make an archive and return what is known of it.

    Raise BadRequest or ConfigError for what cannot be asked for; StorageError, or one
    of its kinds, when it could not be made: then there is none of that name.
    """
    what = reading(task.policy, task.variables, task.client)
    if isinstance(what, Machine):
        what = dump(task.provider, what.variables)
    make = _how(task, what)
    if task.before:
        await _hook(task, runner, "before", task.before)
    try:
        if isinstance(what, Files):
            await _see(task, what, runner)
        result = await make(task, what, runner)
    except (SyncdError, asyncio.CancelledError):
        # Whatever the command before has stopped must go on.
        await _after(task, runner)
        raise
    _tell(task, result, runner)
    warnings = [*result.warnings, *await _after(task, runner)]
    return replace(result, archive=task.archive, warnings=warnings)


def _tell(task: BackUp, result: Result, runner: Runner) -> None:
    sizes = result.sizes or Sizes()
    runner.tell.line(
        f"{task.archive}: {result.files} files, {sizes.original} bytes, of which"
        f" {sizes.deduplicated} were new in the repository"
    )


def _how(task: BackUp, what: Reading) -> Make:
    if task.client.here:
        return _here
    if task.mode is Mode.PULL:
        return _pull_files if isinstance(what, Files) else _pull_dump
    if task.repository.place.host is None:
        raise ConfigError(
            f"{task.client.hostname} cannot push into {task.repository.path}, a folder"
            " of this machine; pull it (mode_pull), or give the repository as"
            " user@host:/folder"
        )
    return _push


async def _see(task: BackUp, what: Files, runner: Runner) -> None:
    """Raise NotFound if nothing is there of what is to be backed up."""
    said = words.any_there(what.paths)
    ran = await runner.run(_on(task, runner, said))
    if ran.code == words.NOTHING_THERE:
        paths = ", ".join(what.paths)
        raise NotFound(
            f"{task.client.hostname} has none of {paths}; correct the policy"
        )
    _succeeded("looking at the client", ran)


def _on(task: BackUp, runner: Runner, said: words.Words) -> words.Words:
    """Return the words that run others on the client, as root where it is another."""
    if task.client.here:
        return said
    return words.ssh(task.client, runner.doors.keys, script.as_root(task.client, said))


def _create(task: BackUp, what: Reading, runner: Runner) -> words.Words:
    said = words.create(
        task.repository, task.archive, what, bandwidth=task.client.bandwidth
    )
    runner.tell.line(f"runs: {shlex.join(said)}")
    return said


async def _here(task: BackUp, what: Reading, runner: Runner) -> Result:
    said = _create(task, what, runner)
    variables = {}
    if isinstance(what, Dump) and what.variable:
        variables[what.variable] = what.password
    ran = await runner.borg(said, task.repository, variables=variables)
    return _made(ran)


async def _push(task: BackUp, what: Reading, runner: Runner) -> Result:
    said = _create(task, what, runner)
    text = script.program(
        said,
        task.login.known_hosts,
        variable=what.variable if isinstance(what, Dump) else None,
    )
    password = what.password if isinstance(what, Dump) else ""
    secrets = script.secrets(task.repository.passphrase, password)
    shell = script.shell(task.client, text, agent=True)
    reach = words.ssh(task.client, runner.doors.keys, shell, agent=True)
    lent = words.lent(task.login, task.client, task.repository, runner.doors.keys)
    ran = await runner.remote(reach, secrets, lent)
    return _made(ran)


async def _pull_dump(task: BackUp, what: Reading, runner: Runner) -> Result:
    assert isinstance(what, Dump)
    run = (
        script.with_password(what.variable, what.words) if what.variable else what.words
    )
    reach = words.ssh(
        task.client, runner.doors.keys, script.as_root(task.client, list(run))
    )
    said = words.create(task.repository, task.archive, Dump(tuple(reach)))
    ran = await runner.borg(said, task.repository, told=f"{what.password}\n".encode())
    return _made(ran)


async def _pull_files(task: BackUp, what: Reading, runner: Runner) -> Result:
    """Have Borg read a tar; only when both ends are well the archive gets its name.

    Until then it is called as Borg calls what is unfinished: it is in no list, and
    the next prune deletes it.
    """
    assert isinstance(what, Files)
    half = f"{task.archive}.checkpoint.{int(clock.timestamp())}"
    said = words.pipe(
        _on(task, runner, words.tar(what)), words.import_tar(task.repository, half)
    )
    ran = await runner.borg(said, task.repository)
    first, second = reports.pipe_codes(ran.lines) or (ran.code, ran.code)
    if first not in (0, *TAR_UNREADABLE) or second not in (0, reports.WARNING):
        code = reports.guilty(first, second)
        raise reports.failure("reading the client", code, ran.lines)
    if any(line.text.endswith(TAR_GAVE_UP) for line in ran.lines):
        raise reports.plainly("reading the client", first, ran.lines)
    result = _made(replace(ran, code=second))
    named = await runner.borg(
        words.rename(task.repository, half, task.archive), task.repository
    )
    _succeeded("naming the archive", named)
    if not first:
        return result
    told = [line.text for line in ran.lines if line.text.startswith("tar:")]
    return replace(result, warnings=[*result.warnings, *told])


def _made(ran: Ran) -> Result:
    return reports.backed_up(ran.code, ran.lines, ran.printed)


def _succeeded(what: str, ran: Ran) -> None:
    if ran.code:
        raise reports.failure(what, ran.code, ran.lines)


async def _hook(task: BackUp, runner: Runner, when: str, command: str) -> None:
    """Run a hook on the client; raise StorageError if it fails."""
    runner.tell.line(f"runs the command {when} it")
    said = _on(task, runner, ["sh", "-c", command])
    ran = await runner.run(said, limit=task.hook_timeout)
    for line in ran.printed.decode(errors="replace").splitlines():
        runner.tell.line(line)
    if ran.code == words.SSH_FAILED and not task.client.here:
        raise reports.failure(f"the command {when} it", ran.code, ran.lines)
    if ran.code:
        # What a stranger's command says means nothing to us.
        raise reports.plainly(f"the command {when} it", ran.code, ran.lines)


async def _after(task: BackUp, runner: Runner) -> list[str]:
    """Run the hook behind a backup; return what there is to warn of."""
    if not task.after:
        return []
    try:
        await _hook(task, runner, "after", task.after)
    except StorageError as error:
        runner.tell.line(str(error))
        return [str(error)]
    return []
