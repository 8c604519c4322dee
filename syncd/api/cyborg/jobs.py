"""Jobs: what is to be done, is done and was done, and what it wrote."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec

from syncd.api.cyborg.collection import (
    QUERY,
    Creating,
    Detail,
    Resource,
)
from syncd.api.cyborg.fields import Choice, Reference, Text
from syncd.api.cyborg.handler import OBJECT, number
from syncd.api.cyborg.job_events import Events
from syncd.api.cyborg.metadata import Described
from syncd.api.cyborg.refusals import Refused, forbidden
from syncd.api.cyborg.shapes import address, common, moment, picked
from syncd.api.operation import Number, Word, on
from syncd.core import masking
from syncd.store import filters
from syncd.store.cyborg import output, tables
from syncd.store.cyborg.finding import Beside
from syncd.store.cyborg.keeping import ACTIVE
from syncd.store.cyborg.launching import AT_FIRST
from syncd.store.cyborg.models import MODELS
from syncd.store.cyborg.records import Job
from syncd.store.values import LARGEST

TYPES = {
    word: word.capitalize()
    for word in ("job", "check", "catalog", "prune", "restore", "integrity")
}
LAUNCHES = {
    word: word.capitalize()
    for word in (
        *("manual", "relaunch", "callback", "scheduled", "dependency"),
        *("workflow", "sync", "scm"),
    )
}
FIELDS = {
    "name": Text(label="Name", required=True, most=512),
    "launch_type": Choice(label="Launch type", choices=LAUNCHES, default="manual"),
    "job_type": Choice(label="Job type", choices=TYPES, default="job"),
    "policy": Reference(label="Policy", to="policies", nullable=True),
    "client": Reference(label="Client", to="clients", nullable=True),
    "repository": Reference(label="Repository", to="repositories", nullable=True),
    "master_job": Reference(label="Master job", to="jobs", nullable=True),
}
NEW: Mapping[str, Any] = {**AT_FIRST, "status": "new", "archive_name": ""}
"""What a job is like that nobody is to begin."""

MOST_EVENTS = "4000"
MOST_TEXT = 1 << 20
"""Characters of output that are told in JSON at once."""

TEXTS = {
    "txt": None,
    "ansi": None,
    "txt_download": "job_{}.txt",
    "ansi_download": "job_{}.ansi.txt",
}
"""Formats of the output, and the file that it is to become."""


class _Job(Resource):
    model = "jobs"
    fields = FIELDS

    def shape(self, found: Job, beside: Beside) -> dict[str, Any]:
        """Return a job as answers show it."""
        related = {
            "job_events": address(self.model, found.id, "job_events"),
            "stdout": address(self.model, found.id, "stdout"),
        }
        if found.policy_id is not None:
            related["policy"] = address("policies", found.policy_id)
        return {
            **common(self.model, found, beside, related, _summary(found, beside)),
            **picked(found, "name", "launch_type", "status"),
            "policy": found.policy_id,
            "failed": found.failed,
            "started": moment(found.started),
            "finished": moment(found.finished),
            "elapsed": self._elapsed(found),
            "job_args": found.job_args,
            **picked(found, "original_size", "compressed_size", "deduplicated_size"),
            **picked(found, "archive_name", "job_cwd"),
            "job_env": environment(found.job_env),
            "job_explanation": found.job_explanation,
            "client": found.client_id,
            "repository": found.repository_id,
            "master_job": found.master_job_id,
            "dependent_jobs": found.dependent_jobs_id,
            **picked(found, "result_traceback", "event_processing_finished"),
            "job_type": found.job_type,
        }

    def _elapsed(self, found: Job) -> float:
        if found.status == "running" and found.started is not None:
            return round(max(0.0, self.records.now() - found.started), 3)
        return found.elapsed


def _summary(found: Job, beside: Beside) -> dict[str, Any]:
    summary: dict[str, Any] = {}
    policy = beside.get("policies", found.policy_id)
    repository = found.repository_id
    if policy is not None:
        summary["policy"] = picked(policy, "id", "name", "policy_type")
        schedule = beside.get("schedules", policy.schedule_id)
        if schedule is not None:
            summary["schedule"] = picked(schedule, "id", "name")
        repository = policy.repository_id if repository is None else repository
    client = beside.get("clients", found.client_id)
    if client is not None:
        limit = () if client.bandwidth_limit is None else ("bandwidth_limit",)
        summary["client"] = picked(client, "id", "hostname", *limit)
    place = beside.get("repositories", repository)
    if place is not None:
        summary["repository"] = picked(place, "id", "name")
    return summary


def environment(text: str) -> Any:
    """Return the environment of a job, without secrets."""
    shown = masking.masked(text) if text else "{}"
    try:
        return msgspec.json.decode(shown)
    except msgspec.DecodeError:
        return {}


class Jobs(Creating, _Job):
    """All jobs."""

    async def save(self, said: dict[str, Any], id_: int | None) -> int:
        """Keep a job that nobody has begun."""
        return await super().save({**NEW, **said}, id_)


class OneJob(Detail, _Job):
    """One job."""

    async def _change(self, id_: int, *, whole: bool) -> None:
        found, _ = await self.records.one(self.model, id_, self.said)
        if found.status != "new":
            method = str(self.request.method)
            refusal = f'Method "{method}" not allowed.'
            raise Refused(refusal, HTTPStatus.METHOD_NOT_ALLOWED)
        await super()._change(id_, whole=whole)

    @on("DELETE", status=(HTTPStatus.NO_CONTENT,), errors=[HTTPStatus.CONFLICT])
    async def delete_it(self, number_: str) -> None:
        """Forget a job that has ended, or was never begun; its archive stays."""
        found, _ = await self.records.one(self.model, number(number_), self.said)
        if found.status in ACTIVE and found.status != "new":
            raise forbidden("Cannot delete running job resource.")
        await self.records.run(output.forget, found.id)
        self.say_nothing()


class EventsOfJob(Events):
    """What a job wrote, as events."""

    @on("GET", query=QUERY, content=OBJECT)
    async def events(self, number_: str) -> None:
        """List the events of a job, oldest first; ``search`` looks into their texts."""
        job, _ = await self.records.one("jobs", number(number_))
        where = [tables.job_events.c.job_id == job.id]
        text = dict(self.said).get("search", "")
        searching = {**MODELS, "job_events": _SEARCHED}
        where += filters.searched(searching, "job_events", text)
        found = await self.records.page(
            "job_events", self.said, where, newest_first=False
        )
        self.set_header("X-UI-Max-Events", MOST_EVENTS)
        await self.tell(found)


_SEARCHED = msgspec.structs.replace(MODELS["job_events"], searched=("stdout",))


class Output(Described):
    """What a job wrote, as a text."""

    @on(
        "GET",
        query=[
            Word("format", "How it is answered.", choices=["json", *TEXTS]),
            Number("start_line", "The first line, for json.", 0, least=0),
            Number("end_line", "The line behind the last, for json.", 0, least=0),
        ],
        content={"application/json": {"type": "object"}, "text/plain": {}},
    )
    async def output(self, number_: str) -> None:
        """Tell what a job wrote."""
        given = dict(self.said)
        job, _ = await self.records.one("jobs", number(number_))
        how = given.get("format", "json")
        if how in TEXTS:
            await self._send(job.id, TEXTS[how])
        elif how == "json":
            await self._tell(job.id, given)
        else:
            raise Refused("Not found.", HTTPStatus.NOT_FOUND)

    async def _send(self, job: int, file: str | None) -> None:
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        if file is not None:
            name = file.format(job)
            self.set_header("Content-Disposition", f'attachment; filename="{name}"')
        behind = 0
        while events := await self.records.read(output.some, job, behind):
            self.write("".join(f"{one.stdout}\n" for one in events))
            await self.flush()
            behind = events[-1].counter
        self.finish()

    async def _tell(self, job: int, given: Mapping[str, str]) -> None:
        start, end = _line(given, "start_line", 0), _line(given, "end_line", LARGEST)
        total = await self.records.read(output.length, job)
        last = max(min(start, total), min(end, total))
        lines: list[str] = []
        size = behind = 0
        while events := await self.records.read(output.some, job, behind, start):
            for one in events:
                size += len(one.stdout) + 1
                if one.start_line >= last or (size > MOST_TEXT and lines):
                    last = min(last, one.start_line)
                    break
                lines.append(one.stdout)
            else:
                behind = events[-1].counter
                continue
            break
        said = {"start": min(start, total), "end": last, "absolute_end": total}
        self.say({"range": said, "content": "".join(f"{one}\n" for one in lines)})


def _line(given: Mapping[str, str], name: str, default: int) -> int:
    text = given.get(name, "")
    plain = text.isascii() and text.isdecimal() and len(text) < 19
    return int(text) if plain else default


ROUTES = [
    ("/jobs", Jobs),
    ("/jobs/{number}", OneJob),
    ("/jobs/{number}/job_events", EventsOfJob),
    ("/jobs/{number}/stdout", Output),
]
