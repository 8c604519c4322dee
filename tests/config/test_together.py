import os

import pytest

from syncd.core.file import MAX_SLOTS
from syncd.drivers.options import MemoryOptions

LOCAL = "driver: local_storage, options:"


def entries(**roots: object) -> str:
    lines = [f"  {name}: {{{LOCAL} {{root: {root}}}}}" for name, root in roots.items()]
    return "\n".join(["entries:", *lines, ""])


def test_names_that_differ_only_in_case_are_refused(faults):
    text = "entries: {Disk: {driver: memory}, disk: {driver: memory}}"

    assert faults(text) == ["entries.disk: differs from Disk only in case; rename one"]


def test_names_that_look_alike_are_refused(faults):
    text = 'entries: {"\\u00e9": {driver: memory}, "e\\u0301": {driver: memory}}'

    assert len(faults(text)) == 1


def test_there_is_a_most_entries(faults, sound):
    names = [f"E{number}" for number in range(MAX_SLOTS + 1)]
    text = "entries:\n" + "".join(f"  {name}: {{driver: memory}}\n" for name in names)

    assert faults(text) == ["entries: are 63, and 62 is the most; take some out"]
    assert len(sound(text.rpartition("  E")[0]).entries) == MAX_SLOTS


def test_only_known_entries_are_preferred(faults):
    text = "entries: {A: {driver: memory, conflict: {prefer: [A, Z]}}}"

    assert faults(text) == [
        "entries.A.conflict.prefer: names the unknown entry Z; name known ones"
    ]


@pytest.mark.parametrize("off", ["false", "{days: 0}", "{days: 0, versions: 3}"])
def test_what_is_to_go_to_the_trash_must_be_kept_there(faults, sound, off):
    text = "entries: {A: {driver: memory, on_unmatch: trash, keep: %s}}"

    assert faults(text % off) == [
        "entries.A.on_unmatch: cannot be trash: keep is off here;"
        " write keep: true, or delete"
    ]
    assert sound(text % "true").entries["A"].keep == (7, 10)


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ("keep: true", "entries.A.keep: cannot be: {}; write false, or leave it out"),
        ("keep: {{versions: 3}}", "entries.A.keep: cannot be: {}; write false, or"),
        ("on_unmatch: trash", "entries.A.on_unmatch: cannot be trash: {}; write keep"),
    ],
)
def test_a_driver_that_keeps_nothing_is_not_asked_to(
    faults, sound, monkeypatch, settings, fault
):
    monkeypatch.setattr(MemoryOptions, "keeps_lost", False)
    text = "entries: {{A: {{driver: memory, {}}}}}"
    [found] = faults(text.format(settings.format()))

    assert found.startswith(fault.format("the driver memory keeps nothing"))
    assert sound(text.format("keep: false"))
    assert sound("entries: {A: {driver: memory}}")


def test_an_unknown_driver_is_refused_with_the_known_ones(faults):
    assert faults("entries: {A: {driver: nope}}") == [
        "entries.A.driver: there is no driver 'nope'; known: local_storage, memory"
    ]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("{root: 5}", "root: is not text; put it in quotes"),
        ("{root: true}", "root: is not text; put it in quotes"),
        ("{}", "root: is missing; add it"),
        ("{root: ''}", "root: is empty; write something"),
        ("{root: /nowhere, roto: x}", "roto: is not known; did you mean root?"),
    ],
)
def test_options_are_judged_by_their_driver(faults, options, words):
    assert faults(f"entries: {{A: {{{LOCAL} {options}}}}}") == [
        f"entries.A.options.{words}"
    ]


class TestFolders:
    def test_they_may_lie_side_by_side(self, sound, tmp_path):
        text = entries(A=tmp_path / "a", B=tmp_path / "ab")

        assert sound(text + f"state: {tmp_path}/a.state").entries.keys() == {"A", "B"}

    def test_two_entries_may_not_share_one(self, faults, tmp_path):
        (tmp_path / "a").mkdir()
        (tmp_path / "b").symlink_to("a")

        told = faults(entries(A=tmp_path / "a", B=tmp_path / "x/../b"))

        assert told == [
            f"entries.B.options.root: {tmp_path}/x/../b is the same folder as"
            f" {tmp_path}/a, the root of A; files would be copied into themselves,"
            " name separate folders"
        ]

    def test_one_may_not_lie_in_another(self, faults, tmp_path):
        told = faults(entries(A=tmp_path / "a/b/c", B=tmp_path / "a"))

        assert len(told) == 1
        assert told[0].startswith("entries.A.options.root: ")
        assert f"lies inside {tmp_path}/a, the root of B" in told[0]

    @pytest.mark.parametrize(
        ("root", "state", "where"),
        [
            ("v/a", "v", "entries.A.options.root"),
            ("a", "a/v", "state"),
            ("v", "v", "state"),
        ],
    )
    def test_none_may_meet_the_state(self, faults, tmp_path, root, state, where):
        text = entries(A=tmp_path / root) + f"state: {tmp_path / state}"

        assert [line.partition(": ")[0] for line in faults(text)] == [where]

    def test_a_relative_root_counts_from_the_working_directory(
        self, faults, tmp_path, monkeypatch
    ):
        (tmp_path / "etc").mkdir()
        monkeypatch.chdir(tmp_path / "etc")

        told = faults(entries(A="data", B=tmp_path / "etc/data/x"))

        assert "lies inside data, the root of A" in told[0]

    def test_a_loop_of_links_is_no_folder(self, faults, tmp_path):
        (tmp_path / "loop").symlink_to("loop")

        told = faults(entries(A=tmp_path / "loop"))

        assert "is no usable path" in told[0]
        assert "; name another folder" in told[0]

    def test_a_state_too_deep_for_sockets_is_refused(self, faults, sound, tmp_path):
        room = 103 - len("/run/") - 24
        deep = str(tmp_path) + "/" + "x" * (room - len(os.fsencode(tmp_path)) - 1)
        text = "entries: {A: {driver: memory}}\nstate: "

        assert str(sound(text + deep).state) == deep
        assert "is 75 bytes long" in faults(text + deep + "x")[0]
