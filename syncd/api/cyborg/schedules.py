"""Schedules: when policies are carried out."""

from typing import Any

from syncd.api.cyborg.collection import Creating, Detail, Resource
from syncd.api.cyborg.fields import Checked, Flag, Text
from syncd.api.cyborg.shapes import common, picked
from syncd.core import crontab
from syncd.store.cyborg.finding import Beside
from syncd.store.cyborg.records import Schedule

FIELDS = {
    "name": Text(label="Name", required=True),
    "crontab": Checked(label="Crontab", required=True, check=crontab.parse),
    "enabled": Flag(label="Enabled", default=True),
}


class _Schedule(Resource):
    model = "schedules"
    fields = FIELDS

    def shape(self, found: Schedule, beside: Beside) -> dict[str, Any]:
        """Return a schedule as answers show it."""
        return {
            **common(self.model, found, beside, {}, {}),
            **picked(found, "name", "crontab", "enabled", "uuid"),
        }


class Schedules(Creating, _Schedule):
    """All schedules."""


class OneSchedule(Detail, _Schedule):
    """One schedule."""


ROUTES = [("/schedules", Schedules), ("/schedules/{number}", OneSchedule)]
