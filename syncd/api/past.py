"""The past of files as the API wants it: values become views."""

import base64
from collections.abc import Mapping

from syncd.api.rooms import HistoryView, PassedOver, UndoneView, Unheard, VersionView
from syncd.core import path as paths
from syncd.core.keeping import Version
from syncd.errors import Conflict
from syncd.replication.undoing import Plan, Undoing

EXAMPLES = 20
MOST_PASSED = 100
"""Files that are named one by one in an answer."""

_SECOND = 1_000_000_000


class Past:
    """Asks for what is kept, and has it brought back."""

    def __init__(self, undoing: Undoing) -> None:
        self._undoing = undoing

    async def history(self, fid: str) -> HistoryView:
        """Return what is kept of a file; raise NotFound."""
        past = await self._undoing.history(fid)
        return HistoryView(
            fid=fid,
            filename=paths.readable(past.path),
            filename_base64=_base64(past.path),
            versions=[_view(one) for one in past.versions],
            unheard=_unheard(past.unheard),
        )

    async def undo(
        self, fid: str, *, entry: str | None, version: str | None, at: float | None
    ) -> VersionView:
        """Bring back a content of one file; raise NotFound, Conflict, Unavailable."""
        return _view(
            await self._undoing.undo(
                fid, entry=entry, version=version, since_ns=_nanoseconds(at)
            )
        )

    async def undo_below(
        self, path: str, *, entry: str | None, since: float | None, dry_run: bool
    ) -> UndoneView:
        """Bring back what lies below a path, and itself; raise NotFound or Conflict."""
        since_ns = _nanoseconds(since)
        plan = await self._undoing.plan(path, entry=entry, since_ns=since_ns)
        if not plan.back and not plan.passed:
            raise Conflict(_nothing_to_do(path, since))
        if not dry_run:
            plan = await self._undoing.carry_out(plan, path, since_ns)
        return _undone(plan, dry_run=dry_run)


def _nothing_to_do(path: str, since: float | None) -> str:
    where = paths.readable(path) or "the whole"
    if since is None:
        return f"nothing is gone below {where}; say since when, to undo changes"
    return f"{where} is as it was then, as far as is kept"


def _undone(plan: Plan, *, dry_run: bool) -> UndoneView:
    return UndoneView(
        dry_run=dry_run,
        files=len(plan.back),
        bytes=sum(one.kept.size for one in plan.back),
        examples=[_view(one) for one in plan.back[:EXAMPLES]],
        passed_over=[
            PassedOver(paths.readable(one.path), one.reason)
            for one in plan.passed[:MOST_PASSED]
        ],
        unheard=_unheard(plan.unheard),
    )


def _view(one: Version) -> VersionView:
    kept = one.kept
    return VersionView(
        fid=paths.fid(kept.path),
        filename=paths.readable(kept.path),
        filename_base64=_base64(kept.path),
        version=str(kept.at_ns),
        entry=one.entry,
        at=kept.at_ns / _SECOND,
        size=kept.size,
        mtime=kept.mtime_ns / _SECOND,
        kind=kept.kind,
        why=kept.loss,
        cause=kept.cause or None,
        digest=kept.digest.hex() if kept.digest else None,
    )


def _unheard(reasons: Mapping[str, str]) -> list[Unheard]:
    return [Unheard(name, reason) for name, reason in reasons.items()]


def _nanoseconds(moment: float | None) -> int | None:
    return None if moment is None else int(moment * _SECOND)


def _base64(path: str) -> str | None:
    if paths.is_plain(path):
        return None
    return base64.b64encode(paths.to_bytes(path)).decode()
