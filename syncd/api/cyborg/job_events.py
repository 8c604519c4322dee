"""Events of jobs: each a line of what one wrote."""

from typing import Any

from syncd.api.cyborg.collection import Collection, Looking, Resource
from syncd.api.cyborg.shapes import address, moment, picked
from syncd.store.cyborg.finding import Beside
from syncd.store.cyborg.records import Event

LONGEST = 1023
"""Characters of a line that lists show."""


class _Event(Resource):
    model = "job_events"
    cuts = False

    def shape(self, found: Event, beside: Beside) -> dict[str, Any]:
        """Return an event as answers show it."""
        return shaped(found, beside, cut=self.cuts)


def shaped(found: Event, beside: Beside, *, cut: bool) -> dict[str, Any]:
    """Return an event as answers show it."""
    job = beside.get("jobs", found.job_id)
    keys = ("id", "name", "status", "failed", "elapsed")
    text = found.stdout
    if cut and len(text) > LONGEST:
        text = f"{text[:LONGEST]}\N{HORIZONTAL ELLIPSIS}"
    return {
        "id": found.id,
        "type": "job_event",
        "url": address("job_events", found.id),
        "related": {"job": address("jobs", found.job_id)},
        "summary_fields": {} if job is None else {"job": picked(job, *keys)},
        "created": moment(found.created),
        "modified": moment(found.created),
        "job": found.job_id,
        "event": found.event,
        "counter": found.counter,
        "event_display": found.event.capitalize(),
        "event_data": {},
        "event_level": 0,
        "failed": found.failed,
        "changed": False,
        "uuid": "",
        "task": "",
        "stdout": text,
        **picked(found, "start_line", "end_line"),
        "verbosity": 0,
    }


class Events(Collection, _Event):
    """All events."""

    cuts = True


class OneEvent(Looking, _Event):
    """One event."""


ROUTES = [("/job_events", Events), ("/job_events/{number}", OneEvent)]
