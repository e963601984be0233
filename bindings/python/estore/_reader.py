"""Reading: the events of a range in order."""

from __future__ import annotations

import ctypes
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Callable, Iterator, List, NamedTuple, Optional, Tuple, TypeVar

from . import _handle
from ._errors import ClosedError, Error, InvalidError
from ._events import Columns, Event, whole
from ._library import GapFunction, Raised, library, text_at
from ._source import AHEAD, Source
from ._times import FOREVER

if TYPE_CHECKING:
    from ._numpy import NumpyBatches

C = TypeVar("C", bound=Columns)

REVERSE, LAST, SALVAGE = 1, 2, 4
END = 1


class Gap(NamedTuple):
    """What a salvaging reader left out: `len` bytes of a file from `offset` on. No event that is missing is older than `first_time` nor
    newer than `last_time` (nanoseconds since 1970). `what` says what is wrong with the bytes."""

    path: str
    offset: int
    len: int
    first_time: int
    last_time: int
    what: str


def into(gaps: List[Gap], raised: Raised) -> Any:
    """The function that the library gives gaps to, which puts them into a list."""

    def add(_: Any, path: int, path_len: int, offset: int, length: int, first: int, last: int, what: int, what_len: int) -> None:
        try:
            gaps.append(Gap(text_at(path, path_len), offset, length, first, last, text_at(what, what_len)))
        except BaseException as e:  # noqa: B902 # see Raised
            raised.add(e)

    return GapFunction(add)


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


class Reader(Source):
    """The events of a range, as they were when the reader was made: what is appended or deleted later changes nothing. Made by Store.read.

    Loop over it, ask it for lists by `batches`, or for columns by `numpy_batches`; these may be mixed, and no event is lost or repeated.
    It can be read once. `reversed(reader)` makes a new reader of the same range in the other direction, as of then.

    It may outlive its store. It holds files open until its end, `close`, the end of a with block, or that of its last reference.
    Threads: any; those that read from one reader at once share its events. Events own their data, so they may be kept.
    """

    _what, _anew = "reader", "read anew"

    def __init__(self, query: Query, again: Callable[[Query], Reader], filename: str, keep: Any) -> None:
        """Made by Store.read, which then opens `iterator`."""
        super().__init__(filename, keep)
        self._query = query
        self._again = again
        self._ended = False
        self._seq: Optional[int] = None
        self._gaps: List[Gap] = []

    def _fill(self, columns: Columns, most: int) -> bool:
        self._open()
        if self._ended:
            return False
        status = columns.fill(self.iterator, most, self._detail)
        self._check(status)
        if status == END:
            self._ended = True
            # All is known now; the files need not stay open.
            self._look()
            self._release()
        return status != END

    def _room(self) -> int:
        return min(AHEAD, self._query.last or AHEAD, self._query.limit or AHEAD)

    def _look(self) -> None:
        """Fetches what can be asked of the iterator: up to which seq it shows the store, and its gaps."""
        if not self.iterator:
            return
        if self._seq is None:
            seq = ctypes.c_uint64()
            self._check(library.estore_iter_snapshot_seq(self.iterator, ctypes.byref(seq), ctypes.byref(self._detail)))
            self._seq = seq.value
        if self._query.salvage:
            gaps: List[Gap] = []
            with Raised() as raised:
                self._check(library.estore_iter_gaps(self.iterator, into(gaps, raised), None, None, ctypes.byref(self._detail)))
            self._gaps = gaps

    def __reversed__(self) -> Reader:
        return self._again(self._query.reversed())

    def batches(self, size: int = 1000) -> Iterator[List[Event]]:
        """The events in lists of `size`. Only the last one is shorter, or one before an error."""
        size = whole("size", 1, FOREVER, size)

        def lists() -> Iterator[List[Event]]:
            while True:
                events: List[Event] = []
                try:
                    for event in self:
                        events.append(event)
                        if len(events) == size:
                            break
                except Error:
                    # It comes again.
                    if not events:
                        raise
                if not events:
                    return
                yield events

        return lists()

    def columns(self, size: int, make: Callable[[], C]) -> Tuple[List[Event], Optional[C]]:
        """The next events, at most so many: those that were read ahead, or columns that hold more of them. Neither at the end."""
        with self._alone():
            events: List[Event] = []
            # Loops of other threads take from it meanwhile.
            with suppress(IndexError):
                while self._ahead and len(events) < size:
                    events.append(self._ahead.popleft())
            if events:
                return events, None
            columns = make()
            return [], columns if self._fill(columns, size) else None

    def numpy_batches(self, size: int = 8192) -> NumpyBatches:
        """The events as columns: batches of at most `size` events in NumPy arrays, see NumpyBatch. Needs NumPy (ImportError)."""
        from ._numpy import NumpyBatches

        return NumpyBatches(self, size)

    @property
    def snapshot_seq(self) -> int:
        """The reader shows every event of its range with at most this seq, and none with a larger one."""
        with self._alone():
            self._look()
            if self._seq is None:
                raise ClosedError(f"{self._filename}: the reader is closed")
            return self._seq

    @property
    def gaps(self) -> List[Gap]:
        """What has been left out so far; all of it once the reader is at its end. Empty unless it was made with salvage=True."""
        with self._alone():
            self._look()
            return list(self._gaps)

    def close(self) -> None:
        """Lets go of the files. Closing twice is fine; reading afterwards raises ClosedError. Waits for other threads that read from it."""
        if self._generation != _handle.generation():
            self._closed = True
            self._release()
            return
        with self._alone():
            if not self._closed:
                try:
                    self._look()
                except Error:
                    pass
                self._closed = True
                self._ahead.clear()
                self._columns = None
                self._release()


def query(start: int, end: int, reverse: bool, last: Optional[int], limit: Optional[int], salvage: bool) -> Query:
    """What was asked for, if it can be."""
    if last is not None and limit is not None:
        raise InvalidError("last and limit exclude each other: last is a limit that counts from the end")
    last = None if last is None else whole("last", 1, FOREVER, last)
    limit = None if limit is None else whole("limit", 1, FOREVER, limit)
    return Query(start, end, bool(reverse), last, limit, bool(salvage))
