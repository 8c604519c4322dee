"""What a rule asks of a file, made ready to be asked often."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence

from msgspec import Struct

from syncd.core import glob
from syncd.core.file import Kind, Mask, Slot, mask
from syncd.core.match import Ages, Match, Sizes


class Subject(Struct, frozen=True, gc=False):
    """What rules may know of a file."""

    path: str
    kind: Kind
    size: int
    mtime_ns: int
    mime: str | None
    """None as long as nobody has looked."""
    origin: Mask
    """The entries where its newest version was made."""


Truth = bool | None
"""None: not decided as long as the MIME type is not known."""

Test = Callable[[Subject, float], Truth]
"""Says whether something holds for a file at a moment (seconds since 1970)."""


class Criteria:
    """The criteria of one match.

    ``holds`` says whether all hold; ``tests`` has each of them by its name, what
    is cheap and decides most first. ``head`` is what at the root everything that
    matches is or lies in, where there is such; ``timed`` whether the answer may
    change by time alone; ``wants_mime`` whether any criterion asks for the type.
    """

    def __init__(self, match: Match, slots: Mapping[str, Slot]) -> None:
        nested: Criteria | None = None
        if match.not_ is not None:
            nested = Criteria(match.not_, slots)
        pattern = glob.compiled(match.path or "/")
        self.head = pattern.head
        self.tests = dict(_tests(match, pattern.test, slots))
        if nested is not None:
            self.tests["not"] = _not(nested.holds)
        self.holds: Test = _all(list(self.tests.values()))
        self.wants_mime: bool = "mime" in self.tests or bool(
            nested and nested.wants_mime
        )
        self._ages = match.age
        self._timed = nested if nested is not None and nested.timed else None
        self.timed: bool = match.age is not None or self._timed is not None
        passing = {"age", "not"} if self._timed else {"age"}
        self._lasting = [self.tests[name] for name in self.tests.keys() - passing]

    def turns(self, subject: Subject, now: float) -> float | None:
        """Return when after now time alone may change the answer; None: never."""
        if any(test(subject, now) is False for test in self._lasting):
            return None
        moments = [at for at in _ends(self._ages, subject) if now < at < math.inf]
        if self._timed and (at := self._timed.turns(subject, now)) is not None:
            moments.append(at)
        return min(moments, default=None)


def _tests(
    match: Match, path: glob.Test | None, slots: Mapping[str, Slot]
) -> Iterator[tuple[str, Test]]:
    if path is not None:
        yield "path", _path(path)
    if match.from_ is not None:
        yield "from", _from(mask({slots[one] for one in match.from_ if one in slots}))
    if match.size is not None:
        yield "size", _size(match.size)
    if match.age is not None:
        yield "age", _age(match.age)
    if match.mime is not None:
        yield "mime", _mime([glob.wild(one) for one in match.mime])


def _path(test: glob.Test) -> Test:
    return lambda subject, _: test(subject.path)


def _from(entries: Mask) -> Test:
    return lambda subject, _: subject.origin & entries != 0


def _size(sizes: Sizes) -> Test:
    least, most = sizes.min, sizes.max
    return lambda subject, _: (
        least <= subject.size <= most and subject.kind is not Kind.DIRECTORY
    )


def _age(ages: Ages) -> Test:
    def test(subject: Subject, now: float) -> Truth:
        begin, end = _ends(ages, subject) or (math.inf, math.inf)
        return begin <= now < end

    return test


def _ends(ages: Ages | None, subject: Subject) -> tuple[float, float] | tuple[()]:
    """Return the first moment at which the age is right, and the first after that.

    A folder has no age: its times change with what lies in it.
    """
    if ages is None or subject.kind is Kind.DIRECTORY:
        return ()
    modified = subject.mtime_ns / 1e9
    return modified + ages.min, math.nextafter(modified + ages.max, math.inf)


def _mime(types: Sequence[glob.Test]) -> Test:
    def test(subject: Subject, _: float) -> Truth:
        if subject.kind is not Kind.FILE:
            return False
        if subject.mime is None:
            return None
        mime = subject.mime.lower()
        return any(one(mime) for one in types)

    return test


def _not(holds: Test) -> Test:
    def test(subject: Subject, now: float) -> Truth:
        truth = holds(subject, now)
        return truth if truth is None else not truth

    return test


def _all(tests: Sequence[Test]) -> Test:
    if len(tests) == 1:
        return tests[0]

    def test(subject: Subject, now: float) -> Truth:
        result: Truth = True
        for one in tests:
            truth = one(subject, now)
            if truth is False:
                return False
            if truth is None:
                result = None
        return result

    return test
