"""Events, one at a time as Python sees them and many at a time as the library does.

A batch crosses in one call, and what is done for each of its events is done by built-in functions that work on whole columns: an array of
estore_event (time, seq, address, length, id; 32 bytes) is two views of one buffer, as 64-bit and as 32-bit numbers, whose every fourth or
eighth is one column.
"""

from __future__ import annotations

import ctypes
import operator
import sys
from array import array
from datetime import datetime
from functools import partial
from itertools import accumulate, chain
from typing import Any, Callable, Iterable, List, NamedTuple, Tuple, Union

from ._errors import InvalidError, TooLargeError
from ._library import library
from ._times import Time, now, to_datetime, to_ns

EVENT_SIZE = 32
# From here on data is passed where it lies; below, copying it into one buffer costs less than asking for each address.
_LARGE = 4096

if sys.byteorder != "little" or array("Q").itemsize != 8 or array("I").itemsize != 4:
    raise ImportError("estore needs a little-endian machine of 64 bits")

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
    def at(cls, time: Time, data: Any, id: int = 0) -> Event:
        """An event of a time that may be a datetime, with data that may be anything with a buffer."""
        return cls(to_ns(time), _bytes_of(data), _id_of(id))

    @classmethod
    def now(cls, data: Any) -> Event:
        """An event that happens now, with a random id."""
        return cls(now(), _bytes_of(data), new_id())

    @property
    def datetime(self) -> datetime:
        """The time as a datetime in UTC, rounded down to microseconds."""
        return to_datetime(self.time)


EventLike = Union[Event, Tuple[Time, Any], Tuple[Time, Any, int]]
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

    def __init__(self, events: Union[EventLike, Iterable[EventLike]]) -> None:
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
                self._fill(batch)
            except (TypeError, OverflowError):
                # A time that is no int, data that is no bytes, or something that does not fit: look at them one by one.
                self._fill([_plain(at, event) for at, event in enumerate(batch)])

    def _fill(self, batch: List[Any]) -> None:
        if set(map(type, batch)) != {Event}:
            raise TypeError
        flat: List[Any] = list(chain.from_iterable(batch))
        data = flat[1::4]
        if set(map(type, data)) != {bytes}:
            raise TypeError
        lengths = list(map(len, data))
        if max(lengths) >= 2**32:
            raise TooLargeError(f"an event of {max(lengths)} bytes: no store takes more than 1 GiB")
        total = sum(lengths)
        buffer = bytearray(EVENT_SIZE * len(batch))
        words, halves = memoryview(buffer).cast("Q"), memoryview(buffer).cast("I")
        words[0::4] = array("Q", flat[0::4])
        halves[6::8] = array("I", lengths)
        halves[7::8] = array("I", flat[2::4])
        if total >= _LARGE * len(batch):
            pointers = (ctypes.c_char_p * len(batch))(*data)
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


def address_of(buffer: bytearray) -> int:
    """Where the bytes are; until its size changes."""
    return ctypes.addressof(ctypes.c_char.from_buffer(buffer))


# All of memory as one array of bytes: a slice of it copies what lies at an address, in one step without a call through ctypes.
_memory = (ctypes.c_char * sys.maxsize).from_address(0)
_copy: Callable[[Any], Any] = _memory.__getitem__
_event: Callable[[Any], Any] = partial(tuple.__new__, Event)


def copy_data(words: memoryview, halves: memoryview, n: int) -> List[bytes]:
    """The data of the first n events of an array, copied. The array must have come from the library just now."""
    starts, lengths = words[2 : 4 * n : 4].tolist(), halves[6 : 8 * n : 8].tolist()
    return list(map(_copy, map(slice, starts, map(operator.add, starts, lengths))))


def unpack(words: memoryview, halves: memoryview, n: int) -> List[Event]:
    """The first n events of an array. The array must have come from the library just now."""
    times, ids, seqs = words[0 : 4 * n : 4].tolist(), halves[7 : 8 * n : 8].tolist(), words[1 : 4 * n : 4].tolist()
    return list(map(_event, zip(times, copy_data(words, halves, n), ids, seqs)))
