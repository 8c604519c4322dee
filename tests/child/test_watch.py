import asyncio
import random

import pytest

from syncd import wire
from syncd.child import watch
from syncd.child.ledger import Ledger
from syncd.core import settle
from syncd.core.change import Gone
from syncd.core.settle import DEPARTED, Settler
from syncd.drivers.contract import Can, Event, Watched, What
from syncd.drivers.memory import Memory
from syncd.errors import StorageError
from tests.child.rig import FOLDER, Rig, file


@pytest.fixture
def ledger(tmp_path):
    ledger = Ledger(tmp_path)
    yield ledger
    ledger.close()


@pytest.fixture
async def rig(ledger):
    rig = Rig(Memory(), ledger)
    async with rig.running():
        yield rig


async def until(fact, seconds=30.0):
    async with asyncio.timeout(seconds):
        while not fact():
            await asyncio.sleep(0.005)


async def test_events_become_changes(rig):
    rig.driver.set("a", file(b"a"))
    await until(lambda: rig.told() == ["+a"])

    rig.driver.remove("a")
    await until(lambda: rig.told() == ["+a", "-a"])


async def test_a_file_written_to_is_told_when_nobody_does(rig):
    rig.driver.written_to.add("a")
    rig.driver.set("a", file(b"a"))
    rig.driver.set("b", file(b"b"))
    await until(lambda: rig.told() == ["+b"])

    rig.driver.written_to.clear()
    await until(lambda: rig.told() == ["+b", "+a"])


async def test_a_path_that_orders_work_on_is_told_afterwards(rig):
    with rig.watch.busy.working(["a"]):
        rig.driver.set("a", file(b"half"))
        rig.driver.set("b", file(b"b"))
        await until(lambda: rig.told() == ["+b"])
        rig.driver.set("a", file(b"whole"))

    await until(lambda: rig.told() == ["+b", "+a"])
    assert rig.changes()[-1].seen.stamp.size == 5


async def test_our_own_work_is_no_news(rig):
    with rig.watch.busy.working(["a"]):
        rig.picture.note("a", rig.driver.set("a", file(b"ours")))
    rig.driver.set("b", file(b"b"))

    await until(lambda: rig.told() == ["+b"])


async def test_a_look_that_our_work_overtook_is_not_told(rig):
    """The driver saw the old state, then we wrote, then its answer arrives."""
    looking, go_on = asyncio.Event(), asyncio.Event()
    look = rig.driver.look

    async def slow_look(paths):
        result = await look(paths)
        looking.set()
        await go_on.wait()
        return result

    rig.driver.look = slow_look
    rig.driver.set("a", file(b"old"))
    await looking.wait()
    with rig.watch.busy.working(["a"]):
        rig.picture.note("a", rig.driver.set("a", file(b"ours")))
    go_on.set()
    rig.driver.set("b", file(b"b"))

    await until(lambda: "+b" in rig.told())
    assert rig.told() == ["+b"]


async def test_looking_again_tells_even_what_is_no_news(rig):
    rig.driver.set("a", file(b"a"))
    await until(lambda: rig.told() == ["+a"])

    await rig.watch.look_again(rig.notice, ["a", "never"])

    assert rig.told() == ["+a", "+a", "-never"]


async def test_looking_again_waits_for_who_writes_there(rig):
    rig.driver.set("a", file(b"a"))
    await until(lambda: rig.told() == ["+a"])
    rig.driver.written_to.add("a")

    await rig.watch.look_again(rig.notice, ["a"])
    assert rig.told() == ["+a"]
    rig.driver.written_to.clear()

    await until(lambda: rig.told() == ["+a", "+a"])


async def test_a_path_that_cannot_be_looked_at_says_nothing(rig):
    rig.driver.set("a", file(b"a"))
    await until(lambda: rig.told() == ["+a"])
    rig.driver.faults["a"] = StorageError("no")
    rig.driver.remove("a")
    rig.driver.set("b", file())

    await until(lambda: "+b" in rig.told())
    assert rig.told() == ["+a", "+b"]


async def test_lost_events_below_a_folder_have_it_walked(rig):
    walk = asyncio.create_task(rig.watch.walk(rig.walker, 0, []))
    rig.driver._tell = None
    rig.driver.set("d", FOLDER)
    rig.driver.set("d/a", file(b"a"))

    rig.watch.tell([Event("d", What.LOST)])

    await until(lambda: rig.told() == ["+d", "+d/a"])
    walk.cancel()
    await asyncio.wait([walk])


async def test_everything_is_walked_now_and_then(rig):
    walk = asyncio.create_task(rig.watch.walk(rig.walker, 0.05, []))

    def walks():
        return [m.first for m in rig.sent if isinstance(m, wire.Walked)]

    await until(lambda: len(walks()) >= 3)
    walk.cancel()
    await asyncio.wait([walk])
    assert walks()[:3] == [True, False, False]


@pytest.mark.parametrize("seed", range(20))
async def test_whatever_happens_the_index_knows_in_the_end(rig, seed):
    """Files and folders come, go and move, while our own work goes on."""
    rig.watch._settler = Settler(quiet=0.02)
    chance = random.Random(seed)
    driver, ours = rig.driver, set()
    for _ in range(120):
        _happen(chance, driver)
        if chance.random() < 0.1:
            path = f"own{chance.randrange(3)}"
            with rig.watch.busy.working([path]):
                if chance.random() < 0.5:
                    await asyncio.sleep(0)
                rig.picture.note(path, driver.set(path, file(b"ours")))
            ours.add(path)
        if chance.random() < 0.2:
            await asyncio.sleep(chance.choice([0, 0, 0.002]))

    def in_step():
        there = {p: driver._seen(p) for p in driver.things if p not in ours}
        return rig.mirror() == there

    await until(in_step)
    assert not [told for told in rig.told() if told.startswith("+own")]


def _happen(chance, driver):
    """Let a person do one thing, and the storage tell of it as a disk would."""
    folders = [
        "",
        *(f"{p}/" for p, t in driver.things.items() if t.kind == "directory"),
    ]
    path = f"{chance.choice(folders)}{chance.choice('abc')}"
    below = [p for p in driver.things if p.startswith(f"{path}/")]
    if path not in driver.things:
        new = FOLDER if chance.random() < 0.4 else file(chance.randbytes(3))
        driver.set(path, new)
    elif chance.random() < 0.4:
        for one in sorted(below, reverse=True):
            driver.remove(one)
        driver.remove(path)
    elif chance.random() < 0.7:
        _move(driver, path, below, chance.choice("xyz"))


def _move(driver, path, below, to):
    if to in driver.things:
        return
    folder = driver.things[path].kind == "directory"
    for one in [path, *below]:
        driver.things[to + one.removeprefix(path)] = driver.things.pop(one)
    what = What.TREE if folder else What.CLOSED
    driver._tell([Event(path, What.GONE | (what & What.TREE)), Event(to, what)])


class Deaf(Memory):
    """A storage that tells of nothing; what is to be looked into, the test says."""

    async def watch(self, tell):
        del tell


@pytest.fixture
async def deaf(ledger):
    """Everything at work on a deaf storage, after its first walk; nothing is paced."""
    rig = Rig(Deaf(), ledger)
    async with rig.running():
        walk = asyncio.create_task(rig.watch.walk(rig.walker, 0, []))
        await until(lambda: rig.watch.last_walk)
        poll = asyncio.create_task(rig.watch.poll(rig.walker))
        yield rig
        assert not poll.done()
        for task in (walk, poll):
            task.cancel()
        await asyncio.wait([walk, poll])


async def test_folders_that_tell_nothing_are_looked_into(deaf):
    for path, thing in (("d", FOLDER), ("d/a", file(b"a")), ("d/e", FOLDER)):
        deaf.driver.set(path, thing)
    deaf.driver.deaf = ["", "d"]
    await until(lambda: deaf.told() == ["+d", "+d/a", "+d/e"])

    deaf.driver.set("d/a", file(b"new"))
    deaf.driver.remove("d/e")
    deaf.driver.deaf = ["d"]

    await until(lambda: deaf.told()[3:] == ["+d/a", "-d/e"])


async def test_what_lies_deeper_waits_for_its_turn(deaf):
    for path, thing in (("d", FOLDER), ("d/a", file(b"a"))):
        deaf.driver.set(path, thing)
    deaf.driver.deaf = [""]
    await until(lambda: deaf.told() == ["+d"])

    deaf.driver.deaf = [""]
    await until(lambda: not deaf.driver.deaf)
    deaf.driver.set("z", file())
    deaf.driver.deaf = [""]
    await until(lambda: "+z" in deaf.told())

    assert deaf.told() == ["+d", "+z"]


class Overrun(Memory):
    """A storage that can be told to have lost events, or to watch only half."""

    now = Watched(2)

    def watched(self):
        return self.now


async def test_that_events_were_lost_is_said_once(ledger):
    driver = Overrun()
    rig = Rig(driver, ledger)
    driver.now = Watched(2, overflows=1)

    rig.watch.tell([Event("", What.LOST)])
    rig.watch.tell([Event("", What.LOST)])

    said = [m for m in rig.sent if isinstance(m, wire.Told)]
    assert [m.event for m in said] == ["events were lost; all is compared"]


async def test_that_folders_are_polled_is_said_when_it_begins_and_ends(ledger):
    driver = Overrun()
    rig = Rig(driver, ledger)
    rig.watch.last_walk = 1.0
    poll = asyncio.create_task(rig.watch.poll(rig.walker))

    def said():
        return [m.level for m in rig.sent if isinstance(m, wire.Told)]

    driver.now = Watched(2, polled=1)
    await until(lambda: said() == ["warning"])
    driver.now = Watched(3)
    await until(lambda: said() == ["warning", "info"])
    poll.cancel()
    await asyncio.wait([poll])


async def test_a_storage_that_cannot_be_watched_is_as_old_as_its_last_walk(ledger):
    class Silent(Memory):
        can = Memory.can & ~Can.WATCH

    rig = Rig(Silent(), ledger)
    assert rig.watch.watched() == Watched(0, polled=1)

    walk = asyncio.create_task(rig.watch.walk(rig.walker, 0, []))
    await until(lambda: rig.watch.last_walk)
    walk.cancel()
    await asyncio.wait([walk])

    age = rig.watch.watched().oldest
    assert age is not None
    assert age < 30
    await rig.watch.poll(rig.walker)  # It returns: there is nobody to ask.


async def test_news_say_how_much_more_is_about_to_be_looked_at(rig):
    for path in "abc":
        rig.driver.set(path, file(b"one"))
    await until(lambda: len(rig.told()) == 3)
    assert rig.watch.ahead([]) == 0

    rig.watch.tell([Event(path, What.GONE) for path in "abc"])
    assert rig.watch.ahead([]) == 3
    assert rig.watch.ahead([Gone("a"), Gone("other")]) == 2


class Leisurely(Memory):
    """A storage that takes its time to be walked, and can refuse to be looked at."""

    refuses = False

    async def walk(self, below="", *, deep=True):
        await asyncio.sleep(5 * DEPARTED)
        async for one in super().walk(below, deep=deep):
            yield one

    async def look(self, paths):
        looked = await super().look(paths)
        return [StorageError("EIO")] * len(paths) if self.refuses else looked


async def test_a_file_that_went_into_a_new_folder_is_a_move_however_long_it_takes(
    ledger,
):
    rig = Rig(Leisurely(), ledger)
    async with rig.running():
        rig.driver.set("a", file(b"a"))
        await until(lambda: rig.told() == ["+a"])

        rig.driver.things["new"] = FOLDER
        rig.driver.things["new/a"] = rig.driver.things.pop("a")
        tell_of(rig, Event("new", What.TREE), Event("a", What.GONE))

        await until(lambda: len(rig.told()) == 4)
        assert rig.told() == ["+a", "+new", "new/a<a", "-a"]


async def test_what_could_not_be_looked_at_is_found_once_it_can_be(ledger, monkeypatch):
    """A file, a deletion, and a folder with all that lies in it."""
    monkeypatch.setattr(settle, "AGAIN", 0.01)
    monkeypatch.setattr(watch, "AGAIN", 0.01)
    driver = Leisurely()
    rig = Rig(driver, ledger)
    async with rig.running():
        rig.driver.set("gone", file(b"a"))
        await until(lambda: rig.told() == ["+gone"])

        driver.refuses = True
        rig.driver.remove("gone")
        rig.driver.set("made", file(b"b"))
        rig.driver.things["new"] = FOLDER
        rig.driver.things["new/one"] = file(b"c")
        tell_of(rig, Event("new", What.TREE))
        await until(lambda: len([m for m in rig.sent if is_refusal(m)]) > 6)
        assert rig.told() == ["+gone"]

        driver.refuses = False
        await until(lambda: len(rig.told()) == 5)
        assert set(rig.told()) == {"+gone", "-gone", "+made", "+new", "+new/one"}


def is_refusal(message: object) -> bool:
    return isinstance(message, wire.Told) and message.event == "cannot look"


def tell_of(rig, *events):
    rig.watch.tell(events)
