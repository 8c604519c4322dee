"""Clients: the machines that are backed up."""

from typing import Any

from syncd.api.cyborg.collection import Creating, Detail, Resource
from syncd.api.cyborg.fields import Flag, References, Text, Whole
from syncd.api.cyborg.shapes import common, picked
from syncd.store.cyborg.finding import Beside
from syncd.store.cyborg.records import Client

FIELDS = {
    "hostname": Text(label="Hostname", required=True),
    "ip": Text(label="IP Address", most=65_536),
    "bandwidth_limit": Whole(label="Bandwidth limit", nullable=True),
    "port": Whole(label="SSH Port", default=22, least=1, most=65_535),
    "version": Text(label="Borg Version", most=50),
    "ready": Flag(label="Ready"),
    "hypervisor_ready": Flag(label="Hypervisor ready"),
    "hypervisor_name": Text(label="Hypervisor name"),
    "mark_as_to_update": Flag(label="Mark as to update"),
    "enabled": Flag(label="Enabled", default=True),
    "behind_firewall": Flag(label="Behind firewall"),
    "policies": References(label="Policies", to="policies"),
}


class _Client(Resource):
    model = "clients"
    fields = FIELDS

    def shape(self, found: Client, beside: Beside) -> dict[str, Any]:
        """Return a client as answers show it."""
        policies = [
            picked(one, "id", "name")
            for number in beside.policies_of.get(found.id, [])
            if (one := beside.get("policies", number)) is not None
        ]
        summary = {"policies": policies} if policies else {}
        return {
            **common(self.model, found, beside, {}, summary),
            **picked(found, "hostname", "ip", "bandwidth_limit", "port", "version"),
            **picked(found, "ready", "hypervisor_ready", "hypervisor_name"),
            "can_be_updated": False,
            **picked(found, "mark_as_to_update", "enabled", "behind_firewall", "uuid"),
        }


class Clients(Creating, _Client):
    """All clients."""


class OneClient(Detail, _Client):
    """One client."""


ROUTES = [("/clients", Clients), ("/clients/{number}", OneClient)]
