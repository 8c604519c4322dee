"""Who should own a file: scenarios 21 to 28."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from tests.acceptance.asking import wait_for
from tests.acceptance.daemon import Daemon

BOTH = ["A", "B"]
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de"
    "0000000c4944415408d763f8cfc000000301010018dd8db00000000049454e44ae426082"
)


def daemon_with(*rules: dict[str, Any], entries: Sequence[str] = BOTH) -> Daemon:
    """Return a daemon that follows the rules."""
    return Daemon(*entries, rules=rules)


def everything_is_quiet(daemon: Daemon) -> None:
    """Wait until all that was made so far is known and dealt with."""
    wait_for(
        lambda: (
            sum(
                kind == "file"
                for e in daemon.entries
                for kind, *_ in daemon.tree(e).values()
            )
            and all(set(f["owners"]) <= set(f["uptodate"]) for f in daemon.files())
            and not daemon.total_pending()
        )
    )


def test_21_a_file_no_rule_wants_stays_alone():
    """No rule matches: the file is known, owned by its own entry, and goes nowhere."""
    with daemon_with({"match": {"path": "/other"}, "sync": BOTH}) as daemon:
        daemon.write("A", "file")
        daemon.write("A", "other/marker")

        daemon.arrives("B", "other/marker")
        wait_for(lambda: daemon.file("file"))

        assert daemon.read("B", "file") is None
        assert daemon.file("file")["owners"] == ["A"]
        assert daemon.file("file")["uptodate"] == ["A"]


def test_22_paths_match_by_component():
    """/foo is foo and what lies below it, and neither bar nor foobar."""
    with daemon_with({"match": {"path": "/foo"}, "sync": BOTH}) as daemon:
        for name in ("bar", "foobar", "foo/bar"):
            daemon.write("A", name)

        daemon.arrives("B", "foo/bar")
        wait_for(lambda: len([f for f in daemon.files() if f["size"]]) == 3)

        assert set(daemon.tree("B")) == {b"foo", b"foo/bar"}


def test_23_types_are_found_by_content():
    """Only the picture travels; path and type must both hold."""
    rules = {"match": {"path": "/in", "mime": ["image/png"]}, "sync": BOTH}
    with daemon_with(rules) as daemon:
        daemon.write("A", "in/text.txt", b"plain words\n")
        daemon.write("A", "in/without", b"plain words\n")
        daemon.write("A", "outside.png", PNG)
        daemon.write("A", "in/picture.png", PNG)

        daemon.arrives("B", "in/picture.png", PNG)
        wait_for(lambda: len([f for f in daemon.files() if f["size"]]) == 4)

        files = {n for n, (kind, *_) in daemon.tree("B").items() if kind == "file"}
        assert files == {b"in/picture.png"}


@pytest.mark.parametrize(
    ("rules", "arrives"),
    [
        ([{"sync": BOTH}, {"ban": ["B"]}], False),
        ([{"sync": BOTH}, {"ban": ["B"]}, {"sync": ["B"]}], True),
        ([{"ban": ["B"]}, {"sync": BOTH}], True),
    ],
)
def test_24_rules_apply_in_order(rules: list[dict[str, Any]], arrives: bool):
    """A ban takes away what came before it, and a later sync gives it back."""
    matching = [{"match": {"path": "/it"}, "sync": [], **rule} for rule in rules]
    always = {"match": {"path": "/always"}, "sync": BOTH}
    with daemon_with(*matching, always) as daemon:
        daemon.write("A", "it")
        wait_for(lambda: daemon.file("it"))
        daemon.write("A", "always")
        daemon.arrives("B", "always")
        wait_for(lambda: not daemon.total_pending())

        assert (daemon.read("B", "it") is not None) is arrives
        assert daemon.file("it")["owners"] == (BOTH if arrives else ["A"])


def test_25_new_rules_back_fill_and_let_go():
    """An added entry gets what is there; a removed one keeps it, unmaintained."""
    with daemon_with({"match": {"path": "/"}, "sync": ["A"]}) as daemon:
        daemon.write("A", "file", b"one")
        wait_for(lambda: daemon.file("file"))

        daemon.put("/rules", {"rules": [{"match": {"path": "/"}, "sync": BOTH}]})
        daemon.put("/rules/reload")
        daemon.arrives("B", "file", b"one")
        wait_for(lambda: daemon.file("file")["uptodate"] == BOTH)

        daemon.put("/rules", {"rules": [{"match": {"path": "/"}, "sync": ["A"]}]})
        daemon.put("/rules/reload")
        wait_for(lambda: daemon.file("file")["owners"] == ["A"])
        daemon.write("A", "file", b"two, longer")
        wait_for(lambda: daemon.file("file")["size"] == 11)
        wait_for(lambda: not daemon.total_pending())
        assert daemon.read("B", "file") == b"one"


INVALID: list[tuple[str, bytes]] = [
    ("not JSON", b"{"),
    ("not an object", b"[]"),
    ("no list", b'{"rules": {}}'),
    ("missing", b"{}"),
    ("an unknown entry", b'{"rules": [{"match": {"path": "/"}, "sync": ["nobody"]}]}'),
    ("an unknown key", b'{"rules": [{"match": {"pth": "/"}, "sync": ["A"]}]}'),
    ("a key too many", b'{"rules": [{"match": {}, "sync": ["A"], "sink": []}]}'),
    ("a wrong type", b'{"rules": [{"match": {"path": 7}, "sync": ["A"]}]}'),
    (
        "a wrong size",
        b'{"rules": [{"match": {"size": {"min": "many"}}, "sync": ["A"]}]}',
    ),
    ("a broken pattern", b'{"rules": [{"match": {"path": "/[a"}, "sync": ["A"]}]}'),
    ("a broken type", b'{"rules": [{"match": {"mime": ["image"]}, "sync": ["A"]}]}'),
    ("a way out", b'{"rules": [{"match": {"path": "/../x"}, "sync": ["A"]}]}'),
    ("text for a list", b'{"rules": [{"match": {}, "sync": "A"}]}'),
    ("not UTF-8", b'{"rules": [{"match": {"path": "/\xff"}, "sync": ["A"]}]}'),
    ("twice the same key", b"null"),
    (
        "too deep",
        b'{"rules": [' + b'{"match": {"not": ' * 200 + b"{}" + b"}}" * 200 + b"]}",
    ),
]


@pytest.fixture(scope="module")
def ruled():
    """One daemon for all that is refused."""
    with daemon_with({"match": {"path": "/kept"}, "sync": BOTH}) as daemon:
        yield daemon


@pytest.mark.parametrize("body", [b for _, b in INVALID], ids=[n for n, _ in INVALID])
@pytest.mark.parametrize("route", ["PUT /rules", "POST /rules/plan"])
def test_26_invalid_rules_change_nothing(ruled: Daemon, route: str, body: bytes):
    """400 with the reason; the rules in force stay, on disk as well."""
    method, path = route.split()
    before = ruled.rules.read_bytes()

    answer = ruled.http(
        method, path, content=body, headers={"Content-Type": "application/json"}
    )

    assert answer.status_code == 400, answer.text
    assert answer.json()["status"] == "error"
    assert answer.json()["reason"]
    assert ruled.get("/rules")["rules"] == [{"match": {"path": "/kept"}, "sync": BOTH}]
    assert ruled.rules.read_bytes() == before


def test_26_all_faults_at_once(ruled: Daemon):
    """Whoever corrects rules hears everything in one answer."""
    rules = [
        {"match": {"path": "/"}, "sync": ["nobody"]},
        {"match": {"mime": 3}, "sync": ["no one"]},
    ]

    answer = ruled.http("PUT", "/rules", {"rules": rules})

    assert answer.status_code == 400
    for word in ("nobody", "mime", "no one"):
        assert word in answer.text, answer.text


def test_26_a_broken_file_is_refused(ruled: Daemon):
    """PUT /rules/reload on a broken file: 400, and the old rules stay in force."""
    sound = ruled.rules.read_bytes()
    ruled.rules.write_text("rules: [")
    try:
        assert ruled.http("PUT", "/rules/reload").status_code == 400
        expected = [{"match": {"path": "/kept"}, "sync": BOTH}]
        assert ruled.get("/rules")["rules"] == expected
    finally:
        ruled.rules.write_bytes(sound)
        ruled.put("/rules/reload")


def test_put_rules_keeps_the_previous_file():
    """What was there is rules.yaml.bak; what was put is what GET answers."""
    with daemon_with({"match": {"path": "/"}, "sync": BOTH}) as daemon:
        before = daemon.rules.read_bytes()
        rules = {
            "rules": [{"match": {"path": "/a", "mime": ["text/*"]}, "sync": ["B"]}]
        }

        assert daemon.put("/rules", rules) == {"status": "ok"}

        assert daemon.get("/rules") == rules
        assert daemon.rules.with_name("rules.yaml.bak").read_bytes() == before
        daemon.restart()
        assert daemon.get("/rules") == rules


def test_27_renames_across_a_ban():
    """Out of a banned folder: the other gets it. Into it: it goes from the other."""
    rules = (
        {"match": {"path": "/"}, "sync": BOTH},
        {"match": {"path": "/private"}, "ban": ["B"]},
    )
    with daemon_with(*rules) as daemon:
        daemon.write("A", "private/comes", b"comes out")
        daemon.write("A", "goes", b"goes in")
        daemon.arrives("B", "goes", b"goes in")
        wait_for(lambda: daemon.file("private/comes"))
        assert daemon.read("B", "private/comes") is None

        daemon.path("A", "private/comes").rename(daemon.path("A", "comes"))
        daemon.arrives("B", "comes", b"comes out")

        daemon.path("A", "goes").rename(daemon.path("A", "private/goes"))
        wait_for(lambda: daemon.read("B", "goes") is None)
        wait_for(lambda: not daemon.total_pending())
        assert daemon.read("B", "private/goes") is None
        assert daemon.read("A", "private/goes") == b"goes in"


def test_28_a_file_grows_past_a_minimum():
    """What was too small is wanted once it is large enough."""
    rules = {"match": {"path": "/", "size": {"min": "1KiB"}}, "sync": BOTH}
    with daemon_with(rules) as daemon:
        daemon.write("A", "file", b"x" * 1023)
        wait_for(lambda: daemon.file("file"))
        assert daemon.file("file")["owners"] == ["A"]
        assert daemon.read("B", "file") is None

        daemon.write("A", "file", b"x" * 1024)

        daemon.arrives("B", "file", b"x" * 1024)
        wait_for(lambda: daemon.file("file")["uptodate"] == BOTH)


def test_a_plan_tells_and_changes_nothing():
    """What new rules would do, by entry, in files and bytes."""
    with daemon_with({"match": {"path": "/"}, "sync": ["A"]}) as daemon:
        daemon.write("A", "a/file", b"x" * 100)
        daemon.write("A", "b/file", b"x" * 50)
        wait_for(lambda: len([f for f in daemon.files() if f["size"]]) == 2)
        before = daemon.get("/rules")
        wanted = {"rules": [{"match": {"path": "/a"}, "sync": BOTH}]}

        answer = daemon.http("POST", "/rules/plan", wanted)

        assert answer.status_code == 200, answer.text
        assert "100" in json.dumps(answer.json())
        assert daemon.get("/rules") == before
        assert daemon.tree("B") == {}


def test_what_an_entry_ignores_is_neither_planned_for_it_nor_a_riddle():
    """Patterns of one entry: the plan leaves it out, explain names the pattern."""
    settings = {"B": {"ignore": ["*.tmp"]}}
    with Daemon(*BOTH, rules=[], settings=settings) as daemon:
        daemon.write("A", "draft.tmp")
        daemon.write("A", "text")
        wait_for(lambda: daemon.file("draft.tmp") and daemon.file("text"))

        rules = {"rules": [{"match": {"path": "/"}, "sync": BOTH}]}
        plan = daemon.http("POST", "/rules/plan", rules).json()
        copied = plan["entries"]["B"]["copy"]
        assert (copied["files"], copied["examples"]) == (1, ["text"])

        daemon.put("/rules", rules)
        daemon.put("/rules/reload")
        daemon.arrives("B", "text")
        told = daemon.get(f"/files/{daemon.file('draft.tmp')['fid']}/explain")
        [on_b] = [one for one in told["entries"] if one["entry"] == "B"]
        assert on_b["because"] == "entry B ignores it (pattern *.tmp)"
        assert daemon.read("B", "draft.tmp") is None
        assert daemon.total_pending() == 0
