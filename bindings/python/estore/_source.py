"""What reading and tailing have in common: events copied from an iterator of the library some hundred at a time."""

from __future__ import annotations

import ctypes
import threading
from collections import deque
from contextlib import contextmanager
from typing import Any, Deque, Iterator, NoReturn, Optional, TypeVar

from . import _handle
from ._errors import ClosedError, ForkedError, InvalidError
from ._events import Columns, Event
from ._library import ErrorDetail, error_of, library

S = TypeVar("S", bound="Source")

# How many events are read at once for a loop, with room for how many bytes of data: more of them are not faster.
AHEAD, AHEAD_BYTES = 256, 65_536


class Source(Iterator[Event]):
    """Events from an iterator of the library, which it owns."""

    # What messages call it, and what to do in a forked child.
    _what, _anew = "source", "make one anew"

    def __init__(self, filename: str, keep: Any) -> None:
        """Whoever makes it opens `iterator`."""
        self.iterator = ctypes.c_void_p()
        self._filename = filename
        # What the library may call as long as the iterator lives.
        self._keep = keep
        self._close_it = library.estore_iter_close
        self._generation = _handle.generation()
        self._lock = threading.RLock()
        self._busy = False
        self._closed = False
        # Events that were read and that nobody has taken yet.
        self._ahead: Deque[Event] = deque()
        self._columns: Optional[Columns] = None
        self._detail = ErrorDetail()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keeps other threads off the iterator, which is for one at a time."""
        if self._generation != _handle.generation():
            raise ForkedError(f"{self._filename}: the {self._what} belongs to the parent of this process; {self._anew}")
        with self._lock:
            if self._busy:
                raise InvalidError(f"{self._filename}: the {self._what} can't be used from inside a call on it")
            try:
                self._busy = True
                yield
            finally:
                self._busy = False

    def _check(self, status: int) -> None:
        if status < 0:
            raise error_of(status, self._detail, self._filename)

    def _fill(self, columns: Columns, most: int) -> bool:
        """Copies the next events into columns, at most so many. False if there are none."""
        raise NotImplementedError

    def _open(self) -> None:
        if self._closed:
            raise ClosedError(f"{self._filename}: the {self._what} is closed")

    def _room(self) -> int:
        """How many events to read ahead at most."""
        return AHEAD

    def _read_ahead(self) -> bool:
        """Sees to it that there are events in `_ahead`. False if there are none."""
        with self._alone():
            if self._ahead:
                return True
            if self._columns is None:
                self._columns = Columns(self._room(), AHEAD_BYTES)
            more = self._fill(self._columns, AHEAD)
            if more:
                self._ahead.extend(self._columns.events())
            return more

    def _more(self) -> bool:
        """Whether a loop goes on, now that `_ahead` was empty."""
        return self._read_ahead()

    # The default is there when modules are gone already, as the interpreter ends.
    def _release(self, byref: Any = ctypes.byref) -> None:
        self._close_it(byref(self.iterator), None)

    def __next__(self) -> Event:
        while True:
            try:
                return self._ahead.popleft()
            except IndexError:
                if not self._more():
                    raise StopIteration from None

    def __iter__(self) -> Iterator[Event]:
        """An iterator that goes on where this is, and is faster than calling next on it."""
        take = self._ahead.popleft
        while True:
            try:
                while True:
                    yield take()
            except IndexError:
                if not self._more():
                    return

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._closed

    def close(self) -> None:
        """Ends it."""
        raise NotImplementedError

    def __enter__(self: S) -> S:
        self._open()
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def __del__(self) -> None:
        # Nobody else has it now.
        if getattr(self, "iterator", None) and hasattr(self, "_close_it"):
            self._release()

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"{type(self).__name__} can't be copied or pickled: it owns a handle; {self._anew}")

    def __repr__(self) -> str:
        return f"<estore.{type(self).__name__} of {self._filename!r}{', closed' if self._closed else ''}>"
