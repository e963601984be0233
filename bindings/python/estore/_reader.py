"""Reading: events in order, from an iterator of the library that is asked for some hundred at a time."""

from __future__ import annotations

import ctypes
import threading
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Callable, Iterator, List, NamedTuple, Optional, TypeVar

from . import _handle
from ._errors import ClosedError, Error, ForkedError, InvalidError
from ._events import EVENT_SIZE, Event, address_of, unpack
from ._library import ErrorDetail, GapFunction, error_of, library, text_at

if TYPE_CHECKING:
    from ._numpy import NumpyBatches

T = TypeVar("T")

REVERSE, LAST, SALVAGE = 1, 2, 4
END = 1
# The first call asks for few, since many a range is short; the next ones for many.
FIRST, MORE = 256, 1024


class Gap(NamedTuple):
    """What a salvaging reader left out: `len` bytes of a file from `offset` on. No event that is missing is older than `first_time` nor
    newer than `last_time` (nanoseconds since 1970). `what` says what is wrong with the bytes."""

    path: str
    offset: int
    len: int
    first_time: int
    last_time: int
    what: str


class Query(NamedTuple):
    """What a reader reads, as it was asked for."""

    start: int
    end: int
    reverse: bool
    last: Optional[int]
    limit: Optional[int]
    salvage: bool

    @property
    def flags(self) -> int:
        return REVERSE * self.reverse | LAST * (self.last is not None) | SALVAGE * self.salvage

    def reversed(self) -> Query:
        """The same events the other way round."""
        if self.limit is None:
            return self._replace(reverse=not self.reverse)
        if self.reverse:
            return self._replace(reverse=False, last=self.limit, limit=None)
        raise InvalidError("the first events of a range can't be read backwards; use list(reader)[::-1]")


class Reader(Iterator[Event]):
    """The events of a range, as they were when the reader was made: what is appended or deleted later changes nothing. Made by Store.read.

    Loop over it, ask it for lists by `batches`, or for columns by `numpy_batches`; these may be mixed, and no event is lost or repeated.
    It can be read once. `reversed(reader)` makes a new reader of the same range in the other direction, as of then.

    It may outlive its store. It holds files open until its end, `close`, the end of a with block, or that of its last reference.
    Threads: any; those that read from one reader at once share its events. Events own their data, so they may be kept.
    """

    def __init__(self, pointer: int, query: Query, again: Callable[[Query], Reader], filename: str, keep: Any) -> None:
        """Made by Store.read."""
        self._pointer = pointer
        self._query = query
        self._again = again
        self._filename = filename
        # What the library may call as long as the iterator lives.
        self._keep = keep
        self._close_it = library.estore_iter_close
        self._generation = _handle.generation()
        self._lock = threading.RLock()
        self._busy = False
        self._ended = self._closed = False
        self._seq: Optional[int] = None
        self._gaps: List[Gap] = []
        self._pending: Iterator[Event] = iter(())
        self._detail = ErrorDetail()
        self._count = ctypes.c_size_t()
        self._room(min(FIRST, query.limit or FIRST, query.last or FIRST))

    def _room(self, capacity: int) -> None:
        self._capacity = capacity
        self._buffer = bytearray(EVENT_SIZE * capacity)
        self._address = address_of(self._buffer)
        self._words, self._halves = memoryview(self._buffer).cast("Q"), memoryview(self._buffer).cast("I")

    def _alone(self, do: Callable[[], T]) -> T:
        """Does what needs the iterator, which is for one thread at a time."""
        if self._generation != _handle.generation():
            raise ForkedError(f"{self._filename}: the reader belongs to the parent of this process; read anew")
        with self._lock:
            if self._busy:
                raise InvalidError(f"{self._filename}: the reader can't be used from inside a call on it")
            try:
                self._busy = True
                return do()
            finally:
                self._busy = False

    def _check(self, status: int) -> None:
        if status < 0:
            raise error_of(status, self._detail, self._filename)

    def fetch(self, most: int, take: Callable[[memoryview, memoryview, int], T]) -> Optional[T]:
        """The next events, at most so many, as `take` makes them of an array of estore_event. None at the end."""

        def do() -> Optional[T]:
            if self._closed:
                raise ClosedError(f"{self._filename}: the reader is closed")
            if self._ended:
                return None
            status = library.estore_iter_next_batch(
                self._pointer, self._address, min(most, self._capacity), ctypes.byref(self._count), ctypes.byref(self._detail)
            )
            self._check(status)
            if status == END:
                self._ended = True
                # All is known now; the files need not stay open.
                self._look()
                self._release()
                return None
            taken = take(self._words, self._halves, self._count.value)
            if self._capacity < MORE and self._count.value == self._capacity:
                self._room(MORE)
            return taken

        return self._alone(do)

    def _look(self) -> None:
        """Fetches what can be asked of the iterator: up to which seq it shows the store, and its gaps."""
        if self._pointer == 0:
            return
        if self._seq is None:
            seq = ctypes.c_uint64()
            self._check(library.estore_iter_snapshot_seq(self._pointer, ctypes.byref(seq), ctypes.byref(self._detail)))
            self._seq = seq.value
        if self._query.salvage:
            gaps: List[Gap] = []

            def on_gap(
                _: Any, path: int, path_len: int, offset: int, length: int, first: int, last: int, what: int, what_len: int
            ) -> None:
                gaps.append(Gap(text_at(path, path_len), offset, length, first, last, text_at(what, what_len)))

            self._check(library.estore_iter_gaps(self._pointer, GapFunction(on_gap), None, None, ctypes.byref(self._detail)))
            self._gaps = gaps

    # The defaults are there when modules are gone already, as the interpreter ends.
    def _release(self, byref: Any = ctypes.byref, pointer_to: Any = ctypes.c_void_p) -> None:
        pointer, self._pointer = self._pointer, 0
        if pointer:
            self._close_it(byref(pointer_to(pointer)), None)

    def _refill(self) -> Optional[Iterator[Event]]:
        events = self.fetch(MORE, unpack)
        if events is None:
            return None
        self._pending = iter(events)
        return self._pending

    def rest_of_batch(self, most: int) -> List[Event]:
        """At most so many of the events that came from the library and that nobody has taken yet; maybe none. For numpy_batches."""
        return list(islice(self._pending, most))

    def __next__(self) -> Event:
        while True:
            for event in self._pending:
                return event
            if self._refill() is None:
                raise StopIteration

    def __iter__(self) -> Iterator[Event]:
        """An iterator that goes on where this reader is, and is faster than calling next on it."""
        return chain.from_iterable(chain((self._pending,), iter(self._refill, None)))

    def __reversed__(self) -> Reader:
        return self._again(self._query.reversed())

    def batches(self, size: int = 1000) -> Iterator[List[Event]]:
        """The events in lists of at most `size`. A short list means nothing."""
        if size < 1:
            raise InvalidError("a batch has at least one event")
        while True:
            events = self.rest_of_batch(size) or self.fetch(size, unpack)
            if events is None:
                return
            yield events

    def numpy_batches(self, size: int = 65_536) -> NumpyBatches:
        """The events as columns: batches of at most `size` events in NumPy arrays, see NumpyBatch. Needs NumPy (ImportError)."""
        from ._numpy import NumpyBatches

        return NumpyBatches(self, size)

    @property
    def snapshot_seq(self) -> int:
        """The reader shows every event of its range with at most this seq, and none with a larger one."""
        self._alone(self._look)
        if self._seq is None:
            raise ClosedError(f"{self._filename}: the reader is closed")
        return self._seq

    @property
    def gaps(self) -> List[Gap]:
        """What has been left out so far; all of it once the reader is at its end. Empty unless it was made with salvage=True."""
        self._alone(self._look)
        return list(self._gaps)

    @property
    def closed(self) -> bool:
        """Whether the reader was closed."""
        return self._closed

    def close(self) -> None:
        """Lets go of the files. Closing twice is fine; reading afterwards raises ClosedError. Waits for other threads that read from it."""
        if self._generation != _handle.generation():
            self._closed = True
            self._release()
            return

        def do() -> None:
            if not self._closed:
                try:
                    self._look()
                except Error:
                    pass
                self._closed = True
                self._pending = iter(())
                self._release()

        self._alone(do)

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def __del__(self) -> None:
        # Nobody else has it now. What failed while it was being made may not have all of this.
        if getattr(self, "_pointer", 0):
            self._release()

    def __repr__(self) -> str:
        return f"<estore.Reader of {self._filename!r}{', closed' if self._closed else ''}>"


def query(start: int, end: int, reverse: bool, last: Optional[int], limit: Optional[int], salvage: bool) -> Query:
    """What was asked for, if it can be."""
    if last is not None and limit is not None:
        raise InvalidError("last and limit exclude each other: last is a limit that counts from the end")
    for name, number in (("last", last), ("limit", limit)):
        if number is not None and not isinstance(number, int):
            raise TypeError(f"{name} is an int, not {type(number).__name__}")
        if number is not None and not 1 <= number < 2**64:
            raise InvalidError(f"{name} is at least 1, not {number}")
    return Query(start, end, bool(reverse), last, limit, bool(salvage))


