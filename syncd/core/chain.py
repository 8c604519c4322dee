"""The jobs that one launch of a policy makes: a chain for each of its clients.

A client's files are backed up, then listed, then those of its archives that are not to
be kept are given up; and the next client's chain ends after this one's.
"""

from collections.abc import Sequence
from enum import StrEnum

from msgspec import Struct

from syncd.core.job import State


class Step(StrEnum):
    """What a job of a chain does, by the name that clients know."""

    BACKUP = "job"
    CATALOG = "catalog"
    PRUNE = "prune"

    @property
    def word(self) -> str:
        """Return how names of such jobs begin."""
        return {"job": "Backup", "catalog": "Catalog", "prune": "Prune"}[self.value]


class Link(Struct, frozen=True):
    """One job of a chain; others are named by their place in it, from 0."""

    name: str
    step: Step
    client: int
    master: int | None
    """The job before it, of the same client."""
    waits: int | None
    """The job that waits for this one."""

    @property
    def status(self) -> str:
        """Return where it begins: what has nothing before it can start."""
        return "pending" if self.master is None else "waiting"


def chain(
    policy: str,
    clients: Sequence[tuple[int, str]],
    *,
    catalog: bool,
    prune: bool,
) -> list[Link]:
    """Return the jobs of a launch, for clients by number and name, in their order.

    ``prune``: whether anything says what is to be kept. The last job of one client has
    the last of the next wait for it.
    """
    more = [Step.CATALOG] * catalog + [Step.PRUNE] * prune
    steps = [Step.BACKUP, *more]
    length, found = len(steps), list[Link]()
    for turn, (client, host) in enumerate(clients):
        first = turn * length
        for place, step in enumerate(steps):
            last = place == length - 1
            following = first + place + (length if last else 1)
            found.append(
                Link(
                    name=f"{step.word} Job {policy} {host}",
                    step=step,
                    client=client,
                    master=None if place == 0 else first + place - 1,
                    waits=None if last and turn == len(clients) - 1 else following,
                )
            )
    return found


STATUS = {
    State.QUEUED: "pending",
    State.RUNNING: "running",
    State.CANCELING: "running",
    State.SUCCESSFUL: "successful",
    State.FAILED: "failed",
    State.CANCELED: "canceled",
}
"""What a state of the engine's jobs is called."""

ENDED = frozenset({"successful", "failed", "error", "canceled"})
BAD = frozenset({"failed", "error", "canceled"})


def after(step: str, outcome: str) -> str:
    """Return what becomes of a job whose master, of a kind, ended so.

    Nothing is given up after a backup that did not succeed, and nothing can be listed
    of one. That files could not be listed keeps nobody from anything, unless it was not
    even tried.
    """
    tried = step == Step.CATALOG and outcome in ("failed", "error")
    return "pending" if outcome == "successful" or tried else "canceled"
