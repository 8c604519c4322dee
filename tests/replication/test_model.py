"""The real transactions and lanes under every order of events: nothing is lost."""

from collections import defaultdict
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from syncd.core import dispute
from syncd.core.file import Doubt, File, slots
from tests.replication.model import NAMES, Model, is_conflict, trees

EVERYWHERE = [{"match": {"path": "/"}, "sync": list(NAMES)}]
PATHS = st.sampled_from(["a", "b", "d/c"])


class Storm(RuleBasedStateMachine):
    """Edits, deletions, moves, absences and messages in any order, then peace."""

    @initialize(
        number=st.integers(2, 3),
        eager=st.booleans(),
        starts=st.booleans(),
        manual=st.booleans(),
    )
    def begin(self, number: int, eager: bool, starts: bool, manual: bool) -> None:
        names = NAMES[:number]
        rules = [{"match": {"path": "/"}, "sync": list(names)}]
        self.model = Model(rules, names, manual=manual)
        for entry in self.model.entries:
            entry.eager = eager
        self.written = 0
        self.alive: set[bytes] = set()
        self.ended: defaultdict[bytes, set[int]] = defaultdict(set)
        """By whom each content was replaced or deleted."""
        if starts:
            for entry in self.model.entries:
                self.edit(entry.slot, "a", True)

    def _entry(self, slot: int) -> Any:
        return self.model.entries[slot % len(self.model.entries)]

    @rule(slot=st.integers(0, 2), path=PATHS, same_size=st.booleans())
    def edit(self, slot: int, path: str, same_size: bool) -> None:
        entry = self._entry(slot)
        self.written += 1
        content = f"{self.written:04}".encode()
        if not same_size:
            content += b"." * (self.written % 5 + 1)
        self._ends(entry, path)
        entry.write(path, content)
        self.alive.add(content)

    @rule(slot=st.integers(0, 2), path=PATHS)
    def touch(self, slot: int, path: str) -> None:
        entry = self._entry(slot)
        if path in entry.disk:
            entry.write(path, entry.disk[path].content)

    @rule(slot=st.integers(0, 2), path=PATHS)
    def delete(self, slot: int, path: str) -> None:
        entry = self._entry(slot)
        self._ends(entry, path)
        entry.disk.pop(path, None)

    @rule(slot=st.integers(0, 2), old=PATHS, new=PATHS)
    def move(self, slot: int, old: str, new: str) -> None:
        entry = self._entry(slot)
        if old in entry.disk and old != new:
            self._ends(entry, new)
            entry.move(old, new)

    @rule(slot=st.integers(0, 2))
    def report(self, slot: int) -> None:
        if self._entry(slot).online:
            self.model.report(self._entry(slot).slot)

    @rule(slot=st.integers(0, 2), place=st.integers(0, 9))
    def carry_out(self, slot: int, place: int) -> None:
        slot = self._entry(slot).slot
        if queue := self.model.queues[slot]:
            self.model.carry_out(slot, place % len(queue))

    @rule(slot=st.integers(0, 2))
    def leave(self, slot: int) -> None:
        self.model.leave(self._entry(slot).slot)

    @rule(slot=st.integers(0, 2))
    def join(self, slot: int) -> None:
        if not self._entry(slot).online:
            self.model.join(self._entry(slot).slot)

    @rule(slot=st.integers(0, 2), path=PATHS)
    def choose(self, slot: int, path: str) -> None:
        """A person prefers one side to what is known of the others."""
        slot, file = self._entry(slot).slot, self.model.file(path)
        sides = dispute.sides(file, self.model.world) if file else []
        if file is None or slot not in [side.slot for side in sides]:
            return
        for side in sides:
            if side.slot != slot:
                self.alive.discard(self._entry(side.slot).known.get(path, b""))
        self.model.decide(path, slot)

    @rule(slot=st.integers(0, 2))
    def alarm(self, slot: int) -> None:
        """A guard begins to keep what an entry deletes and overwrites."""
        self.model.kept |= 1 << self._entry(slot).slot

    @rule(slot=st.integers(0, 2), meant=st.booleans())
    def decide(self, slot: int, meant: bool) -> None:
        """A person says whether that was meant."""
        entry = self._entry(slot)
        if not meant:
            for file in self.model.held(entry.slot):
                self._is_undone(entry, file)
        self.model.deal(entry.slot, meant=meant)

    def _is_undone(self, entry: Any, file: File) -> None:
        """What was made there goes, and what it took the place of is wanted again.

        Unless somebody else has ended that, too.
        """
        stamp = file.copies[entry.slot].stamp
        if stamp is not None and stamp == entry.stamp(file.path):
            self._ends(entry, file.path)
        for slot in slots(file.uptodate):
            other = self.model.entries[slot]
            if file.deleted or other.stamp(file.path) != file.copies[slot].stamp:
                continue
            content = other.disk[file.path].content
            if self.ended[content] == {entry.slot}:
                self.alive.add(content)

    @rule(meant=st.booleans())
    def peace(self, meant: bool = True) -> None:
        for entry in self.model.entries:
            if entry.online:
                self.model.report(entry.slot)
        for entry in self.model.entries:
            self.decide(entry.slot, meant)
        self.model.settle()
        while disputed := [file for file in self.model.files() if file.disputed]:
            for file in disputed:
                self.model.decide(file.path, None)
            self.model.settle()
        self._all_equal()
        self._nothing_lost()

    @precondition(lambda self: hasattr(self, "model"))
    @invariant()
    def rules_are_kept(self) -> None:
        everyone = (1 << len(self.model.entries)) - 1
        for file in self.model.files():
            assert file.owners == everyone
            assert file.uptodate & ~file.owners == 0

    def teardown(self) -> None:
        if hasattr(self, "model"):
            self.peace()
            self.model.engine.dispose()

    def _ends(self, entry: Any, path: str) -> None:
        """A person replaces or deletes what lies there, knowingly."""
        if path in entry.disk:
            content = entry.disk[path].content
            self.alive.discard(content)
            self.ended[content].add(entry.slot)

    def _all_equal(self) -> None:
        first, *others = trees(self.model)
        for other in others:
            assert other == first
        for file in self.model.files():
            assert file.deleted or file.holders == file.owners, file
            assert all(c.doubt is Doubt.NONE for c in file.copies.values())

    def _nothing_lost(self) -> None:
        kept = set(trees(self.model)[0].values())
        assert self.alive <= kept


TestStorm = Storm.TestCase
TestStorm.settings = settings(
    max_examples=100,
    stateful_step_count=30,
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


def test_one_edit_goes_everywhere():
    model = Model(EVERYWHERE[:1], NAMES)
    model.entries[0].write("x", b"1")

    model.settle()

    assert trees(model) == [{"x": b"1"}] * 4
    assert model.copied == 3


def test_a_rename_copies_nothing():
    model = Model([{"match": {"path": "/"}, "sync": ["A", "B"]}])
    model.entries[0].write("x", b"1")
    model.settle()
    model.entries[1].move("x", "y")

    model.settle()

    assert trees(model) == [{"y": b"1"}] * 2
    assert model.copied == 1


def test_equal_trees_are_recognised_without_copying():
    model = Model([{"match": {"path": "/"}, "sync": ["A", "B"]}])
    for entry in model.entries:
        entry.write("x", b"same")

    model.settle()

    assert trees(model) == [{"x": b"same"}] * 2
    assert model.copied == 0


def test_different_trees_keep_both_contents():
    model = Model([{"match": {"path": "/"}, "sync": ["A", "B"]}])
    model.entries[0].write("x", b"one")
    model.entries[1].write("x", b"two")

    model.settle()

    first, second = trees(model)
    assert first == second
    assert sorted(first.values()) == [b"one", b"two"]
    assert first["x"] == b"two"  # the later one
    assert sum(is_conflict(path) for path in first) == 1


def test_different_trees_are_left_as_they_are_where_people_decide():
    model = Model([{"match": {"path": "/"}, "sync": ["A", "B"]}], manual=True)
    model.entries[0].write("x", b"one")
    model.entries[1].write("x", b"two")

    model.settle()
    assert trees(model) == [{"x": b"one"}, {"x": b"two"}]
    model.decide("x", 0)
    model.settle()
    assert trees(model) == [{"x": b"one"}] * 2


def test_a_copy_no_rule_wants_any_more_stays_and_is_left_alone():
    model = Model([{"match": {"path": "/"}, "sync": ["A", "B"]}])
    model.entries[0].write("x", b"old")
    model.settle()
    model.judge([{"match": {"path": "/"}, "sync": ["A"]}])
    model.entries[0].write("x", b"newer")

    model.settle()

    assert trees(model) == [{"x": b"newer"}, {"x": b"old"}]
    file = model.file("x")
    assert file is not None
    assert file.owners == 0b01
