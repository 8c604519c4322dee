from syncd.child import held
from syncd.child.held import Held
from syncd.child.ledger import Known
from syncd.core.file import Kind, Seen, Stamp


class Shelf:
    """Folders of a ledger, and how often they were read."""

    def __init__(self, **folders):
        self.folders = folders
        self.reads = 0

    def read(self, folder):
        self.reads += 1
        return [self.known(path) for path in self.folders.get(folder, [])]

    def some(self, folder, but):
        return self.folders.get(folder, [])[: but + 1]

    @staticmethod
    def known(path):
        return Known(Seen(path, Kind.FILE, Stamp(1)))


def asked(some: Held, folder: str, times: int):
    for _ in range(times - 1):
        some.of(folder)
    return some.of(folder)


def test_a_folder_is_read_once_when_it_is_asked_for_often():
    shelf = Shelf(d=["d/a", "d/b"])
    some = Held(shelf.read, shelf.some)

    assert asked(some, "d", held.OFTEN - 1) is None
    assert shelf.reads == 0
    assert set(asked(some, "d", 5) or ()) == {"d/a", "d/b"}
    assert shelf.reads == 1


def test_what_was_written_to_is_read_again():
    shelf = Shelf(d=["d/a"])
    some = Held(shelf.read, shelf.some)
    asked(some, "d", held.OFTEN)
    shelf.folders["d"] = ["d/a", "d/new"]

    some.drop({"d"})

    assert set(some.of("d") or ()) == {"d/a", "d/new"}


def test_a_large_folder_is_not_held():
    shelf = Shelf(d=[f"d/{n}" for n in range(held.MOST + 1)])
    some = Held(shelf.read, shelf.some)

    assert asked(some, "d", held.OFTEN + 1) is None
    assert shelf.reads == 0


def test_only_so_many_folders_are_held():
    shelf = Shelf()
    some = Held(shelf.read, shelf.some)
    for number in range(held.FOLDERS + 1):
        asked(some, f"{number}", held.OFTEN)
    reads = shelf.reads

    assert some.of(f"{held.FOLDERS}") == {}
    assert shelf.reads == reads
    assert some.of("0") is None


def test_nothing_is_held_after_all_was_forgotten():
    shelf = Shelf(d=["d/a"])
    some = Held(shelf.read, shelf.some)
    asked(some, "d", held.OFTEN)

    some.clear()

    assert some.of("d") is None
