"""The policies in force for one store, and what they say of its vaults."""

import asyncio
from collections.abc import Awaitable, Callable

from syncd.backup import records, retaining
from syncd.backup.plan import WHICH, Plan
from syncd.backup.runner import Runner
from syncd.core import retention
from syncd.core.backup import VaultView
from syncd.core.retention import Decision
from syncd.errors import BadRequest


class Policies:
    """What the configuration says, unless a person has put something else in force."""

    def __init__(
        self,
        plan: Plan,
        runner: Runner,
        vaults: Callable[[], Awaitable[list[VaultView]]],
    ) -> None:
        """Judge what ``vaults`` returns; the runner asks when it is about to delete."""
        self._plan = plan
        self._runner = runner
        self._vaults = vaults
        self._chosen: dict[str, str] = {}
        runner.judges[plan.name] = self._judge

    async def opened(self) -> None:
        """Take in what was chosen before."""
        for which in WHICH:
            kept = await self._runner.store.read(records.policy, self._plan.name, which)
            if kept is not None:
                self._chosen[which] = kept

    def texts(self) -> dict[str, str]:
        """Return the policies in force: ``full`` and ``partial``."""
        calendars = {which: one.text for which, one in self._plan.calendars.items()}
        return {**self._plan.policies, **calendars, **self._chosen}

    async def use(self, which: str, policy: str) -> None:
        """Put a policy in force and keep it; raise BadRequest and change nothing."""
        if which not in WHICH:
            raise BadRequest(f"there is no policy {which!r}, only {', '.join(WHICH)}")
        retention.parse(policy)
        store = self._runner.store
        await store.run(records.use_policy, self._plan.name, which, policy)
        self._chosen[which] = policy

    async def judged(self) -> list[tuple[VaultView, Decision]]:
        """Return what the policies say, of what is in the store now if any is to go.

        Somebody may have pinned a vault by hand, or found the others damaged. Raise
        Unavailable if the store cannot be looked into.
        """
        decisions = await self._decisions()
        if all(one.keep for _, one in decisions):
            return decisions
        await self._runner.survey(self._plan.name)
        return await self._decisions()

    async def _judge(self) -> list[Decision]:
        return [decision for _, decision in await self.judged()]

    async def _decisions(self) -> list[tuple[VaultView, Decision]]:
        views = await self._vaults()
        # Thousands of vaults take more to decide on than others may wait.
        return await asyncio.to_thread(
            retaining.decided,
            self._plan,
            self._in_force(),
            views,
            self._runner.used(self._plan.name).get,
            self._runner.now(),
        )

    def _in_force(self) -> dict[str, retention.Policy]:
        said = {**self._plan.policies, **self._chosen}
        parsed = {which: retention.parse(text) for which, text in said.items()}
        return {**self._plan.calendars, **parsed}
