"""Watchdog's inotify reader, told to watch a whole tree.

Only watchdog's lowest layer is used: its thread reads events and calls us. The
layers above would hand every event through two more threads and hold it back
for half a second behind each file that is moved out of the tree, to pair it
with its arrival; but who looks at the disk after every event needs no pairs.
"""

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from watchdog.observers.inotify_c import (
    CallbackId,
    InotifyConstants,
    InotifyEvent,
    Mask,
    WatchCallback,
    WatchDescriptor,
)

from syncd import clock
from syncd.core.ignoring import Ignored
from syncd.core.path import RESERVED, from_bytes, parent, to_bytes
from syncd.core.path import name as last_part
from syncd.core.polling import Polling
from syncd.drivers.contract import Watched, What
from syncd.drivers.local_storage.expected import Expected
from syncd.drivers.local_storage.failures import NO_PATH
from syncd.drivers.local_storage.folder import Folders
from syncd.drivers.local_storage.reader import Reader
from syncd.drivers.local_storage.remote import is_remote
from syncd.drivers.local_storage.telling import Tell, Teller

_IN = InotifyConstants
_MASK = Mask(
    _IN.IN_CLOSE_WRITE
    | _IN.IN_CREATE
    | _IN.IN_ATTRIB
    | _IN.IN_MOVED_TO
    | _IN.IN_MOVED_FROM
    | _IN.IN_DELETE
    | _IN.IN_DELETE_SELF
    | _IN.IN_MOVE_SELF
    | _IN.IN_DONT_FOLLOW
    | _IN.IN_ONLYDIR
)
"""One event for each file written, one more if it is new."""

_GONE = _IN.IN_DELETE | _IN.IN_MOVED_FROM
_COMPLETE = _IN.IN_CLOSE_WRITE | _IN.IN_MOVED_TO | _IN.IN_ATTRIB
_ARRIVED = _IN.IN_CREATE | _IN.IN_MOVED_TO
_ENDED = _IN.IN_DELETE_SELF | _IN.IN_MOVE_SELF | _IN.IN_UNMOUNT
_UNMOUNTED = _IN.IN_UNMOUNT
_RESERVED = RESERVED.encode()
_OURS = CallbackId(0)

Heard = Callable[[], None]


class Watcher(WatchCallback):
    """Watches every folder below a root that is not ignored.

    What it may not watch (the system's limit of watches, no leave to read it) or
    what others may change unheard (a network's file system) is to be polled.
    """

    def __init__(self, root: int, ignored: Ignored, ours: bytes, tell: Tell) -> None:
        """Watch below the root; ``ours`` is what our own temporary names begin with."""
        self._root = root
        self._ignored = ignored
        self._ours = ours
        self._expected = Expected()
        self._teller = Teller(tell)
        self._turn = threading.RLock()
        self._folders: dict[WatchDescriptor, str] = {}
        self._watches: dict[str, WatchDescriptor] = {}
        self._polling = Polling()
        self._has_remote = False
        self._overflows = 0
        self._reader: Reader | None = None
        self._stopped = False

    def start(self) -> None:
        """Watch everything there is; blocks as long as a walk of all folders takes."""
        self._open_reader()
        self._add_tree("")

    def stop(self) -> None:
        """Tell nothing more, and let go of everything."""
        self._teller.shut()
        with self._turn:
            self._stopped = True
            reader, self._reader = self._reader, None
        if reader is not None:
            reader.stop()
            reader.join()

    def say(self, paths: Iterable[str]) -> None:
        """Tell of paths as if something had been closed there; for the loop."""
        for path in paths:
            self._teller.say(path, What.CLOSED)

    @contextmanager
    def unheard(self, path: str, *, comes: bool = False) -> Iterator[Heard]:
        """Tell nothing of the name's being renamed away now, and to, if it ``comes``.

        If that ends in an error, or what is lent is called because it was not
        renamed, something is told of it after all. For any thread.
        """
        watch = self._watches.get(parent(path))
        if watch is None:
            yield lambda: None
            return
        name = to_bytes(last_part(path))
        ends = [(watch, name, _IN.IN_MOVED_FROM)]
        ends += [(watch, name, _IN.IN_MOVED_TO)] if comes else []

        def heard() -> None:
            self._expected.cancel(ends)
            self._teller.say(path, What.CLOSED)

        self._expected.add(ends)
        try:
            yield heard
        except BaseException:
            heard()
            raise

    @contextmanager
    def born(self, folder: str) -> Iterator[None]:
        """Watch, from its birth, the folder that is made meanwhile, and tell nothing.

        Unless somebody was quicker than the watch, and made something in it.
        """
        watch = self._watches.get(parent(folder))
        if watch is None:
            yield
            return
        ends = [(watch, to_bytes(last_part(folder)), _IN.IN_CREATE)]
        self._expected.add(ends)
        try:
            yield
        except BaseException:
            self._expected.cancel(ends)
            if folder not in self._watches:  # Another's making may be unheard.
                self._add_tree(folder)
                self._teller.say(folder, What.TREE)
            raise
        if self._add_tree(folder):
            self._teller.say(folder, What.TREE)

    @contextmanager
    def arriving(self, folder: str) -> Iterator[Callable[[str, int], None]]:
        """Lend the way to watch a folder of ours, and those in it, before it is shown.

        It is renamed to its name meanwhile, and nothing is told of that.
        """
        if parent(folder) not in self._watches:
            yield lambda _folder, _descriptor: None
            return
        try:
            yield self._watch_open
        except BaseException:  # Then there is another's, if there is any.
            self._drop_tree(folder)
            self._add_tree(folder)
            self._teller.say(folder, What.TREE)
            raise

    def _watch_open(self, folder: str, descriptor: int) -> None:
        try:
            self._follow(folder, descriptor)
        except OSError as error:
            self._cannot_follow(folder, error)

    @property
    def polls(self) -> bool:
        """Tell whether there is any folder to be polled."""
        return bool(self._polling)

    def poll(self, most: int) -> list[str]:
        """Return folders to look into now: what changes there is told by nobody.

        Blocks. First it tries again to watch them, so that looking is the last of it;
        and folders nobody knows are told as changed trees.
        """
        with self._turn:
            due = self._polling.due(clock.monotonic(), most)
        if self._reader is None:
            self._open_reader()
        with Folders(self._root) as folders:
            return [folder for folder in due if self._try_again(folder, folders)]

    def walked(self, since: float) -> None:
        """Take in that somebody looked into every folder since that moment."""
        with self._turn:
            self._polling.walked(since)

    def watched(self) -> Watched:
        """Return how well everything is watched."""
        with self._turn:
            polled = len(self._polling)
            both = 0
            if self._has_remote:
                both = sum(folder in self._watches for folder in self._polling)
            return Watched(
                folders=len(self._watches) - both,
                polled=polled,
                oldest=self._polling.oldest(clock.monotonic()),
                overflows=self._overflows,
            )

    def on_event(self, event: InotifyEvent) -> None:
        """Tell of one event; called by watchdog's thread, like all that follows."""
        with self._turn:
            folder = self._folders.get(event.wd)
        if folder is None:
            return
        if event.name:
            self._on_name(folder, event)
        elif event.mask & _ENDED and (not folder or event.mask & _UNMOUNTED):
            self._teller.say(folder, What.LOST)

    def on_watch_deleted(self, wd: WatchDescriptor) -> None:
        """Forget a folder that is gone."""
        with self._turn:
            folder = self._folders.pop(wd, None)
            if folder is not None and self._watches.get(folder) == wd:
                del self._watches[folder]

    def on_queue_overflow(self) -> None:
        """Learn anew where everything is, then tell that anything may have changed.

        What is watched stays so: each watch that ends is an event, and so many of
        those would overflow the queue again.
        """
        self._overflows += 1
        self._expected.clear()
        with self._turn:
            before = set(self._folders)
            self._folders.clear()
            self._watches.clear()
        self._add_tree("")
        with self._turn:
            self._unwatch(before - self._folders.keys())
        self._teller.say("", What.LOST)

    def _on_name(self, folder: str, event: InotifyEvent) -> None:
        mask = event.mask
        if event.name.startswith(_RESERVED):
            if not folder:  # the marker is gone: work will stop at a closer look
                self._teller.say("", What.LOST)
            return
        name = from_bytes(event.name)
        path = f"{folder}/{name}" if folder else name
        is_folder = bool(mask & _IN.IN_ISDIR)
        if self._ignored.has_name(path, folder=is_folder):
            return
        what = _what_folder(mask) if is_folder else _what_file(mask)
        # Watch before telling: what comes later is told, what came before is walked.
        if is_folder and mask & _GONE:
            moved = mask & _IN.IN_MOVED_FROM
            with self._turn:
                # What is deleted was empty, and there may be very many.
                (self._polling.discard_tree if moved else self._polling.discard)(path)
            if moved:
                self._drop_tree(path)
        elif what is What.TREE:
            self._add_tree(path)
        self._teller.say(path, what)

    def _open_reader(self) -> None:
        try:
            reader = Reader(self._ours, self._expected)
        except OSError:  # the system's limit of watchers
            return
        reader.start()
        with self._turn:
            if not self._stopped:
                self._reader = reader
                return
        reader.stop()
        reader.join()

    def _add_tree(self, below: str) -> bool:
        """Follow the folder and those in it; tell whether there is anything in it."""
        todo, holds_any = [below], False
        with Folders(self._root) as folders:
            while todo:
                folder = todo.pop()
                try:
                    self._follow(folder, folders.of(folder))
                    inside, any_ = self._folders_in(folder, folders)
                    todo += inside
                    holds_any |= any_
                except OSError as error:
                    holds_any = True
                    self._cannot_follow(folder, error)
        return holds_any

    def _try_again(self, folder: str, folders: Folders) -> bool:
        """Watch a polled folder, if that is possible now; tell whether it is there."""
        try:
            self._follow(folder, folders.of(folder))
            inside, _ = self._folders_in(folder, folders)
        except OSError as error:
            self._cannot_follow(folder, error)
            return False
        for path in inside:
            if path not in self._watches and path not in self._polling:
                self._add_tree(path)
                self._teller.say(path, What.TREE)
        return True

    def _follow(self, folder: str, descriptor: int) -> None:
        """Have every change in the folder told, or the folder polled."""
        watched = self._add(folder, descriptor)
        remote = is_remote(descriptor)
        with self._turn:
            self._has_remote |= remote
            if watched and not remote:
                self._polling.discard(folder)
            else:
                self._polling.add(folder, clock.monotonic())

    def _cannot_follow(self, folder: str, error: OSError) -> None:
        with self._turn:
            if error.errno in NO_PATH:
                self._polling.discard(folder)
            else:
                self._polling.add(folder, clock.monotonic())

    def _add(self, folder: str, descriptor: int) -> bool:
        """Watch the folder, and tell whether that was possible."""
        # By its descriptor: however deep it lies, and never through a link.
        path = b"/proc/self/fd/%d/." % descriptor
        with self._turn:
            if self._reader is None:
                return False
            try:
                wd = self._reader.add_callback(path, _MASK, self, _OURS)
            except OSError as error:
                if error.errno in NO_PATH:
                    raise
                return False
            self._watches.pop(self._folders.get(wd, folder), None)
            self._folders[wd] = folder
            self._watches[folder] = wd
            return True

    def _folders_in(self, folder: str, folders: Folders) -> tuple[list[str], bool]:
        """Return the folders in it that are to be watched, and whether it holds any."""
        handle = folders.reading(folder)
        try:
            with os.scandir(handle) as found:
                entries = [e for e in found if not e.name.startswith(RESERVED)]
                names = [e.name for e in entries if e.is_dir(follow_symlinks=False)]
        finally:
            os.close(handle)
        before = folder + "/" if folder else ""
        paths = [before + from_bytes(os.fsencode(name)) for name in names]
        kept = [p for p in paths if not self._ignored.has_name(p, folder=True)]
        return kept, bool(entries)

    def _drop_tree(self, folder: str) -> None:
        below = folder + "/"
        with self._turn:
            gone = [
                (wd, path)
                for wd, path in self._folders.items()
                if not folder or path == folder or path.startswith(below)
            ]
            for wd, path in gone:
                del self._folders[wd]
                self._watches.pop(path, None)
            self._unwatch(wd for wd, _ in gone)

    def _unwatch(self, gone: Iterable[WatchDescriptor]) -> None:
        if self._reader is not None:
            self._reader.remove_callbacks([(wd, _OURS) for wd in gone])


def _what_file(mask: int) -> What:
    if mask & _GONE:
        return What.GONE
    return What.CLOSED if mask & _COMPLETE else What.TOUCHED


def _what_folder(mask: int) -> What:
    if mask & _IN.IN_MOVED_FROM:
        return What.GONE | What.TREE
    if mask & _GONE:
        return What.GONE
    return What.TREE if mask & _ARRIVED else What.CLOSED
