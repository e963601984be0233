"""Events, one at a time as Python sees them and many at a time as the library does.

Many cross in one call, and what is done for each of them is done by built-in functions that work on whole columns. What is appended crosses
as an array of estore_event (time, seq, address, length, id; 32 bytes), which is two views of one buffer, as 64-bit and as 32-bit numbers,
whose every fourth or eighth is one column. What is read comes as columns.
"""

from __future__ import annotations

import ctypes
import operator
import sys
from array import array
from datetime import datetime
from functools import partial
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Callable, Iterable, Iterator, List, NamedTuple, Optional, Tuple, Union

from ._errors import InvalidError, TooLargeError
from ._library import ErrorDetail, library
from ._times import Time, now, to_datetime, to_ns

EVENT_SIZE = 32
# From here on data is passed where it lies; below, copying it into one buffer costs less than asking for each address.
_LARGE = 4096

if sys.byteorder != "little" or array("Q").itemsize != 8 or array("I").itemsize != 4:
    raise ImportError("estore needs a little-endian machine of 64 bits")

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

    Data = ReadableBuffer
else:
    Data = Union[bytes, bytearray, memoryview]
"""The payload of an event. Everything else with a buffer (array, mmap, NumPy array) works as well."""


class Event(NamedTuple):
    """An event. `time` is nanoseconds since 1970; `id` tells apart events whose time and data are equal; `seq` is the number of its arrival,
    which the store gives and which is ignored when appending. Two events of equal time, id and data are the same to append_absent.

    Events own their data: they may be kept, and used by any thread.
    """

    time: int
    data: bytes
    id: int = 0
    seq: int = 0

    @classmethod
    def at(cls, time: Time, data: Data, id: int = 0) -> Event:
        """An event of a time that may be a datetime, with data that may be anything with a buffer."""
        return cls(to_ns(time), _bytes_of(data), _id_of(id))

    @classmethod
    def now(cls, data: Data) -> Event:
        """An event that happens now, with a random id."""
        return cls(now(), _bytes_of(data), new_id())

    @property
    def datetime(self) -> datetime:
        """The time as a datetime in UTC, rounded down to microseconds."""
        return to_datetime(self.time)


EventLike = Union[Event, Tuple[Time, Data], Tuple[Time, Data, int]]
"""What can be appended: an Event, or a tuple of time and data, or of time, data and id."""


def new_id() -> int:
    """A random id for an event: any 32-bit number. Ids need not be unique, see Event."""
    return int(library.estore_event_id())


def _bytes_of(data: Any) -> bytes:
    if isinstance(data, bytes):
        return data
    if isinstance(data, str):
        raise TypeError("data is bytes, not str: encode it, as in text.encode()")
    try:
        with memoryview(data) as view:
            return view.tobytes()
    except TypeError:
        raise TypeError(f"data is bytes, or something with a buffer such as bytearray, not {type(data).__name__}") from None


def whole(name: str, least: int, most: int, value: Any) -> int:
    """An argument that is a number, if it is one and in its range."""
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} is an int, not {type(value).__name__}") from None
    if not least <= number <= most:
        raise InvalidError(f"{name} is at least {least} and at most {most}, not {number}")
    return number


def _id_of(value: Any) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"an id is an int, not {type(value).__name__}") from None
    if not 0 <= number < 2**32:
        raise InvalidError(f"the id {number} is not a number of 32 bits")
    return number


def _plain(at: int, event: Any) -> Event:
    """An Event of exact types, or the error that says which event is wrong, and why."""
    if not isinstance(event, tuple) or not 2 <= len(event) <= 4:
        kind = f"a tuple of {len(event)}" if isinstance(event, tuple) else type(event).__name__
        raise TypeError(f"event {at} is {kind}; it takes an estore.Event, or a tuple (time, data) or (time, data, id)")
    try:
        data = _bytes_of(event[1])
        # Of a subclass of bytes only the bytes count.
        return Event(to_ns(event[0]), data if type(data) is bytes else bytes(data), _id_of(event[2]) if len(event) > 2 else 0)
    except (TypeError, InvalidError) as e:
        raise type(e)(f"event {at}: {e}") from None


class Packed:
    """A batch as the library takes it. Its memory lives as long as this does."""

    __slots__ = ("address", "count", "_keep")

    def __init__(self, events: Union[Event, Iterable[EventLike]]) -> None:
        batch: List[Any]
        if isinstance(events, Event):
            batch = [events]
        else:
            try:
                batch = list(events)
            except TypeError:
                raise TypeError(f"append takes an Event or an iterable of them, not {type(events).__name__}") from None
        self.count = len(batch)
        self.address = 0
        self._keep: Tuple[Any, ...] = ()
        if batch:
            try:
                self._fill(*_columns(batch))
            except (TypeError, OverflowError):
                # A time that is no int, data that is no bytes, or something that does not fit: look at them one by one.
                self._fill(*_columns([_plain(at, event) for at, event in enumerate(batch)]))

    def _fill(self, times: List[Any], data: List[Any], ids: Optional[List[Any]]) -> None:
        if set(map(type, data)) != {bytes}:
            raise TypeError
        lengths = list(map(len, data))
        if max(lengths) >= 2**32:
            raise TooLargeError(f"an event of {max(lengths)} bytes: no store takes more than 1 GiB")
        total = sum(lengths)
        buffer = bytearray(EVENT_SIZE * self.count)
        words, halves = memoryview(buffer).cast("Q"), memoryview(buffer).cast("I")
        words[0::4] = array("Q", times)
        halves[6::8] = array("I", lengths)
        if ids is not None:
            halves[7::8] = array("I", ids)
        if total >= _LARGE * self.count:
            pointers = (ctypes.c_char_p * self.count)(*data)
            words[2::4] = memoryview(pointers).cast("B").cast("Q")
            self._keep = (buffer, pointers)
        elif total:
            joined = bytearray().join(data)
            starts = array("Q", list(accumulate(lengths, initial=address_of(joined))))
            words[2::4] = starts[:-1]
            self._keep = (buffer, joined)
        else:
            self._keep = (buffer,)
        words.release()
        halves.release()
        self.address = address_of(buffer)


def _columns(batch: List[Any]) -> Tuple[List[Any], List[Any], Optional[List[Any]]]:
    """Times, data and ids, if all are Events or all are plain tuples of one length."""
    kinds, fields = set(map(type, batch)), len(Event._fields)
    if kinds == {tuple}:
        fields = min(map(len, batch)) if len(set(map(len, batch))) == 1 else 0
    elif kinds != {Event}:
        raise TypeError
    if not 2 <= fields <= 4:
        raise TypeError
    return list(map(_first, batch)), list(map(_second, batch)), list(map(_third, batch)) if fields > 2 else None


_first, _second, _third = operator.itemgetter(0), operator.itemgetter(1), operator.itemgetter(2)


def address_of(buffer: Any) -> int:
    """Where the bytes of something writable are; until its size changes."""
    return ctypes.addressof(ctypes.c_char.from_buffer(buffer))


class Columns:
    """Room for some events, one array for each field and a buffer for all data, which the library fills. The arrays lie one behind the other
    in one piece of memory, since each piece takes time to make: times, seqs, offsets, ids."""

    def __init__(self, capacity: int, data_capacity: int) -> None:
        self.capacity = capacity
        self._fields = self._memory(28 * capacity + 8)
        self._places = 0, 8 * capacity, 16 * capacity, 24 * capacity + 8
        start = address_of(self._fields)
        times, seqs, offsets, ids = self._places
        self._addresses = start + times, start + seqs, start + ids, start + offsets
        self._count, self._length = ctypes.c_size_t(), ctypes.c_size_t()
        self._make_room(data_capacity)

    @staticmethod
    def _memory(size: int) -> Any:
        # Its slices are bytes.
        return (ctypes.c_char * size)()

    def _make_room(self, data_capacity: int) -> None:
        self._data, self._data_capacity = self._memory(data_capacity), data_capacity
        self._data_address = address_of(self._data)

    def fill(self, iterator: ctypes.c_void_p, most: int, detail: ErrorDetail) -> int:
        """Copies the next events into them, at most so many. Answers the status; `count` and `data_len` hold after ESTORE_OK."""
        count, length = ctypes.byref(self._count), ctypes.byref(self._length)
        while True:
            most = min(most, self.capacity)
            status: int = library.estore_iter_next_columns(
                iterator, *self._addresses, most, self._data_address, self._data_capacity, count, length, ctypes.byref(detail)
            )
            if status != 0 or self.count:
                return status
            # Not even the next event had room.
            self._make_room(max(self.data_len, 2 * self._data_capacity))

    @property
    def count(self) -> int:
        """How many events there are."""
        return self._count.value

    @property
    def data_len(self) -> int:
        """How many bytes of data they have."""
        return self._length.value

    def events(self) -> Iterator[Event]:
        """The events, which own their data."""
        n, (times, seqs, offsets, ids) = self.count, self._places
        words, bounds = self._fields, array("Q", self._fields[offsets : offsets + 8 * n + 8]).tolist()
        data = map(self._data.__getitem__, map(slice, bounds, bounds[1:]))
        columns = array("Q", words[times : times + 8 * n]), data, array("I", words[ids : ids + 4 * n]), array("Q", words[seqs : seqs + 8 * n])
        return map(_event, zip(*columns))


_event: Callable[[Any], Any] = partial(tuple.__new__, Event)
