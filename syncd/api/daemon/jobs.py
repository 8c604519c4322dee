"""Jobs: how they are, and their end on request."""

from http import HTTPStatus

from syncd.api.daemon import shapes
from syncd.api.daemon.handler import DaemonHandler, Refused, failed
from syncd.api.operation import on
from syncd.core.job import Job, Kind, State
from syncd.errors import Conflict, NotFound

TAIL = 4096
"""Bytes from the end of an output in which its last lines are looked for."""

_HTTP = {
    "Queued": HTTPStatus.PARTIAL_CONTENT,
    "Processing": HTTPStatus.PARTIAL_CONTENT,
    "Successful": HTTPStatus.OK,
    "Failed": HTTPStatus.INTERNAL_SERVER_ERROR,
}


class JobStatus(DaemonHandler):
    """One job; clients ask again and again, and take a refusal for its failure."""

    counted = False

    @on(
        "GET",
        status=(HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT),
        content={"application/json": {"type": "object"}},
    )
    async def status(self, job: str) -> None:
        """Answer how a job is: 206 until it ends, then 200, or 500 if it failed.

        Who may read logs is told the last lines of its output.
        """
        unknown = f"Sorry, no job '{job}' recorded in database"
        try:
            found = await self._job(job)
            await self._look_for_its_vault(found)
        except NotFound:
            raise Refused(unknown, HTTPStatus.NOT_FOUND) from None
        log = b""
        if found.state in (State.FAILED, State.CANCELED):
            if await self.may_hear_output():
                log = await self._tail(found)
            else:
                found = await self.job_for_asker(found)
        said = shapes.job(found, log, incremental=self.is_incremental)
        self.say(said, _HTTP[said["status"]])

    async def _job(self, id: str) -> Job:
        """Return a job, or what a listed vault tells of it; raise NotFound."""
        try:
            return await self.backups.job(id)
        except NotFound:
            return shapes.told_by(await self.listed(id))

    async def _look_for_its_vault(self, job: Job) -> None:
        """Raise NotFound for a backup that was evicted since."""
        if job.kind is Kind.BACKUP and job.state is State.SUCCESSFUL and job.vault:
            await self.backups.vault(job.vault, folder=job.asked.get("folder", ""))

    async def _tail(self, job: Job) -> bytes:
        try:
            return (await self.backups.log(job.id, start=-TAIL))[0]
        except NotFound:
            return b""


class Terminate(DaemonHandler):
    """The end of a job, on request."""

    @on(
        "POST",
        body={"type": "object"},
        optional=True,
        errors=[HTTPStatus.NOT_ACCEPTABLE],
        content={"application/json": {"type": "string"}},
    )
    async def terminate(self, job: str) -> None:
        """Have a job end, whether it runs or waits; 406 if it has ended."""
        backups = self.backups
        try:
            found = await backups.job(job)
            if not found.state.final:
                await backups.cancel(found.id, who=self.asker)
        except NotFound:
            await self._refuse_ended(job)
        except Conflict:
            raise _ended(job) from None
        else:
            if found.state.final:
                raise _ended(job)
            self.say(f"Backup {job} successfully terminated")

    async def _refuse_ended(self, job: str) -> None:
        try:
            await self.backups.vault(job)
        except NotFound:
            raise failed(f"backup {job} not found") from None
        raise _ended(job)


def _ended(job: str) -> Refused:
    return failed(f"backup {job} has ended already", HTTPStatus.NOT_ACCEPTABLE)


ROUTES = [("/jobstatus/{job}", JobStatus), ("/terminate/{job}", Terminate)]
