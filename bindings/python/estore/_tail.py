"""Tailing: events in order of arrival, and waiting for those that come."""

from __future__ import annotations

import ctypes
import os
import select
from contextlib import contextmanager
from time import monotonic_ns
from typing import Any, Iterator, List, Optional

from . import _handle
from ._errors import ClosedError, GapError
from ._events import Columns, Event, whole
from ._library import library
from ._source import Source
from ._times import FOREVER, Duration, duration_ns

GAP, TIMEOUT = 3, 2


class Tail(Source):
    """The events of a store in order of arrival behind a cursor, and those that come. Made by Store.tail.

        for event in store.tail(cursor):
            ...
            cursor = event.seq

    A loop waits for what comes, and ends when another thread closes the store. It raises GapError, once, if events were deleted before they
    were given; another loop over the same tail goes on then, as it does after a break. `take` and `wait` are for those who do other things
    meanwhile, `fileno` for select and asyncio:

        asyncio.get_running_loop().add_reader(tail, lambda: handle(tail.take()))

    It may outlive its store: then it gives what is left. Threads: any; those that use one tail at once share its events. Events own their data.
    """

    _what, _anew = "tail", "make a new one from the last seq"

    def __init__(self, filename: str, keep: Any) -> None:
        """Made by Store.tail, which then opens `iterator`."""
        super().__init__(filename, keep)
        self._gap = False
        # Threads that look at the descriptor now: it must not go from under them.
        self._waiting = 0
        # Closing the second end wakes them.
        self._end: List[int] = []

    def _fill(self, columns: Columns, most: int) -> bool:
        self._open()
        if self._gap:
            self._gap = False
            raise GapError(f"{self._filename}: events were deleted before they were given", filename=self._filename)
        status = columns.fill(self.iterator, most, self._detail)
        self._check(status)
        self._gap = status == GAP
        return status == 0

    def _more(self) -> bool:
        try:
            while not self._read_ahead():
                self._wait(None)
            return True
        except ClosedError:
            # Of the store; this tail itself is a mistake.
            self._open()
            return False

    def take(self, most: int = 1000) -> List[Event]:
        """The next events, at most so many, without waiting; only an empty list means that there are no more for now. Raises GapError as a loop
        does, and ClosedError once all was taken of a store that was closed."""
        most = whole("most", 1, FOREVER, most)
        events: List[Event] = []
        while len(events) < most:
            try:
                events.append(self._ahead.popleft())
            except IndexError:
                # What is wrong comes again.
                if events or not (self._read_ahead() or self._gap):
                    break
        return events

    def wait(self, timeout: Optional[Duration] = None) -> bool:
        """Waits until there is something to take, events or a GapError, but no longer than the timeout if there is one. Whether there is. Raises
        what else take would raise."""
        until = None if timeout is None else monotonic_ns() + duration_ns(timeout)
        while True:
            if self._gap or self._read_ahead() or self._gap:
                return True
            if until is not None and monotonic_ns() >= until:
                return False
            self._wait(until)

    def _wait(self, until: Optional[int]) -> None:
        """Sleeps until there may be something. Signals are handled meanwhile."""
        if self._gap:
            return
        with self._watched() as descriptors:
            poll = select.poll()
            for descriptor in descriptors:
                poll.register(descriptor, select.POLLIN)
            # At most a day at once, as poll has no room for more than 24 of them.
            poll.poll(86_400_000 if until is None else min(86_400_000, max(0, -(-(until - monotonic_ns()) // 1_000_000))))

    @contextmanager
    def _watched(self) -> Iterator[List[int]]:
        with self._alone():
            self._open()
            if not self._end:
                self._end.extend(os.pipe())
            descriptors = [self._descriptor(), self._end[0]]
            self._waiting += 1
        try:
            yield descriptors
        finally:
            with self._lock:
                self._waiting -= 1
                self._release_if_last()

    def _descriptor(self) -> int:
        fd = ctypes.c_int()
        self._check(library.estore_iter_fd(self.iterator, ctypes.byref(fd), ctypes.byref(self._detail)))
        return fd.value

    def fileno(self) -> int:
        """A descriptor that is readable as long as there may be something to take: poll it once `take` has answered with an empty list. It is
        the tail's, and closed with it."""
        with self._alone():
            self._open()
            return self._descriptor()

    @property
    def last_seq(self) -> int:
        """The cursor: every event up to this seq was given, so that another tail goes on from here."""
        with self._alone():
            self._open()
            try:
                return self._ahead[0].seq - 1
            except IndexError:
                seq = ctypes.c_uint64()
                self._check(library.estore_iter_snapshot_seq(self.iterator, ctypes.byref(seq), ctypes.byref(self._detail)))
                return seq.value

    def close(self) -> None:
        """Ends it; a thread that waits gets a ClosedError. Closing twice is fine."""
        if self._generation != _handle.generation():
            self._closed = True
            self._release()
            return
        with self._alone():
            if not self._closed:
                self._closed = True
                self._ahead.clear()
                self._columns = None
                if self._end:
                    os.close(self._end.pop())
                self._release_if_last()

    def _release_if_last(self) -> None:
        if self._closed and self._waiting == 0 and self.iterator:
            self._release()

    # The defaults are there when modules are gone already, as the interpreter ends.
    def _release(self, byref: Any = ctypes.byref, close: Any = os.close) -> None:
        self._close_it(byref(self.iterator), None)
        while self._end:
            close(self._end.pop())
