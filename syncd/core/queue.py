"""Which of the jobs that wait may start now.

Every job claims what it works on, alone or beside others. Jobs are looked at in the
order of priority, then age; one that has to wait keeps its claims, so that those
behind it cannot pass it for ever.
"""

from collections.abc import Iterable

from msgspec import Struct

from syncd.core.job import Job, Kind, State

PARALLEL = 2
"""Jobs that run at once, where nothing keeps them apart."""


class Claims(Struct, frozen=True):
    """What a job works on; each a pair of a word and a name."""

    alone: frozenset[tuple[str, str]]
    """What nobody else may work on meanwhile ..."""
    beside: frozenset[tuple[str, str]] = frozenset()
    """... and what nobody may claim alone."""

    def clash(self, other: "Claims") -> bool:
        """Tell whether the two cannot be held at once."""
        return bool(
            self.alone & other.alone
            or self.alone & other.beside
            or self.beside & other.alone
        )


def claims(job: Job) -> Claims:
    """Return what the job works on.

    What changes a vault store, or speaks to a source, does so alone. Reading a
    vault to check it needs only that the vault stays; one check at a time.
    """
    vaults = frozenset(("vault", f"{job.store}/{name}") for name in _vaults(job))
    if job.kind in (Kind.VERIFY, Kind.DRILL):
        return Claims(frozenset({("checks", job.store)}), vaults)
    alone = frozenset({("store", job.store), ("source", job.source)})
    if job.kind is Kind.RESTORE:
        return Claims(alone, vaults)
    return Claims(alone | vaults)


def startable(
    jobs: Iterable[Job],
    now: float,
    *,
    parallel: int = PARALLEL,
    closed: frozenset[str] = frozenset(),
) -> list[Job]:
    """Return the queued jobs that may start now, best first.

    ``jobs`` are those that have not ended; ``closed`` names vault stores that
    nothing may be done with for now.
    """
    known = list(jobs)
    held = [claims(job) for job in known if job.state is not State.QUEUED]
    running = len(held)
    chosen: list[Job] = []
    for job in sorted(known, key=_order):
        if job.state is not State.QUEUED or job.not_before > now:
            continue
        wanted = claims(job)
        free = job.store not in closed and not any(map(wanted.clash, held))
        if free and running + len(chosen) < parallel:
            chosen.append(job)
        held.append(wanted)
    return chosen


def wakes(jobs: Iterable[Job], now: float) -> float | None:
    """Return when to look again for a job that rests until then; None: for none."""
    rests = [job.not_before for job in jobs if job.state is State.QUEUED]
    return min((rest for rest in rests if rest > now), default=None)


def _order(job: Job) -> tuple[int, float, str]:
    return -job.priority, job.created, job.id


def _vaults(job: Job) -> list[str]:
    named = job.asked.get("vaults")
    names = [str(name) for name in named] if isinstance(named, list) else []
    return names if job.vault is None else [job.vault, *names]
