"""Transactions: how restores go."""

from http import HTTPStatus

from syncd.api.operation import Number, on
from syncd.api.optools import shapes
from syncd.api.optools.backups import MISSING
from syncd.api.optools.handler import SMALL, OpToolsHandler
from syncd.api.optools.requests import Refused
from syncd.core.permission import Action
from syncd.errors import NotFound

ONE = {"application/json": {"type": "object", "required": ["status", "tx_id"]}}
ALL = {"application/json": {"type": "object", "required": ["total", "webhooks"]}}
OK = {"application/json": {"type": "object", "required": ["message"]}}
PAGE = [
    Number("limit", "How many to answer at most.", 100, least=1, most=1000),
    Number("skip", "How many to leave out at the beginning.", 0, least=0),
]


class Transaction(OpToolsHandler):
    """One transaction."""

    reads = Action.OPTOOLS_VIEW

    @on("GET", content=ONE)
    async def look(self, transaction: str) -> None:
        """Answer how a restore goes."""
        try:
            one = await self.conductor.transaction(transaction)
        except NotFound:
            raise Refused(HTTPStatus.NOT_FOUND, MISSING) from None
        self.say(shapes.transaction(one, self.desk.rooms.now()))


class Receiver(Transaction):
    """One transaction; and a receiver of what is told, to try it with."""

    largest = SMALL

    @on("POST", body={"type": "object"}, optional=True, content=OK, action=None)
    async def receive(self, transaction: str) -> None:
        """Answer that it was received; nothing is done with it."""
        del transaction
        self.say({"message": "ok"})

    def is_audited(self) -> bool:
        """Tell that nothing is written down: anybody could fill the log."""
        return False


class Transactions(OpToolsHandler):
    """All transactions."""

    reads = Action.OPTOOLS_VIEW

    @on("GET", query=PAGE, content=ALL)
    async def all(self) -> None:
        """Answer transactions: those that pend first, then the newest."""
        skip, limit = self.given["skip"], self.given["limit"]
        total, some = await self.conductor.transactions(skip, limit)
        now = self.desk.rooms.now()
        shown = [shapes.transaction(one, now) for one in some]
        self.say({"matches": len(shown), "total": total, "webhooks": shown})


ROUTES = [("/webhooks", Transactions)]
FOR_BROWSERS = [("/webhooks/txs/{transaction}", Receiver)]
FOR_PROGRAMS = [("/webhooks/txs/{transaction}", Transaction)]
