"""Statements compiled once and run for many rows, without work per row."""

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.sql.expression import ClauseElement


class Prepared:
    """One INSERT or UPDATE, in the words of whichever database it meets first.

    SQLAlchemy builds the parameters of every row anew, which costs more than
    the database does; here each row only has to be put in the right order.
    """

    def __init__(self, statement: ClauseElement) -> None:
        self._statement = statement
        self._sql = ""
        self._shape: Callable[[Mapping[str, Any]], Any] | None = None

    def run(self, db: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Run the statement for every row: its parameters by name."""
        if not rows:
            return
        if self._shape is None:
            self._compile(db, list(rows[0]))
        assert self._shape is not None
        db.exec_driver_sql(self._sql, [self._shape(row) for row in rows])

    def _compile(self, db: Connection, names: list[str]) -> None:
        compiled = self._statement.compile(dialect=db.dialect, column_keys=names)
        order: Sequence[str] | None = getattr(compiled, "positiontup", None)
        self._sql = str(compiled)
        self._shape = itemgetter(*order) if order else dict
