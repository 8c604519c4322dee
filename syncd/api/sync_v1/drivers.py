"""Drivers: the kinds of storage there are."""

from msgspec import Struct

from syncd.api.handler import Handler, Route
from syncd.api.operation import on
from syncd.api.rooms import DriverView


class DriverList(Struct, frozen=True):
    """All drivers."""

    drivers: list[DriverView]


class Drivers(Handler):
    """The drivers that are installed."""

    @on("GET")
    async def listed(self) -> DriverList:
        """List the drivers, each with its options as JSON Schema."""
        return DriverList(list(self.desk.rooms.drivers()))


ROUTES: list[Route] = [("/drivers", Drivers)]
