"""How long a backup takes: the first of many small files, and one more."""

from collections.abc import Mapping, Sequence
from statistics import median

from tests.benchmarks import keepers, trees
from tests.benchmarks.contestant import turns
from tests.benchmarks.keepers import Keeper
from tests.benchmarks.plan import Plan, Result, Row
from tests.benchmarks.usage import Usage
from tests.benchmarks.workshop import Workshop

SIZE = 21_475
"""Bytes; of these 50,000 files make a gibibyte."""

FIRST = keepers.CopyAndRead.name
AGAIN = keepers.Mirror.name
"""What the first and the next backup are measured against."""

Taken = Mapping[str, Sequence[tuple[Usage, Usage | None]]]


def measure(workshop: Workshop, plan: Plan) -> Result:
    """Return what a first backup takes all the tools, and one when nothing changed."""
    files, runs = plan.pick(50_000, 2000), plan.pick(3, 1)
    source = workshop.new_folder()
    trees.fill(source, files, SIZE)
    trees.settle_disk(keepers.REST)  # what was written just now is read twice
    tools: list[Keeper] = [
        keepers.Mirror(),
        keepers.CopyAndRead(),
        keepers.Restic(),
        keepers.Borg(),
        keepers.Syncd(),
        keepers.SyncdLater(),
    ]
    taken: dict[str, list[tuple[Usage, Usage | None]]] = {}
    for tool in turns(tools, runs):
        target, work = workshop.new_folder(), workshop.new_folder()
        trees.settle_disk()
        taken.setdefault(tool.name, []).append(tool.run(source, target, work))
        keepers.removed(tool, target)
    title = f"Backup of {files:,} files of {SIZE:,} bytes, and one more"
    return _told(title, [tool for tool in tools if tool.name in taken], taken)


def _told(title: str, tools: Sequence[Keeper], taken: Taken) -> Result:
    first = {name: [one for one, _ in runs] for name, runs in taken.items()}
    again = {
        name: [other for _, other in runs if other is not None]
        for name, runs in taken.items()
    }
    result = Result(title)
    for tool in tools:
        row: Row = {"tool": tool.name, "survives a power cut": str(tool.durable)}
        row |= _figures("first", first[tool.name], first.get(FIRST))
        row |= _figures("unchanged", again[tool.name], again.get(AGAIN))
        both = [*first[tool.name], *again[tool.name]]
        row["peak RSS MB"] = max(usage.megabytes for usage in both)
        row["n"] = len(taken[tool.name])
        result.rows.append(row)
    result.notes += [
        f"x is against {FIRST} for the first, and against rsync -an for the other",
        "restic always encrypts, nothing else does; nothing compresses",
        "syncd: from the request until the job has ended, the daemon's CPU included",
    ]
    return result


def _figures(which: str, runs: Sequence[Usage], against: Sequence[Usage] | None) -> Row:
    if not runs:
        return {}
    seconds = median(usage.seconds for usage in runs)
    row: Row = {f"{which} s": seconds}
    if against:
        row[f"{which} x"] = seconds / median(usage.seconds for usage in against)
    row[f"{which} CPU s"] = median(usage.cpu for usage in runs)
    return row
