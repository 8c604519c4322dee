"""Carries out a plan, in batches that are done wholly or not at all."""

import secrets
from base64 import b64encode
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha1
from typing import Any

from kazoo.exceptions import (
    BadVersionError,
    NodeExistsError,
    NoNodeError,
    NotEmptyError,
    RolledBackError,
    RuntimeInconsistency,
    ZookeeperError,
)
from msgspec.structs import replace

from syncd.backup_sources.zookeeper import asking
from syncd.backup_sources.zookeeper.nodes import Node, below, parent, parts
from syncd.backup_sources.zookeeper.planning import Deed, Plan, Step, There, Wanted
from syncd.backup_sources.zookeeper.session import LOST, Session, why
from syncd.errors import StorageChanged, StorageError

CLASHES = (BadVersionError, NodeExistsError, NoNodeError, NotEmptyError)
"""Somebody changed the tree since it was looked at."""

_SILENT = (RolledBackError, RuntimeInconsistency)
_MOST = 500
_UNDER_WAY = 4
_OVERHEAD = 64
_CREATE, _DELETE = 4, 8

Load = Callable[[str], Node]
"""Returns the node that is to be at a path."""


class Applying:
    """Writes into one session's ZooKeeper.

    What is made under an ACL that would keep us out is made with a right for a login
    of our own, which nobody else knows, until all below it is there.
    """

    def __init__(
        self, session: Session, packet: int, tell: Callable[[int], None]
    ) -> None:
        self._session = session
        self._packet = packet
        self._tell = tell
        self._login = f"syncd-restore:{secrets.token_urlsafe(24)}"
        digest = b64encode(sha1(self._login.encode()).digest()).decode()
        self._ours = f"digest:syncd-restore:{digest}:cdrwa"
        self._spare = f"syncd-counting-{secrets.token_hex(8)}"
        self._known = False

    async def carry_out(
        self,
        plan: Plan,
        wanted: Mapping[str, Wanted],
        inherited: Callable[[str], tuple[str, ...]],
        load: Load,
    ) -> None:
        """Do it. Raise StorageChanged if the tree has changed meanwhile, or if nobody
        knows what came of it; StorageError for what the servers refuse."""
        await self._identified()
        held = self._held(plan, wanted)
        operations = self._writes(plan, wanted, held, inherited, load)
        await self._batches((asking.delete(s.path, s.version), 0) for s in plan.deletes)
        await self._batches(operations)
        await self._batches(self._raised(plan.raises))
        await self._permitted([*plan.permits, *self._released(held)], wanted)

    def _held(self, plan: Plan, wanted: Mapping[str, Wanted]) -> set[str]:
        """Return which new nodes need a right for us until all is there."""
        busy = {parent(step.path) for step in plan.writes if step.deed is Deed.CREATE}
        busy |= {step.path for step in plan.raises}
        return {
            step.path
            for step in plan.writes
            if step.deed is Deed.CREATE
            and step.path in busy
            and not _is_open(wanted[step.path].acl)
        }

    def _released(self, held: set[str]) -> list[Step]:
        some = sorted(held, key=lambda path: path.count("/"), reverse=True)
        return [Step(Deed.SET_ACL, path, 0) for path in some]

    def _writes(
        self,
        plan: Plan,
        wanted: Mapping[str, Wanted],
        held: set[str],
        inherited: Callable[[str], tuple[str, ...]],
        load: Load,
    ) -> Iterator[tuple[Any, int]]:
        for step in plan.writes:
            node = load(step.path)
            size = len(node.data or b"") + len(step.path.encode()) + _OVERHEAD
            if step.deed is Deed.SET:
                yield asking.set_data(step.path, node.data, step.version), size
                continue
            acl = wanted[step.path].acl or inherited(step.path)
            if step.path in held:
                acl = (*acl, self._ours)
            size += sum(len(line) + 12 for line in acl)
            yield asking.create(node, step.path, acl), size

    def _raised(self, steps: Sequence[Step]) -> Iterator[tuple[Any, int]]:
        for step in steps:
            path = below(step.path, self._spare)
            size = 2 * (len(path.encode()) + _OVERHEAD + len(self._ours))
            for _ in range(step.count):
                # Seen by nobody: both are of one batch.
                yield (asking.plain(path, (self._ours,)), asking.delete(path)), size

    async def _batches(self, operations: Iterator[tuple[Any, int]] | Any) -> None:
        """Have all be done, some batches under way at once, in order."""
        under_way: deque[tuple[Any, int]] = deque()
        try:
            for batch in _cut(operations, self._packet):
                future = self._session.send_all([asking.Changes(batch)])
                under_way.append((future, len(batch)))
                if len(under_way) >= _UNDER_WAY:
                    await self._ended(under_way)
            while under_way:
                await self._ended(under_way)
        finally:
            for future, _ in under_way:
                future.cancel()

    async def _ended(self, under_way: deque[tuple[Any, int]]) -> None:
        future, count = under_way.popleft()
        (answers,) = await self._session.answers(future)
        if isinstance(answers, LOST):
            raise StorageChanged("the connection was lost on the way")
        if isinstance(answers, Exception):
            raise StorageError(why(answers))
        for answer in answers:
            if isinstance(answer, CLASHES):
                raise StorageChanged(f"the tree has changed: {why(answer)}")
            if isinstance(answer, Exception) and not isinstance(answer, _SILENT):
                raise StorageError(why(answer))
        self._tell(count)

    async def _permitted(
        self, steps: Sequence[Step], wanted: Mapping[str, Wanted]
    ) -> None:
        for start in range(0, len(steps), _MOST):
            some = steps[start : start + _MOST]
            requests = [
                asking.set_acl(one.path, wanted[one.path].acl, one.version)
                for one in some
            ]
            answers = await self._session.answers(self._session.send_all(requests))
            for step, answer in zip(some, answers, strict=True):
                if isinstance(answer, (*LOST, *CLASHES)):
                    raise StorageChanged(f"{step.path}: {why(answer)}")
                if isinstance(answer, Exception):
                    raise StorageError(f"the ACL of {step.path}: {why(answer)}")
            self._tell(len(some))

    async def _identified(self) -> None:
        if not self._known:
            await self._session.identify("digest", self._login)
            self._known = True

    # Before anything is touched.

    async def probe(
        self,
        plan: Plan,
        wanted: Mapping[str, Wanted],
        there: Mapping[str, There],
        inherited: Callable[[str], tuple[str, ...]],
        load: Load,
    ) -> dict[str, str]:
        """Return which steps the servers would refuse, and why; nothing is changed.

        Each is asked for with a version that no node has, and only judged: rights come
        before versions.
        """
        await self._identified()
        troubles: dict[str, str] = {}
        requests = self._probes(plan, wanted, there, inherited, load)
        async for path, answer in self._session.each(requests, _MOST):
            for one in answer if isinstance(answer, list) else [answer]:
                harmless = (BadVersionError, NoNodeError, *_SILENT)
                if isinstance(one, Exception) and not isinstance(one, harmless):
                    troubles.setdefault(path, why(one))
        if trouble := await self._too_large(plan, wanted):
            troubles.setdefault(*trouble)
        return troubles

    def _probes(
        self,
        plan: Plan,
        wanted: Mapping[str, Wanted],
        there: Mapping[str, There],
        inherited: Callable[[str], tuple[str, ...]],
        load: Load,
    ) -> Iterator[tuple[str, Any]]:
        for step in plan.deletes:
            yield step.path, asking.delete(step.path, asking.NEVER)
        tried: set[Any] = set()
        place = ""
        for step in plan.writes:
            if step.deed is Deed.SET:
                yield step.path, asking.set_data(step.path, b"", asking.NEVER)
                continue
            node = wanted[step.path]
            above = parent(step.path)
            is_there = above in there or above not in wanted
            place = place or (above if is_there else "")
            where = above if is_there else place
            acl = node.acl or inherited(step.path)
            kind = (node.kind, acl)
            if (is_there and above not in tried) or kind not in tried:
                tried |= {kind, above} if is_there else {kind}
                trial = below(where, self._spare)
                made = asking.create(replace(load(step.path), data=b""), trial, acl)
                yield step.path, asking.Changes([made, asking.refused()])
        for step in plan.raises:
            if step.path in there:
                trial = below(step.path, self._spare)
                pair = [asking.plain(trial, (self._ours,)), asking.delete(trial)]
                yield step.path, asking.Changes([*pair, asking.refused()])
        for step in plan.permits:
            acl = wanted[step.path].acl
            yield step.path, asking.set_acl(step.path, acl, asking.NEVER)

    async def _too_large(
        self, plan: Plan, wanted: Mapping[str, Wanted]
    ) -> tuple[str, str] | None:
        """Return a node that the servers do not take as it is too large."""
        writes = [step for step in plan.writes if wanted[step.path].size > self._packet]
        if not writes:
            return None
        largest = max(writes, key=lambda step: wanted[step.path].size)
        node = wanted[largest.path]
        size = node.size + len(largest.path) + sum(map(len, node.acl)) + _OVERHEAD * 4
        nowhere = f"/{self._spare}"
        for _ in range(2):
            await self._session.connected()
            try:
                await self._session.send(asking.set_data(nowhere, bytes(size), 0))
            except LOST:
                await self._session.pause()
            except ZookeeperError:
                return None
        return largest.path, (
            f"{node.size} bytes are more than the servers take; raise their"
            " jute.maxbuffer"
        )


def _is_open(acl: Sequence[str]) -> bool:
    for perms, scheme, identity in map(parts, acl):
        both = _CREATE | _DELETE
        if (scheme, identity) == ("world", "anyone") and perms & both == both:
            return True
    return not acl


def _cut(operations: Iterator[tuple[Any, int]], packet: int) -> Iterator[list[Any]]:
    batch: list[Any] = []
    size = 0
    for operation, length in operations:
        some = operation if type(operation) is tuple else (operation,)
        if batch and (len(batch) + len(some) > _MOST or size + length > packet):
            yield batch
            batch, size = [], 0
        batch += some
        size += length + _OVERHEAD
    if batch:
        yield batch
