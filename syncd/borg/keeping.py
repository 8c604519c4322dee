"""What is done with a repository itself: made, looked at, pruned, checked."""

from datetime import UTC, datetime

from syncd.borg.running import Ran, Runner
from syncd.core.borg import reports, words
from syncd.core.borg.tasks import (
    Archive,
    Check,
    PrepareRepository,
    Prune,
    Result,
    Survey,
)
from syncd.core.borg.values import Encryption, Repository
from syncd.errors import BadRequest, NotFound, SyncdError


async def prune(task: Prune, runner: Runner) -> Result:
    """Delete what no rule keeps of a client's archives, and make room.

    Raise NotFound, before anything else, when the archive that proves that the last
    backup went well is not there.
    """
    said = words.prune(
        task.repository, task.policy, task.client, task.keep, dry_run=task.dry_run
    )
    if task.repository.append_only and not task.dry_run:
        note = "the repository is append-only: nothing is pruned"
        runner.tell.line(note)
        return Result(notes=[note])
    archives = await listed(task.repository, runner)
    if task.proof is not None and all(one.name != task.proof for one in archives):
        raise NotFound(
            f"nothing is pruned: the repository has no {task.proof}, so the backup"
            " before has failed"
        )
    ran = await done(said, task.repository, runner, "pruning")
    gone, kept = reports.pruned(ran.lines)
    warnings = ran.warnings
    if gone and not task.dry_run:
        # Only this gives room back.
        said = words.compact(task.repository)
        try:
            await done(said, task.repository, runner, "compacting")
        except SyncdError as error:
            # What is gone is gone, and must be told.
            runner.tell.line(str(error))
            warnings = [*warnings, str(error)]
    return Result(pruned=gone, kept=kept, warnings=warnings)


async def check(task: Check, runner: Runner) -> Result:
    """Look whether a repository, or an archive, is sound; raise StorageError if not."""
    said = words.check(task.repository, task.archive, data=task.data)
    ran = await runner.borg(said, task.repository)
    if ran.code:
        raise reports.failure("the check", ran.code, ran.lines)
    return Result(archive=task.archive)


async def prepare(task: PrepareRepository, runner: Runner) -> Result:
    """Make the repository if there is none; say what there is."""
    repository = task.repository
    try:
        return await survey(Survey(repository=repository), runner)
    except NotFound:
        pass
    if repository.encryption is not Encryption.NONE and not repository.passphrase:
        raise BadRequest(
            "an encrypted repository needs a passphrase; give one, or choose no"
            " encryption"
        )
    await done(words.init(repository), repository, runner, "making the repository")
    return Result(made=True, encryption=str(repository.encryption))


async def survey(task: Survey, runner: Runner) -> Result:
    """Return which archives a repository has, and what it takes."""
    archives = await listed(task.repository, runner)
    ran = await done(
        words.info(task.repository), task.repository, runner, "looking at it"
    )
    said = reports.statistics(ran.printed)
    return Result(
        archives=archives,
        repository=reports.of_repository(said.cache.get("stats", {})),
        encryption=str(said.encryption.get("mode", "")),
    )


async def listed(repository: Repository, runner: Runner) -> list[Archive]:
    """Return the archives of a repository; raise NotFound, StorageError."""
    said = words.survey(repository)
    ran = await done(said, repository, runner, "listing the archives")
    return [
        Archive(
            name=str(one["name"]),
            made=datetime.fromisoformat(one["start"]).replace(tzinfo=UTC).timestamp(),
        )
        for one in reports.statistics(ran.printed).archives
    ]


async def done(
    said: words.Words, repository: Repository, runner: Runner, what: str
) -> Ran:
    """Have Borg do something with a repository; raise what went wrong."""
    ran = await runner.borg(said, repository)
    if ran.code not in (0, reports.WARNING):
        raise reports.failure(what, ran.code, ran.lines)
    return ran
