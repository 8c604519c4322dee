"""Which vaults of a store its policies give up, and the jobs that delete them."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping

from msgspec.structs import replace

from syncd.backup.plan import Plan
from syncd.core import retention
from syncd.core.backup import VaultView
from syncd.core.job import Job
from syncd.core.retention import Candidate, Decision, Policy

Used = Callable[[str], Job | None]


def decided(
    plan: Plan,
    policies: Mapping[str, Policy],
    views: Iterable[VaultView],
    used: Used,
    now: float,
) -> list[tuple[VaultView, Decision]]:
    """Return what the policies say of each vault of the store's own folder.

    Vaults stand for each other only within one source, and full ones only for full
    ones. Where there is no policy for them, or their source is not configured any
    more, all stay.
    """
    groups: defaultdict[tuple[str, str], list[VaultView]] = defaultdict(list)
    for view in views:
        if not view.folder:
            which = "partial" if view.summary.partial else "full"
            groups[view.summary.source, which].append(view)
    found = []
    for (source, which), some in groups.items():
        policy = policies.get(which)
        if policy is None or source not in plan.sources:
            why = "no policy" if policy is None else "source not configured"
            stay = [(one, Decision(one.summary.name, True, why, why)) for one in some]
            found += stay
            continue
        by_name = {view.summary.name: view for view in some}
        candidates = [_candidate(view, used) for view in some]
        judged = retention.decide(policy, candidates, now)
        found += [(by_name[one.vault], one) for one in judged]
    return found


def given_up(
    decisions: Iterable[tuple[VaultView, Decision]],
) -> dict[str, list[Decision]]:
    """Return what is to be deleted, by source, oldest first.

    So what is left when that is cut short is what was worth more.
    """
    dropped: defaultdict[str, list[Decision]] = defaultdict(list)
    by_age = sorted(decisions, key=lambda pair: pair[0].summary.made)
    for view, decision in by_age:
        if not decision.keep:
            dropped[view.summary.source].append(decision)
    return dict(dropped)


def judged(job: Job, decisions: Iterable[Decision]) -> tuple[Job, dict[str, str]]:
    """Return an eviction with what is still given up, and why the rest of it stays."""
    said = {one.vault: one for one in decisions}
    named = [said[name] for name in job.asked["vaults"] if name in said]
    going = [one.vault for one in named if not one.keep]
    stays = {one.vault: f"{one.rule}: {one.reason}" for one in named if one.keep}
    return replace(job, asked={**job.asked, "vaults": going}), stays


def _candidate(view: VaultView, used: Used) -> Candidate:
    name = view.summary.name
    job = used(name)
    return Candidate(
        vault=name,
        made=view.summary.made,
        valid=view.valid,
        pinned=None if view.pin is None else view.pin.reason or "it is pinned",
        busy=None if job is None else f"job {job.id} uses it",
    )
