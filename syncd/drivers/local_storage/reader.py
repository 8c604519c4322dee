"""Watchdog's thread that reads inotify; it passes on what may concern anybody."""

import errno
import logging
import os
import re
import struct
from collections import deque

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
from syncd.core.path import RESERVED
from syncd.drivers.local_storage.expected import Expected
from syncd.drivers.local_storage.root import MARKER

_IN = InotifyConstants
_GONE = _IN.IN_DELETE | _IN.IN_MOVED_FROM
_NO_FOLDER = _IN.IN_CREATE | _IN.IN_ISDIR
_ALONE = _IN.IN_MOVED_FROM | _IN.IN_MOVED_TO | _IN.IN_CREATE
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

# An overflow is told as an event; nothing else that it warns of concerns anybody.
logging.getLogger("watchdog").setLevel(logging.ERROR)


class Reader(InotifyFD):
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
