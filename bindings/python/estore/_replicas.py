"""Replicas: stores that should hold the same events, how they are compared, and how they are brought together."""

from __future__ import annotations

import ctypes
import weakref
from threading import Lock
from typing import Any, Callable, Iterator, List, NamedTuple, NoReturn, Optional, Sequence, Tuple, TypeVar, Union

from ._errors import InvalidError
from ._events import whole
from ._handle import Handle
from ._library import ErrorDetail, Function, Raised, error_of, library
from ._reader import Gap, into
from ._times import FOREVER

BytesLike = Union[bytes, bytearray, memoryview]

ONE_WAY, BOTH_WAYS = 0, 1
END = 1
_HALF = 2**64 - 1


class Bucket(NamedTuple):
    """What a digest tells of a stretch of time: how many different events it has, and the 128-bit sum of their hashes."""

    count: int  # type: ignore[assignment] # of a tuple it is a method, which nobody needs here
    sum: int


class Digest(NamedTuple):
    """What a range of times holds, bucket by bucket: equal for stores that hold the same events, however they were appended, and whatever has
    become of their files. Made by Store.digest. It is plain data, to be sent in any way, and made anew from its parts."""

    start: int
    """The first time, in nanoseconds since 1970,"""
    end: int
    """and the last one, inclusive."""
    width: int
    """How long each bucket is, in nanoseconds; the last one may be shorter."""
    horizon: int
    """Everything before this time is deleted in the store."""
    buckets: Sequence[Bucket]
    """In order of time."""

    def differences(self, other: Digest) -> List[Tuple[int, int]]:
        """The times in which the two stores differ: pairs of first and last time, both inclusive, which don't touch; none if the digests are
        equal. Times before the later horizon of the two are left out; but the bucket in which it lies may differ just by what is deleted of
        it. To be exact there, ask both for a range that starts at the later horizon. Digests of different ranges or widths raise InvalidError.
        """
        shape = (self.start, self.end, self.width, len(self.buckets))
        if shape != (other.start, other.end, other.width, len(other.buckets)):
            raise InvalidError("digests of different ranges can't be compared")
        start, end, width = (whole(name, 0, FOREVER, value) for name, value in zip(("start", "end", "width"), shape))
        here, there, count = _numbers(self), _numbers(other), len(self.buckets)
        bounds, ranges, detail = (ctypes.c_uint64 * (2 * count))(), ctypes.c_size_t(), ErrorDetail()
        horizons = [whole("horizon", 0, FOREVER, digest.horizon) for digest in (self, other)]
        status = library.estore_digest_differences(
            start, end, width, here, horizons[0], there, horizons[1], count, bounds, count, ctypes.byref(ranges), ctypes.byref(detail)
        )
        if status < 0:
            raise error_of(status, detail)
        return [(bounds[2 * at], bounds[2 * at + 1]) for at in range(ranges.value)]


def _numbers(digest: Digest) -> Any:
    numbers = (ctypes.c_uint64 * (3 * len(digest.buckets)))()
    for at, (count, total) in enumerate(digest.buckets):
        count, total = whole("count", 0, _HALF, count), whole("sum", 0, 2**128 - 1, total)
        numbers[3 * at : 3 * at + 3] = [count, total & _HALF, total >> 64]
    return numbers


def room_for_buckets(start: int, end: int, width: int) -> int:
    """How many buckets a digest has; what the library refuses needs no room."""
    if width == 0 or start > end or (end - start) // width >= 1 << 20:
        return 0
    return (end - start) // width + 1


def to_buckets(numbers: Sequence[int], count: int) -> List[Bucket]:
    """The buckets that the library wrote."""
    return [Bucket(numbers[at], numbers[at + 1] | numbers[at + 2] << 64) for at in range(0, 3 * count, 3)]


class Copied(NamedTuple):
    """What became of the events of one store that another was to have. Each that was compared is one of the others."""

    compared: int
    """Events that were looked at, repeats too."""
    copied: int
    """Events that the other lacked, and has now."""
    skipped: int
    """Events that the other has already, and repeats."""
    expired: int
    """Events that the other has deleted, or would have."""


class Repaired(NamedTuple):
    """What a repair did."""

    to: Copied
    """For the store that was repaired."""
    from_: Copied
    """For the other one. Nothing is copied there unless that was asked for."""
    gaps: List[Gap]
    """The damaged places in the other store: what is in there was not copied. Of a store elsewhere the path is the name of the file; a last one
    without a name stands for more places than are told one by one."""
    own_gaps: List[Gap]
    """The damaged places in the store that was repaired: what was in there it was given anew, if the other one has it."""
    stopped: bool
    """on_progress stopped it before all was done."""


class Repairing:
    """Where a repair puts what it did."""

    def __init__(self, raised: Raised) -> None:
        self.gaps: List[Gap] = []
        self.on_gap = into(self.gaps, raised)
        self.values = (ctypes.c_uint64 * 11)()

    def done(self) -> Repaired:
        """All of it."""
        values = list(self.values)
        theirs = values[8]
        return Repaired(Copied(*values[:4]), Copied(*values[4:8]), self.gaps[:theirs], self.gaps[theirs:], bool(values[10]))


class Carried:
    """Bytes of the caller as the library takes them, for as long as this lives."""

    def __init__(self, data: BytesLike) -> None:
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise TypeError(f"bytes are needed, not {type(data).__name__}")
        self._own = bytes(data)
        self.pointer = ctypes.cast(ctypes.c_char_p(self._own), ctypes.c_void_p)
        self.length = len(self._own)


def take(pointer: ctypes.c_void_p) -> bytes:
    """Takes the bytes out of an estore_bytes, and frees it."""
    try:
        data, length, detail = ctypes.c_void_p(), ctypes.c_size_t(), ErrorDetail()
        status = library.estore_bytes_view(pointer, ctypes.byref(data), ctypes.byref(length), ctypes.byref(detail))
        if status < 0:
            raise error_of(status, detail)
        return ctypes.string_at(data.value or 0, length.value) if length.value else b""
    finally:
        library.estore_bytes_free(ctypes.byref(pointer))


H = TypeVar("H", bound="_Beside")


class _Beside:
    """A handle beside that of a store. Threads take turns with it."""

    _what = ""

    def __init__(self, handle: Handle) -> None:
        self._handle = handle
        self._turn = Lock()
        self._end = weakref.finalize(self, handle.dropped)

    def _call(self, function: Function, *arguments: Any) -> int:
        # In a forked child nobody will ever give the turn back.
        self._handle.check()
        with self._turn:
            return self._handle.call(function, *arguments)

    def close(self) -> None:
        """Ends it. Closing twice is fine; afterwards all else raises ClosedError."""
        self._handle.close()
        if self._handle.closed:
            self._end.detach()

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._handle.closed

    def __enter__(self: H) -> H:
        self._handle.check()
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"an {self._what} can't be copied or pickled: it owns a handle")


class Exchange(_Beside):
    """Repairs a store by messages with another one, which may be anywhere. Made by Store.exchange. It is the caller who carries the
    messages: each `request` is answered by `answer` of the other store, and the answer goes to `reply`; `run` does it until all is done.

        with store.exchange(both_ways=True) as exchange:
            repaired = exchange.run(lambda message: post("https://the.other/answer", message))

    It may be given up at any point: what was copied stays, and another exchange brings the rest. Once its store is closed it raises
    ClosedError. Threads: any; they take turns, but let one at a time carry messages: an answer to the message of another is refused.
    """

    _what = "exchange"

    def __init__(self, handle: Handle, store: object) -> None:
        """Made by Store.exchange."""
        super().__init__(handle)
        # A store that nobody holds is closed, and without it an exchange is of no use.
        self._store = store

    def request(self) -> Optional[bytes]:
        """The next message for the other store; None once all is done. The same message again until `reply` has taken an answer."""
        message = ctypes.c_void_p()
        status = self._call(library.estore_exchange_request, ctypes.byref(message))
        return None if status == END else take(message)

    def reply(self, answer: BytesLike) -> None:
        """Takes the answer of the other store, and appends what it brings. One that is no answer to the last request, or was cut or changed,
        raises CorruptError: it counts for nothing, and the request waits to be sent again.
        """
        carried = Carried(answer)
        self._call(library.estore_exchange_reply, carried.pointer, carried.length)

    def repaired(self) -> Repaired:
        """What was done so far. Ranges of which both hold the same are not looked into: their events are not among those compared."""
        with Raised() as raised:
            repairing = Repairing(raised)
            self._call(library.estore_exchange_repaired, repairing.on_gap, None, repairing.values, len(repairing.values), None)
        return repairing.done()

    def run(self, send: Callable[[bytes], BytesLike]) -> Repaired:
        """Exchanges messages until all is done: `send` brings each to the other store, and answers with its answer. What it raises reaches
        you; run again, it goes on where it was.
        """
        while True:
            message = self.request()
            if message is None:
                return self.repaired()
            self.reply(send(message))


class Export(_Beside):
    """The events of a range as parcels, each whole in itself, to be kept or carried anywhere and imported there. Made by Store.export. Loop over
    it once. It shows the store as it was when it was made, and may outlive it. At damage it raises CorruptError, after the events before it,
    unless it was made with salvage=True. Threads: any; they take turns.
    """

    _what = "export"

    def __init__(self, handle: Handle, max_bytes: int) -> None:
        """Made by Store.export."""
        super().__init__(handle)
        self._max_bytes = max_bytes

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        parcel = ctypes.c_void_p()
        if self._call(library.estore_export_next, self._max_bytes, ctypes.byref(parcel)) == END:
            raise StopIteration
        return take(parcel)

    @property
    def snapshot_seq(self) -> int:
        """The parcels have every event of the range with at most this seq, and none with a larger one."""
        seq = ctypes.c_uint64()
        self._call(library.estore_export_snapshot_seq, ctypes.byref(seq))
        return seq.value

    @property
    def gaps(self) -> List[Gap]:
        """What has been left out so far; all of it at the end. Empty unless it was made with salvage=True."""
        gaps: List[Gap] = []
        with Raised() as raised:
            self._call(library.estore_export_gaps, into(gaps, raised), None, None)
        return gaps
