"""The real referee in every order of events, killed anywhere: nothing is lost.

How many examples, and which, can be asked for: see "make soak".
"""

import os
from collections.abc import Sequence
from contextlib import closing
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from syncd.core import dispute
from syncd.core.file import Doubt, File, has
from syncd.core.world import OnDelete, OnUnmatch
from syncd.replication.ranks import Ranks
from syncd.replication.tally import Tally
from syncd.store import files
from tests.replication.simulation import NAMES, Simulation

EXAMPLES = int(os.environ.get("SYNCD_SOAK_EXAMPLES", "1000"))
STEPS = int(os.environ.get("SYNCD_SOAK_STEPS", "20"))

PATHS = ["a", "b", "d/c"]
SLOTS = st.integers(0, 3)
PICKS = st.integers(0, 4)
WISHES: list[dict[str, Any]] = [
    {},
    {},
    {"manual": True},
    {"larger": True},
    {"on_delete": OnDelete.RESTORE},
    {"on_delete": OnDelete.IGNORE},
    {"on_unmatch": OnUnmatch.TRASH},
]


def rule_sets(names: Sequence[str]) -> list[list[dict[str, Any]]]:
    """Return what may be in force: everything everywhere comes first."""
    everything = {"match": {"path": "/"}, "sync": list(names)}
    return [
        [everything],
        [everything, {"match": {"path": "/d/"}, "ban": [names[-1]]}],
        [{"match": {"path": "/"}, "sync": list(names[:2])}],
        [{"match": {"path": "/d/"}, "sync": list(names)}],
        [],
    ]


def owners(path: str, origin: set[str], rules: Sequence[dict[str, Any]]) -> set[str]:
    """Return who should own a file, by the words of the documentation."""
    result = set(origin)
    for one in rules:
        if f"/{path}".startswith(one["match"]["path"]):
            result |= set(one.get("sync", ()))
            result -= set(one.get("ban", ()))
    return result


class Storm(RuleBasedStateMachine):
    """Everything that people, processes and the line may do, then peace."""

    @initialize(
        number=st.integers(2, 4),
        rules=st.integers(0, 9),
        wishes=st.lists(st.sampled_from(WISHES), min_size=4, max_size=4),
        eager=st.booleans(),
        begun=st.booleans(),
    )
    def begin(
        self,
        number: int,
        rules: int,
        wishes: list[dict[str, Any]],
        eager: bool,
        begun: bool,
    ) -> None:
        names = NAMES[:number]
        self.rule_sets = rule_sets(names)
        in_force = self.rule_sets[rules % 5 if rules < 5 else 0]
        self.all = Simulation(number, in_force, dict(zip(NAMES, wishes, strict=True)))
        self.alive: set[bytes] = set()
        self.image = self.all.store.image()
        for storage in self.all.storages.values():
            storage.eager = eager
        if begun:
            for slot in range(2):
                self.edit(slot, slot, True, False)
            self.all.settle()

    # People -----------------------------------------------------------------------

    @rule(slot=SLOTS, pick=PICKS, same_size=st.booleans(), dated_back=st.booleans())
    def edit(self, slot: int, pick: int, same_size: bool, dated_back: bool) -> None:
        storage, path = self._storage(slot), self._path(slot, pick)
        self.all.written += 1
        content = f"{self.all.written:04}".encode()
        if not same_size:
            content += b"." * (self.all.written % 5 + 1)
        self._knows(slot, path)
        storage.write(path, content, 7 if dated_back else None)
        self.alive.add(content)

    @rule(slot=SLOTS, pick=PICKS)
    def touch(self, slot: int, pick: int) -> None:
        storage, path = self._storage(slot), self._path(slot, pick)
        if path in storage.disk:
            storage.write(path, storage.disk[path].content)

    @rule(slot=SLOTS, pick=PICKS)
    def delete(self, slot: int, pick: int) -> None:
        storage, path = self._storage(slot), self._path(slot, pick)
        self._knows(slot, path)
        storage.disk.pop(path, None)

    @rule(slot=SLOTS, old=PICKS, new=PICKS)
    def move(self, slot: int, old: int, new: int) -> None:
        storage = self._storage(slot)
        source, target = self._path(slot, old), self._path(slot, new)
        if source in storage.disk and source != target:
            self._knows(slot, target)
            storage.move(source, target)

    @rule(slot=SLOTS, pick=PICKS)
    def choose(self, slot: int, pick: int) -> None:
        """Prefer one side of a dispute to what is known of the others."""
        path, name = self._path(slot, pick), self._name(slot)
        file = self.all.file(path)
        world = self.all.referee.world
        sides = dispute.sides(file, world) if file else []
        mine = self.all.referee.slot(name)
        if self.all.store.down or mine not in [side.slot for side in sides]:
            return
        for side in sides:
            if side.slot != mine and side.digest is not None:
                self.alive.discard(side.digest.rstrip(b"\0"))
            elif side.slot != mine:
                return
        self.all.decide(path, name)

    @rule(number=st.integers(0, 4))
    def use(self, number: int) -> None:
        self.all.use(self.rule_sets[number])

    @rule(slot=SLOTS, restore=st.booleans())
    def accept(self, slot: int, restore: bool) -> None:
        if not self.all.store.down:
            self.all.accept(self._name(slot), restore=restore)

    # Children and the line --------------------------------------------------------

    @rule(slot=SLOTS, pick=PICKS)
    def notice(self, slot: int, pick: int) -> None:
        if (child := self.all.children[self._name(slot)]) is not None:
            child.notice(self._path(slot, pick))

    @rule(slot=SLOTS)
    def walk(self, slot: int) -> None:
        if (child := self.all.children[self._name(slot)]) is not None:
            child.walk()

    @rule(slot=SLOTS, number=st.integers(1, 3), twice=st.booleans())
    def deliver(self, slot: int, number: int, twice: bool) -> None:
        for _ in range(number):
            self.all.deliver_down(self._name(slot), twice=twice)
            self.all.deliver_up(self._name(slot), twice=twice)

    @rule(slot=SLOTS, place=st.integers(0, 9))
    def carry_out(self, slot: int, place: int) -> None:
        if (child := self.all.children[self._name(slot)]) is not None:
            child.carry_out(place)
            child.commit()

    @rule(slot=SLOTS)
    def start(self, slot: int) -> None:
        self.all.start(self._name(slot))

    @rule(
        slot=SLOTS,
        heard=st.integers(0, 2),
        orderly=st.booleans(),
        silently=st.booleans(),
    )
    def lose(self, slot: int, heard: int, orderly: bool, silently: bool) -> None:
        child = self.all.children[self._name(slot)]
        if child is not None and silently and not orderly:
            child.carry_out(silently=True)
        self.all.lose(self._name(slot), heard=heard, orderly=orderly)

    @rule(slot=SLOTS, deaf=st.booleans())
    def be_deaf(self, slot: int, deaf: bool) -> None:
        if (child := self.all.children[self._name(slot)]) is not None:
            child.deaf = deaf

    # The daemon -------------------------------------------------------------------

    @rule(number=st.integers(1, 3))
    def turn(self, number: int) -> None:
        for _ in range(number):
            self.all.turn()

    @rule()
    def flow(self) -> None:
        """Let everybody talk and work for a while."""
        self.all.exchange(100)

    @rule(fuse=st.integers(0, 3), committed=st.booleans())
    def be_killed_soon(self, fuse: int, committed: bool) -> None:
        self.all.store.fuse, self.all.store.committed = fuse, committed

    @rule()
    def kill(self) -> None:
        self.all.kill()

    @rule(full=st.booleans())
    def fill_disk(self, full: bool) -> None:
        self.all.store.down = full

    @rule(seconds=st.sampled_from([0.2, 2.0, 700.0, -3000.0, 1e6, -1e6]))
    def pass_time(self, seconds: float) -> None:
        self.all.now += seconds

    @rule()
    def back_up(self) -> None:
        self.image = self.all.store.image()

    @rule(lost=st.booleans())
    def put_back(self, lost: bool) -> None:
        """Put back an old index, or start without any."""
        if lost:
            self.all.lose_index()
            self.image = self.all.store.image()
        else:
            self.all.restore_index(self.image)

    # What must hold ---------------------------------------------------------------

    @rule()
    def peace(self) -> None:
        self.all.settle()
        while disputed := [f for f in self.all.files() if f.disputed]:
            for file in disputed:
                self.all.decide(file.path, None)
            self.all.settle()
        self._owners_are_equal()
        self._index_is_true()
        self._tally_is_true()

    @precondition(lambda self: hasattr(self, "all"))
    @invariant()
    def nothing_is_lost(self) -> None:
        lost = self.alive - self.all.contents()
        assert not lost, (lost, "kept" if lost <= self.all.kept() else "nowhere")

    def teardown(self) -> None:
        if hasattr(self, "all"):
            try:
                self.peace()
                self.nothing_is_lost()
            finally:
                self.all.close()

    def _owners_are_equal(self) -> None:
        for file in self.all.files():
            holders = [n for n in self.all.names if has(file.owners, self._slot(n))]
            disks = {n: self.all.storages[n].disk.get(file.path) for n in holders}
            if file.deleted:
                assert set(disks.values()) <= {None}, (file, disks)
                continue
            origin = {n for n in self.all.names if has(file.origin, self._slot(n))}
            let_go = {n for n in self.all.names if has(file.let_go, self._slot(n))}
            expected = owners(file.path, origin, self.all.rules) - let_go
            assert set(holders) == expected, (file, expected)
            contents = {thing.content if thing else None for thing in disks.values()}
            assert len(contents) <= 1, (file, contents)
            assert contents != {None}, file
            self._nobody_else_holds(file)

    def _nobody_else_holds(self, file: File) -> None:
        """Check that what no rule wants any more is gone where that is wished."""
        for name in self.all.names:
            slot = self._slot(name)
            member = self.all.referee.world.members[slot]
            if has(file.owners, slot) or member.on_unmatch is OnUnmatch.KEEP:
                continue
            assert not (file.uptodate and file.holds_newest(slot)), (name, file)

    def _index_is_true(self) -> None:
        known = {file.path: file for file in self.all.files()}
        for name, storage in self.all.storages.items():
            slot = self._slot(name)
            for path, thing in storage.disk.items():
                copy = known[path].copy(slot)
                assert copy.stamp == thing.seen(path).stamp, (name, copy, thing)
            for path, file in known.items():
                copy = file.copy(slot)
                assert copy.doubt in (Doubt.NONE, Doubt.LET_GO), (name, file)
                assert copy.present == (path in storage.disk), (name, file)

    def _tally_is_true(self) -> None:
        true, ranks = Tally(), Ranks()
        with self.all.store.engine.connect() as db:
            true.fill(files.count(db))
            ranks.fill(files.blocks(db))
        places = range(true.files)
        seek = self.all.referee.ranks.seek
        assert [seek(place) for place in places] == [ranks.seek(p) for p in places]
        for name in self.all.names:
            counted = self.all.referee.tally.of(self._slot(name))
            assert counted == true.of(self._slot(name))
            assert not counted.pending, self.all.files()

    # Who and where ----------------------------------------------------------------

    def _name(self, slot: int) -> str:
        names: tuple[str, ...] = self.all.names
        return names[slot % len(names)]

    def _slot(self, name: str) -> int:
        return self.all.referee.slot(name)

    def _storage(self, slot: int) -> Any:
        return self.all.storages[self._name(slot)]

    def _path(self, slot: int, pick: int) -> str:
        """Return one of the usual paths, or of those that lie there besides."""
        others: list[str] = sorted(self._storage(slot).disk.keys() - set(PATHS))
        some = PATHS + others
        return some[pick % len(some)]

    def _knows(self, slot: int, path: str) -> None:
        """Take in that a person gives up what lies there."""
        disk = self._storage(slot).disk
        if path in disk:
            self.alive.discard(disk[path].content)


TestStorm = pytest.mark.timeout(300 + EXAMPLES)(Storm.TestCase)
TestStorm.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=STEPS,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


# What it is made of, and what it has found ----------------------------------------

TWO = [{"match": {"path": "/"}, "sync": ["A", "B"]}]


def trees(all_: Simulation) -> list[dict[str, bytes]]:
    """Return what lies on every entry."""
    return [
        {path: thing.content for path, thing in storage.disk.items()}
        for storage in all_.storages.values()
    ]


def copied(all_: Simulation) -> int:
    """Return how many contents went from one entry to another."""
    return sum(storage.copied for storage in all_.storages.values())


def test_one_edit_goes_everywhere():
    with closing(Simulation(4, rule_sets(NAMES)[0])) as all_:
        all_.storages["A"].write("x", b"1")

        all_.settle()

        assert trees(all_) == [{"x": b"1"}] * 4
        assert copied(all_) == 3


def test_a_rename_copies_nothing():
    with closing(Simulation(2, TWO)) as all_:
        all_.storages["A"].write("x", b"1")
        all_.settle()
        all_.storages["B"].move("x", "y")

        all_.settle()

        assert trees(all_) == [{"y": b"1"}] * 2
        assert copied(all_) == 1


def test_equal_trees_are_recognised_without_copying():
    with closing(Simulation(2, TWO)) as all_:
        for storage in all_.storages.values():
            storage.write("x", b"same")

        all_.settle()

        assert trees(all_) == [{"x": b"same"}] * 2
        assert copied(all_) == 0


def test_different_trees_keep_both_contents():
    with closing(Simulation(2, TWO)) as all_:
        all_.storages["A"].write("x", b"one")
        all_.storages["B"].write("x", b"two")

        all_.settle()

        first, second = trees(all_)
        assert first == second
        assert sorted(first.values()) == [b"one", b"two"]
        assert first["x"] == b"two"  # the later one
        assert sum(".sync-conflict-" in path for path in first) == 1


def test_different_trees_are_left_as_they_are_where_people_decide():
    with closing(Simulation(2, TWO, {"B": {"manual": True}})) as all_:
        all_.storages["A"].write("x", b"one")
        all_.storages["B"].write("x", b"two")

        all_.settle()
        assert trees(all_) == [{"x": b"one"}, {"x": b"two"}]
        all_.decide("x", "A")
        all_.settle()
        assert trees(all_) == [{"x": b"one"}] * 2


def test_a_copy_no_rule_wants_any_more_stays_and_is_left_alone():
    with closing(Simulation(2, TWO)) as all_:
        all_.storages["A"].write("x", b"old")
        all_.settle()
        all_.use([{"match": {"path": "/"}, "sync": ["A"]}])
        all_.storages["A"].write("x", b"newer")

        all_.settle()

        assert trees(all_) == [{"x": b"newer"}, {"x": b"old"}]
        file = all_.file("x")
        assert file is not None
        assert file.owners == 0b01


def test_a_move_whose_deletion_is_undone_takes_nothing_from_others():
    """The other entry has to give the old path back, and so must keep it."""
    wishes = {"A": {"on_delete": OnDelete.RESTORE}}
    with closing(Simulation(2, TWO, wishes)) as all_:
        all_.storages["A"].write("a", b"1")
        all_.settle()
        all_.storages["A"].move("a", "b")

        all_.settle()

        assert trees(all_) == [{"a": b"1", "b": b"1"}] * 2


def test_what_is_gone_is_missed_even_where_no_rule_wants_it():
    """The index is an old one: who has lost its copy since must not pass for owner."""
    with closing(Simulation(2, TWO)) as all_:
        all_.storages["A"].write("a", b"1")
        all_.settle()
        image = all_.store.image()
        all_.use([])
        del all_.storages["B"].disk["a"]
        all_.settle()
        all_.restore_index(image)
        all_.settle()

        all_.use(TWO)
        all_.settle()

        assert trees(all_) == [{"a": b"1"}] * 2
