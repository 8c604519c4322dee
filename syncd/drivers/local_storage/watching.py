"""Watchdog's inotify reader, told to watch a whole tree; nothing else imports watchdog.

Only watchdog's lowest layer is used: its thread reads events and calls us. The
layers above would hand every event through two more threads and hold it back
for half a second behind each file that is moved out of the tree, to pair it
with its arrival; but who looks at the disk after every event needs no pairs.
"""

import asyncio
import errno
import os
import re
import struct
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress

from watchdog.observers.inotify_c import (
    CallbackId,
    InotifyConstants,
    InotifyEvent,
    InotifyFD,
    Mask,
    WatchCallback,
    WatchDescriptor,
)

from syncd import clock
from syncd.core.ignoring import Ignored
from syncd.core.path import RESERVED, from_bytes, parent, to_bytes
from syncd.core.path import name as last_part
from syncd.drivers.contract import Event, What
from syncd.drivers.local_storage.expected import Expected
from syncd.drivers.local_storage.failures import NO_PATH
from syncd.drivers.local_storage.folder import Folders
from syncd.drivers.local_storage.root import MARKER

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
_NO_FOLDER = _IN.IN_CREATE | _IN.IN_ISDIR
_ALONE = _IN.IN_MOVED_FROM | _IN.IN_MOVED_TO | _IN.IN_CREATE
_ARRIVED = _IN.IN_CREATE | _IN.IN_MOVED_TO
_ENDED = _IN.IN_DELETE_SELF | _IN.IN_MOVE_SELF | _IN.IN_UNMOUNT
_UNMOUNTED = _IN.IN_UNMOUNT
_BUFFER = 1 << 16
_HEAD = struct.Struct("iIII")
_RENAMES = 32
"""So many renames may be under way at once."""
_READS = 8
_READS_SECONDS = 0.01
_OURS_SECONDS = 0.005
_RESERVED = RESERVED.encode()
_UNFINISHED = re.compile(
    rb"(?s)(?:.{4}(?:\x00\x01|[\x04\x08]\x00)\x00\x00\x00{4}"
    rb"(?:\x20\x00{3}%(reserved)s.{%(rest).d}|\x30\x00{3}%(reserved)s.{%(more).d}))+"
    % {
        b"reserved": re.escape(_RESERVED),
        b"rest": 0x20 - len(_RESERVED),
        b"more": 0x30 - len(_RESERVED),
    }
)
"""IN_CREATE, IN_ATTRIB or IN_CLOSE_WRITE of names such as those of our temporary files.

While we write, most events are that; in rows they are passed over at once.
"""
_MARKER = MARKER.encode()
_OURS = CallbackId(0)

Heard = Callable[[], None]
Tell = Callable[[Sequence[Event]], None]


class Watcher(WatchCallback):
    """Watches every folder below a root that is not ignored.

    It counts the folders it may not watch (the system's limit of watches, or
    no leave to read them): their changes are found by walking only.
    """

    def __init__(self, root: int, ignored: Ignored, ours: bytes, tell: Tell) -> None:
        """Watch below the root; ``ours`` is what our own temporary names begin with."""
        self._root = root
        self._ignored = ignored
        self._ours = ours
        self._expected = Expected()
        self._teller = _Teller(tell)
        self._turn = threading.RLock()
        self._folders: dict[WatchDescriptor, str] = {}
        self._watches: dict[str, WatchDescriptor] = {}
        self._unwatched: set[str] = set()
        self._reader: _Reader | None = None

    def start(self) -> None:
        """Watch everything there is; blocks as long as a walk of all folders takes."""
        try:
            self._reader = _Reader(self._ours, self._expected)
        except OSError:  # the system's limit of watchers
            self._unwatched.add("")
            return
        self._reader.start()
        self._add_tree("")

    def stop(self) -> None:
        """Tell nothing more, and let go of everything."""
        self._teller.shut()
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
            self._add_tree(folder)
            self._teller.say(folder, What.TREE)  # Another's making may be unheard.
            raise
        if self._add_tree(folder):
            self._teller.say(folder, What.TREE)

    def watched(self) -> tuple[int, int]:
        """Return how many folders are watched, and how many cannot be."""
        return len(self._watches), len(self._unwatched)

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
        """Watch everything anew, then tell that anything may have changed."""
        self._expected.clear()
        self._drop_tree("")
        self._add_tree("")
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
            self._unwatched.discard(path)
            if mask & _IN.IN_MOVED_FROM:
                self._drop_tree(path)
        elif what is What.TREE:
            self._add_tree(path)
        self._teller.say(path, what)

    def _add_tree(self, below: str) -> bool:
        """Watch the folder and those in it; tell whether there is anything in it."""
        todo, holds_any = [below], False
        with Folders(self._root) as folders:
            while todo:
                folder = todo.pop()
                try:
                    self._add(folder, folders.of(folder))
                    inside, any_ = self._folders_in(folder, folders)
                    todo += inside
                    holds_any |= any_
                except OSError as error:
                    holds_any = True
                    if error.errno not in NO_PATH:
                        self._unwatched.add(folder)
        return holds_any

    def _add(self, folder: str, descriptor: int) -> None:
        reader = self._reader
        if reader is None:
            return
        # By its descriptor: however deep it lies, and never through a link.
        path = b"/proc/self/fd/%d/." % descriptor
        with self._turn:
            wd = reader.add_callback(path, _MASK, self, _OURS)
            self._watches.pop(self._folders.get(wd, folder), None)
            self._folders[wd] = folder
            self._watches[folder] = wd
            self._unwatched.discard(folder)

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
        if self._reader is not None:
            self._reader.remove_callbacks([(wd, _OURS) for wd, _ in gone])


class _Teller:
    """Brings events to the loop it was made on, as many at a time as there are."""

    def __init__(self, tell: Tell) -> None:
        self._loop = asyncio.get_running_loop()
        self._tell = tell
        self._events: deque[Event] = deque()
        self._woken = False
        self._shut = False

    def say(self, path: str, what: What) -> None:
        """Tell of an event soon; for any thread."""
        self._events.append(Event(path, what))
        if not self._woken:
            self._woken = True
            with suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._out)

    def shut(self) -> None:
        """Tell nothing more."""
        self._shut = True

    def _out(self) -> None:
        self._woken = False  # first: who says more from now on wakes us again
        events = [self._events.popleft() for _ in range(len(self._events))]
        if events and not self._shut:
            self._tell(events)


class _Reader(InotifyFD):
    """Watchdog's thread; it does not even look at what has a temporary name.

    Nor at the other end of a rename from or to a temporary name of ours: who
    carries out an order looks at the result itself, and whatever anybody else
    does to it afterwards is an event of its own. The same goes for what is expected.

    A few reads in a row are made at once; in a storm it then rests a little, to
    find many events at the next: waking for each takes the time of who writes.
    So it does after a read that told only of what we write ourselves.
    """

    def __init__(self, ours: bytes, expected: Expected) -> None:
        super().__init__()
        self._ours = ours
        self._placing: deque[int] = deque(maxlen=_RENAMES)
        self._expected = expected
        self._reads = deque([0.0] * _READS, _READS)
        self._only_ours = False

    def read_events(self, *, event_buffer_size: int = _BUFFER) -> list[InotifyEvent]:
        """Return the events that are there, waiting for the first."""
        until = self._reads[0] + _READS_SECONDS
        if self._only_ours:
            until = max(until, self._reads[-1] + _OURS_SECONDS)
        if (rest := until - clock.monotonic()) > 0:
            self.stopped_event.wait(rest)
        self._reads.append(clock.monotonic())
        buffer = self._read_event_buffer(event_buffer_size)
        news = self._news(buffer)
        self._only_ours = not news and bool(buffer)
        return news

    def _news(self, buffer: bytes) -> list[InotifyEvent]:
        """Return the events in a buffer (inotify(7)) that are of any concern.

        Most of them, while we write, are about temporary names: those cost no more
        than a glance.
        """
        events: list[InotifyEvent] = []
        end = 0
        while end + _HEAD.size <= len(buffer):
            start, name = end, end + _HEAD.size
            wd, mask, cookie, length = _HEAD.unpack_from(buffer, start)
            end = name + length
            if buffer.startswith(_RESERVED, name):
                if not cookie and (row := _UNFINISHED.match(buffer, start)):
                    end = row.end()
                    continue
                if cookie and buffer.startswith(self._ours, name):
                    self._forget_our_rename(mask, cookie, events)
                if not mask & _GONE or buffer[name:end].rstrip(b"\0") != _MARKER:
                    continue
            elif cookie and mask & _IN.IN_MOVED_TO and cookie in self._placing:
                continue
            event = InotifyEvent(wd, mask, cookie, buffer[name:end].rstrip(b"\0"))
            if self._is_news(event):
                events.append(event)
        return events

    def _is_news(self, event: InotifyEvent) -> bool:
        if event.wd == -1:
            return bool(event.mask & _IN.IN_Q_OVERFLOW)
        if not self._expected or event.mask & _NO_FOLDER == _IN.IN_CREATE:
            return True
        return not self._expected.take((event.wd, event.name, event.mask & _ALONE))

    def _forget_our_rename(
        self, mask: int, cookie: int, events: list[InotifyEvent]
    ) -> None:
        if mask & _IN.IN_MOVED_FROM:
            self._placing.append(cookie)  # Its other end comes in a moment.
        elif events and events[-1].cookie == cookie:
            events.pop()  # Its other end came just before.

    def _add_callback(
        self, path: bytes, mask: Mask, callback: WatchCallback, id_: CallbackId
    ) -> WatchDescriptor:
        # Watchdog warns when a folder is watched anew (a bind mount shows it twice),
        # and takes a folder that may not be watched for one with the number -1.
        watch = self._get_or_create_watch(path, mask)
        if watch.wd == -1:
            del self._watch_for_wd[watch.wd]
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        watch.callbacks[id_] = callback
        return watch.wd


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
