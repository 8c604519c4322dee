"""How long one small new file takes from one folder to the other."""

import os
import time
from collections.abc import Sequence
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import NamedTuple

from tests.benchmarks import trees
from tests.benchmarks.contestant import turns
from tests.benchmarks.followers import (
    Follower,
    Following,
    Lsyncd,
    UnisonRepeating,
    settled,
    wait_gently,
)
from tests.benchmarks.ours import Syncd
from tests.benchmarks.plan import Plan, Result, against, spread
from tests.benchmarks.syncthing import Syncthing
from tests.benchmarks.workshop import Workshop
from tests.benchmarks.writer import writing

SIZE = 128
PAUSE = 0.02
"""Seconds between two writes, so that each meets an idle tool."""
LOST = 60.0
RATE = 100
"""Other files a second."""
OTHERS = "other writes"


class Course(NamedTuple):
    """A tool at work between two folders."""

    follower: Follower
    tool: Following
    source: Path
    target: Path


def measure(workshop: Workshop, plan: Plan) -> Result:
    """Return the spread of the time from the write to the complete copy."""
    in_place = plan.pick(1000, 50)
    result = Result(
        f"One new file of {SIZE} bytes, until its copy is complete"
        f" ({in_place:,} files in place)"
    )
    writes, runs = plan.pick((100, 5), (20, 1))
    fast: list[Follower] = [Syncd(), Lsyncd(0)]
    with ExitStack() as stack:
        courses = [_open(stack, workshop, each, in_place) for each in fast]
        for rate in (0, RATE):
            _race(result, courses, runs, writes, rate)
    for slow in (Lsyncd(1), UnisonRepeating(), Syncthing(1)):
        with ExitStack() as stack:
            courses = [_open(stack, workshop, slow, in_place)] * slow.is_here()
            _race(result, courses, 1, plan.pick(20, 3), 0)
    result.notes = against(
        result.rows, Lsyncd(0).name, ["p50 ms", "p99 ms"], ["tool", OTHERS]
    )
    return result


def _open(
    stack: ExitStack, workshop: Workshop, follower: Follower, files: int
) -> Course:
    source, target, work = (workshop.new_folder() for _ in range(3))
    trees.fill(source, files, SIZE)
    tool = stack.enter_context(follower.following(source, target, work))
    settled(tool, source)
    return Course(follower, tool, source, target)


def _race(
    result: Result, courses: Sequence[Course], runs: int, writes: int, rate: int
) -> None:
    times: dict[str, list[float]] = {each.follower.name: [] for each in courses}
    of = {each.follower.name: each for each in courses}
    for run in range(runs):
        for follower in turns([each.follower for each in courses], 1):
            course = of[follower.name]
            busy = course.source / f"busy {run}"
            with writing(busy, rate) if rate else nullcontext():
                times[follower.name] += _round(course, f"{rate} {run}", writes)
            files = trees.count(course.source)
            wait_gently(lambda c=course, n=files: c.tool.has_copied(n))  # type: ignore[misc]
    for name, taken in times.items():
        others = f"{rate} a second" if rate else "none"
        durable = str(of[name].follower.durable)
        result.rows.append(
            {
                "tool": name,
                "survives a power cut": durable,
                OTHERS: others,
                **spread(taken),
            }
        )


def _round(course: Course, name: str, writes: int) -> list[float]:
    folder = course.source / name
    folder.mkdir()
    warm_up = 1 + writes // 10
    return [
        _once(folder / f"{number}", course.target / name / f"{number}")
        for number in range(warm_up + writes)
    ][warm_up:]


def _once(source: Path, target: Path) -> float:
    time.sleep(PAUSE)
    content = os.urandom(SIZE)
    begin = time.perf_counter()
    source.write_bytes(content)
    while not _is_complete(target):
        if time.perf_counter() - begin > LOST:
            raise AssertionError(f"{target} did not come")
        time.sleep(0.0002)
    took = time.perf_counter() - begin
    assert target.read_bytes() == content
    return took


def _is_complete(target: Path) -> bool:
    try:
        return os.stat(target).st_size == SIZE  # noqa: PTH116 - in the measured loop
    except FileNotFoundError:
        return False
