"""Stores: opening them, and all that is asked of one."""

from __future__ import annotations

import ctypes
import logging
import os
import weakref
from contextlib import contextmanager
from threading import get_ident
from typing import Any, Callable, Dict, Iterable, Iterator, List, Literal, NamedTuple, NoReturn, Optional, Set, Tuple, Type, TypeVar, Union

from . import _reader
from ._errors import InvalidError
from ._events import Event, EventLike, Packed, whole
from ._handle import Handle
from ._library import NO_NUMBER, ErrorDetail, FindingFunction, Function, LogFunction, ProgressFunction, Raised, error_of, library, text_at
from ._reader import Query, Reader
from ._replicas import BOTH_WAYS, ONE_WAY, BytesLike, Carried, Digest, Exchange, Export, Repaired, Repairing, room_for_buckets, take, to_buckets
from ._tail import Tail
from ._times import FOREVER, Duration, Time, duration_ns, to_ns


PathLike = Union[str, bytes, "os.PathLike[str]", "os.PathLike[bytes]"]
"""A path as the functions of `os` take it."""

Mode = Literal["create_if_missing", "create_new", "existing", "read_only"]
"""What opening does: make a store where none is; insist on a new one; insist on one that is there; or only read, beside a writer too."""

Durability = Literal["buffered", "process", "interval", "power"]
"""What an append survives once it has returned: nothing until the buffer was written; the death of the process; that, and loss of power
after an interval; loss of power."""

Compression = Literal["none", "lz4"]
"""How compaction stores events: as they are, or compressed, if they get smaller by it."""

LogTo = Union[logging.Logger, Callable[[int, str], object], None]
"""Who gets the messages of a store: a logger, a function of level (logging.ERROR, WARNING or INFO) and message, or nobody."""

_MODES = ("create_if_missing", "create_new", "existing", "read_only")
_DURABILITIES = ("buffered", "process", "interval", "power")
_COMPRESSIONS = ("none", "lz4")
_LEVELS = {1: logging.ERROR, 2: logging.WARNING, 3: logging.INFO}
_KINDS = {1: "damage", 2: "derived", 3: "aside"}

LOGGER = logging.getLogger("estore")
# A library leaves it to the program whether anything is printed.
LOGGER.addHandler(logging.NullHandler())

S = TypeVar("S", bound="Efile")


class Absent(NamedTuple):
    """What append_absent did: the last seq of the store, and how many events were stored, were present already, or had expired (lay before
    what was deleted)."""

    last_seq: int
    stored: int
    present: int
    expired: int


class Finding(NamedTuple):
    """What verify found. `kind` is "damage" (events are lost, or may be), "derived" (an index or recon file that is made anew; nothing is
    lost) or "aside" (bytes that a recovery kept for a person to look at). `len` is 0 where it is not a matter of bytes."""

    kind: str
    path: str
    offset: int
    len: int
    what: str


class Verified(NamedTuple):
    """The outcome of verify: how many events were found whole, how many findings are damage, and the findings."""

    events: int
    damaged: int
    findings: List[Finding]


class Compacted(NamedTuple):
    """What compact did: the bytes of the logs that it compacted, and of those that took their place."""

    bytes_before: int
    bytes_after: int


class Snapshot(NamedTuple):
    """What snapshot made."""

    seq: int
    """The last seq that it shows: where to follow from."""
    bytes_copied: int
    """Bytes of logs that were copied."""
    bytes_linked: int
    """Bytes of logs that it shares with the store."""
    damaged: int
    """Damaged places in what was copied: they are so in the store."""
    stopped: bool
    """on_progress stopped it: the folder is as it was."""


class Retained(NamedTuple):
    """What retain has removed, or would remove."""

    horizon: int
    """Everything before this time is gone. Where it was if no chunk goes."""
    chunks: int
    """Chunks that went."""
    events: int
    """Events in them."""
    bytes: int
    """Bytes that they took on disk, as Stats.chunk_bytes counts."""


class Stats(NamedTuple):
    """The numbers of a store. Times are nanoseconds since 1970, durations nanoseconds, sizes bytes."""

    file_size_ns: int
    """The time range of one chunk; 0 for an efile."""
    grace_ns: int
    """How far an event may lie behind the newest before it is late."""
    chunks: int
    """Chunks."""
    events: int
    """Events that reading everything gives."""
    late_events: int
    """Events that were late when they came, in the chunks that are there."""
    recon_events: int
    """Events that went through the recon file: the late ones, and stragglers within the grace."""
    oldest: Optional[int]
    """The smallest time; None in an empty store."""
    newest: Optional[int]
    """The largest time; None in an empty store."""
    horizon: int
    """Events before this time were deleted."""
    last_seq: int
    """The last seq given."""
    durable_seq: int
    """The seq up to which everything survives loss of power."""
    log_bytes: int
    """Bytes in logs."""
    recon_bytes: int
    """Bytes in recon files."""
    index_bytes: int
    """Bytes in index files."""
    journal_bytes: int
    """Bytes in the journal."""
    open_logs: int
    """Logs open for appending."""
    expired: int
    """Events that this handle skipped, since they lay before the horizon."""
    present: int
    """Events that append_absent of this handle found present."""
    recovered_events: int
    """Events recovered when the store was opened."""
    cut_bytes: int
    """Bytes of torn tails that were cut (and kept aside), or are not shown to who only reads."""
    damaged_regions: int
    """Damaged regions in logs that were looked at."""
    backlog_bytes: int
    """Bytes in the logs of chunks that wait for being compacted."""
    chunk_bytes: int
    """Bytes of all chunks on disk, as the option max_bytes counts them."""
    removed_chunks: int
    """Chunks that retention removed through this handle."""
    others: Dict[str, int]
    """Numbers that only a newer library knows, by name."""


_KNOWN_STATS = len(Stats._fields) - 1
# Room for what later libraries may add.
_STATS_ROOM = 64


def _telling(on_progress: Optional[Callable[[int, int], object]]) -> Tuple[Any, Raised]:
    """The function as the library calls it, and what it raises."""
    if not (on_progress is None or callable(on_progress)):
        raise TypeError(f"on_progress is a function or None, not {type(on_progress).__name__}")
    raised = Raised()

    def tell(_: Any, done: int, events: int) -> int:
        try:
            return 1 if on_progress is not None and on_progress(done, events) else 0
        except BaseException as e:  # noqa: B902 # see Raised
            raised.add(e)
            return 1

    return ProgressFunction(tell), raised


class Efile:
    """The simple store: one log of any time range, in a folder of its own. Made by open_efile.

    Threads: any number may use it at once, in any combination of calls, and no call holds the GIL. Close it with `close` or a with block;
    afterwards all calls raise ClosedError. In a forked child all but closing raises ForkedError.
    """

    _kind = "efile"

    def __init__(self, handle: Handle, path: PathLike) -> None:
        """Made by open_efile or open."""
        self._handle = handle
        self._path = path
        # Closes it when it is forgotten, at the latest before the interpreter takes itself apart: a thread of the store must not call
        # the log function of an interpreter that is gone.
        self._end = weakref.finalize(self, handle.forgotten)

    def _function(self, name: str) -> Function:
        function: Function = getattr(library, f"{self._kind}_{name}")
        return function

    def _ask(self, name: str, *arguments: Any) -> int:
        number = ctypes.c_uint64()
        self._handle.call(self._function(name), *arguments, ctypes.byref(number))
        return number.value

    @property
    def path(self) -> PathLike:
        """The folder, as it was given."""
        return self._path

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._handle.closed

    def append(self, events: Union[Event, Iterable[EventLike]]) -> int:
        """Appends an Event, or any iterable of events as one batch, in any order of times. Readers see all of a batch or nothing. Repeats
        are stored too. Answers the last seq of the store as of this append. On failure nothing is stored, except that OutcomeUnknownError
        leaves that open. Threads: each batch stays together.
        """
        batch, seq = Packed(events), ctypes.c_uint64()
        self._handle.call(self._function("append"), batch.address, batch.count, ctypes.byref(seq))
        return seq.value

    def append_absent(self, events: Union[Event, Iterable[EventLike]]) -> Absent:
        """Appends those events that are not there yet, in one step: none whose time, id and data are those of a stored event or of an
        earlier one in the batch. Meant for sources that send again what may have been stored. Otherwise like append.
        """
        batch, numbers = Packed(events), [ctypes.c_uint64() for _ in range(4)]
        self._handle.call(self._function("append_absent"), batch.address, batch.count, *map(ctypes.byref, numbers))
        return Absent(*(number.value for number in numbers))

    def read(
        self,
        start: Optional[Time] = None,
        end: Optional[Time] = None,
        *,
        reverse: bool = False,
        last: Optional[int] = None,
        limit: Optional[int] = None,
        salvage: bool = False,
    ) -> Reader:
        """Reads the events from start to end, both inclusive, None for no bound, in exact order of time; equal times in the order of their
        arrival. The reader shows this moment: every append that had returned, and nothing that comes later.

        reverse: newest first. limit: only so many, counted from where reading starts. last: only the newest so many, still oldest first
        unless reversed. salvage: go on at damage, leave out what is damaged, and tell it in Reader.gaps.
        """
        bounds = self._bounds(start, end)
        return self._read(_reader.query(*bounds, reverse, last, limit, salvage))

    def _read(self, query: Query) -> Reader:
        # Made first, so that nothing can come between the iterator and who closes it.
        reader = Reader(query, self._read, self._handle.filename, self._handle.keep)
        limit, iterator = query.last or query.limit or 0, ctypes.byref(reader.iterator)
        self._handle.call(self._function("read_iter"), query.start, query.end, query.flags, limit, iterator)
        return reader

    def tail(self, after: int) -> Tail:
        """Follows the store: gives every event with a larger seq than `after` in order of arrival, late ones too, and then those that come, in
        the writing process or beside it in another. It survives chunks that begin, compaction and the writer's restarts; the seq of the last
        event that was handled is all that is kept to go on another time. 0 begins with the first event there is, last_seq with the next to
        come. To look back and then follow: read first, then tail from Reader.snapshot_seq.
        """
        after = whole("after", 0, FOREVER, after)
        # Made first, so that nothing can come between the iterator and who closes it.
        tail = Tail(self._handle.filename, self._handle.keep)
        self._handle.call(self._function("tail_iter"), after, ctypes.byref(tail.iterator))
        return tail

    @staticmethod
    def _bounds(start: Optional[Time], end: Optional[Time]) -> Tuple[int, int]:
        return 0 if start is None else to_ns(start), FOREVER if end is None else to_ns(end)

    def __iter__(self) -> Iterator[Any]:
        raise TypeError("loop over store.read(), which reads everything")

    def count(self, start: Optional[Time] = None, end: Optional[Time] = None) -> int:
        """How many events lie from start to end, both inclusive, None for no bound. Does not read them."""
        return self._ask("count", *self._bounds(start, end))

    def sync(self) -> int:
        """Makes everything appended so far survive loss of power, and answers the seq up to which that is so now. Blocks until the disk has
        confirmed. After an IoError or OutcomeUnknownError the store refuses appends until it is opened again.
        """
        return self._ask("sync")

    def tick(self) -> None:
        """Does what is due by time: a sync, a flush of the buffer, retention, or where it is open for reading only a look for what tails wait
        for. Only needed if it was opened with background=False.
        """
        self._handle.call(self._function("tick"))

    @property
    def last_seq(self) -> int:
        """The last seq given; 0 if nothing was ever appended."""
        return self._ask("last_seq")

    @property
    def durable_seq(self) -> int:
        """The seq up to which everything survives loss of power."""
        return self._ask("durable_seq")

    def stats(self) -> Stats:
        """The numbers of the store."""
        values, known = (ctypes.c_uint64 * _STATS_ROOM)(), ctypes.c_size_t()
        self._handle.call(self._function("stats"), values, _STATS_ROOM, ctypes.byref(known))
        numbers = dict(zip(Stats._fields, values[:_KNOWN_STATS]))
        empty = numbers["oldest"] == NO_NUMBER and numbers["newest"] == 0
        others: Dict[str, int] = {}
        for at in range(_KNOWN_STATS, min(known.value, _STATS_ROOM)):
            others[(library.estore_stat_name(at) or b"").decode() or str(at)] = values[at]
        stats = Stats(**numbers, others=others)
        return stats._replace(oldest=None, newest=None) if empty else stats

    def verify(self, on_finding: Optional[Callable[[Finding], object]] = None) -> Verified:
        """Looks at every byte: all checksums, the order of events, and whether the files agree with each other. May run while others append
        and read. Changes nothing. Raises nothing for what it finds: see the answer.

        on_finding: called for each finding as it is found, in this thread; the walk ends early if it answers something true, or raises,
        which reaches you. Without it the answer holds the findings.
        """
        if not (on_finding is None or callable(on_finding)):
            raise TypeError(f"on_finding is a function or None, not {type(on_finding).__name__}")
        findings: List[Finding] = []
        raised = Raised()

        def found(_: Any, kind: int, path: int, path_len: int, offset: int, length: int, what: int, what_len: int) -> int:
            try:
                finding = Finding(_KINDS.get(kind, str(kind)), text_at(path, path_len), offset, length, text_at(what, what_len))
                if on_finding is None:
                    findings.append(finding)
                    return 0
                return 1 if on_finding(finding) else 0
            except BaseException as e:  # noqa: B902 # see Raised
                raised.add(e)
                return 1

        events, damaged = ctypes.c_uint64(), ctypes.c_uint64()
        with raised:
            self._handle.call(self._function("verify"), FindingFunction(found), None, ctypes.byref(events), ctypes.byref(damaged))
        return Verified(events.value, damaged.value, findings)

    def compact(
        self, start: Optional[Time] = None, end: Optional[Time] = None, on_progress: Optional[Callable[[int, int], object]] = None
    ) -> Compacted:
        """Merges the logs of each chunk from start to end into one: sorted, in full frames, with nothing late any more, so that reading and
        keeping it takes less. Others append and read meanwhile. A store does this by itself where it is worth it, unless it was opened with
        compaction=False. A damaged chunk stays as it is: the others are compacted before that is raised, as CorruptError.

        on_progress: told now and then how many events are done, and of how many; it must not use the same store. It stops there if it
        answers something true, or raises, which reaches you: then what is done stays, and the rest is as it was.
        """
        told, raised = _telling(on_progress)
        first, last = self._bounds(start, end)
        before, after = ctypes.c_uint64(), ctypes.c_uint64()
        function = self._function("compact")
        with raised:
            self._handle.call(function, first, last, told, None, ctypes.byref(before), ctypes.byref(after))
        return Compacted(before.value, after.value)

    def snapshot(self, path: PathLike, on_progress: Optional[Callable[[int, int], object]] = None) -> Snapshot:
        """Makes a durable copy, as it is at one moment, in another folder, while others append, read, compact and delete. The copy can be
        opened like any other; opened for writing it is one of its own from then on. Works for one opened with mode="read_only" too, beside
        a writer in another process.

        path: the folder. It is made if it is not there, in a folder that is; it may be empty, or hold an earlier snapshot of the same store
        that nobody has opened for writing: then only what is new is copied, and until the new one is whole the earlier one is there.
        Everything else is refused: ExistsError, ForeignFilesError, NotAFolderError, InvalidError for its own folder and those in it,
        LockedError while another snapshot is being made there. on_progress: told now and then how many events are done, and of how
        many; it must not use the same store. It stops there if it answers something true, or raises, which reaches you: then, and whenever
        this raises, the folder is as it was.
        """
        told, raised = _telling(on_progress)
        folder = os.fsencode(path)
        seq, copied, linked, damaged = (ctypes.c_uint64() for _ in range(4))
        stopped = ctypes.c_int32()
        outputs = [ctypes.byref(output) for output in (seq, copied, linked, damaged, stopped)]
        with raised:
            self._handle.call(self._function("snapshot"), folder, len(folder), told, None, *outputs)
        return Snapshot(seq.value, copied.value, linked.value, damaged.value, bool(stopped.value))

    def digest(self, start: Time, end: Time, width: Duration) -> Digest:
        """What a range of times holds, both ends inclusive, in buckets of a width, for comparing stores that should hold the same: ask both
        for the same range and width, and see Digest.differences. Takes about two scans of the range. A width of 0, or with which there
        are more than a million buckets, raises InvalidError.
        """
        first, last = self._bounds(start, end)
        wide = duration_ns(width)
        room = room_for_buckets(first, last, wide)
        numbers, count, horizon = (ctypes.c_uint64 * (3 * room))(), ctypes.c_size_t(), ctypes.c_uint64()
        self._handle.call(self._function("digest"), first, last, wide, numbers, room, ctypes.byref(count), ctypes.byref(horizon))
        return Digest(first, last, wide, horizon.value, to_buckets(numbers[:], count.value))

    def repair(
        self: S,
        from_: S,
        start: Optional[Time] = None,
        end: Optional[Time] = None,
        *,
        both_ways: bool = False,
        on_progress: Optional[Callable[[int, int], object]] = None,
    ) -> Repaired:
        """Brings this store what it lacks of the events that another one has from start to end, both inclusive, None for no bound; with
        both_ways the other one too. Two events are the same if time, id and data are. Nothing is doubled, and what one of them has deleted is
        not brought back. Their settings may differ, and others may append meanwhile. What is in damaged frames is not there, in either of them:
        see Repaired.gaps and Repaired.own_gaps.

        on_progress: told now and then how many events are done, and of how many; it must not use the two stores. It stops there if it
        answers something true, or raises, which reaches you: what was copied stays, and a repair later brings the rest.
        """
        if not isinstance(from_, Efile) or from_._kind != self._kind:
            raise TypeError(f"a {type(self).__name__} is repaired from another one, not from {type(from_).__name__}")
        told, raised = _telling(on_progress)
        repairing, flags = Repairing(raised), BOTH_WAYS if both_ways else ONE_WAY
        outputs = (repairing.on_gap, told, None, repairing.values, len(repairing.values), None)
        with raised:
            self._handle.call_with(from_._handle, self._function("repair"), *self._bounds(start, end), flags, *outputs)
        return repairing.done()

    def exchange(self, start: Optional[Time] = None, end: Optional[Time] = None, *, both_ways: bool = False) -> Exchange:
        """Begins to bring this store what it lacks of the events that another one has from start to end, both inclusive, None for no bound;
        with both_ways the other one too; by messages that the caller carries, so the other may be anywhere. One event that lacks among
        100 million is found with a few messages of some kilobytes.
        """
        pointer, flags = ctypes.c_void_p(), BOTH_WAYS if both_ways else ONE_WAY
        self._handle.call(self._function("exchange_begin"), *self._bounds(start, end), flags, ctypes.byref(pointer))
        return Exchange(self._handle.beside(pointer.value or 0, library.estore_exchange_close, "exchange"), self)

    def answer(self, message: BytesLike) -> bytes:
        """Answers a message of an Exchange elsewhere. Nothing is remembered from one message to the next, so a peer may vanish at any point.
        Bytes that are no such message, or were cut or changed, raise CorruptError, and nothing was stored. One opened with
        mode="read_only" answers too, unless it is to be given something.
        """
        carried, reply = Carried(message), ctypes.c_void_p()
        self._handle.call(self._function("answer"), carried.pointer, carried.length, ctypes.byref(reply))
        return take(reply)

    def export(
        self,
        start: Optional[Time] = None,
        end: Optional[Time] = None,
        *,
        max_bytes: int = 1 << 20,
        reverse: bool = False,
        last: Optional[int] = None,
        limit: Optional[int] = None,
        salvage: bool = False,
    ) -> Export:
        """The events from start to end as parcels, for import_parcel elsewhere. max_bytes: a parcel has no more, unless a single event needs
        it. The rest as for read.

            for parcel in store.export():
                file.write(parcel)
        """
        query = _reader.query(*self._bounds(start, end), reverse, last, limit, salvage)
        size, pointer = whole("max_bytes", 1, 2**63 - 1, max_bytes), ctypes.c_void_p()
        limit = query.last or query.limit or 0
        self._handle.call(self._function("export_begin"), query.start, query.end, query.flags, limit, ctypes.byref(pointer))
        return Export(self._handle.beside(pointer.value or 0, library.estore_export_close, "export"), size)

    def import_parcel(self, parcel: BytesLike) -> Absent:
        """Appends the events of a parcel that are not there yet, as one batch. One that was cut or changed raises CorruptError, and nothing of
        it is stored. Otherwise like append_absent.
        """
        carried, numbers = Carried(parcel), [ctypes.c_uint64() for _ in range(4)]
        self._handle.call(self._function("import"), carried.pointer, carried.length, *map(ctypes.byref, numbers))
        return Absent(*(number.value for number in numbers))

    def close(self) -> None:
        """Closes: flushes, syncs, gives up the lock. Waits for calls of other threads; their next ones raise ClosedError. Closing twice is
        fine. If it raises, some appended events may not be on disk; it is closed all the same. Readers that are open go on.
        """
        self._handle.close()
        if self._handle.closed:
            self._end.detach()

    def __enter__(self: S) -> S:
        self._handle.check()
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"{type(self).__name__} can't be copied or pickled: it owns a handle. Other processes open the store themselves")

    def __repr__(self) -> str:
        return f"<estore.{type(self).__name__} {self._handle.filename!r}{', closed' if self.closed else ''}>"


class Store(Efile):
    """A store of events: a folder of chunks, one for each file_size of time. Made by open. All that an Efile has, and deleting by time.

    Threads: as for Efile.
    """

    _kind = "estore"

    def delete_before(self, time: Time) -> None:
        """Deletes all events before a time, for good: reads and counts start there at once, whole chunks below it go, and later appends
        below it are skipped. Readers that are open go on as they were. A time before that of an earlier call changes nothing.
        """
        self._handle.call(library.estore_delete_before, to_ns(time))

    def retain(
        self, *, max_age: Optional[Duration] = None, max_bytes: Optional[int] = None, dry_run: bool = False
    ) -> Retained:
        """Removes whole chunks, oldest first, that are older than max_age, or with which all take more than max_bytes on disk; those that
        the store was opened with, if not given. What is live is never removed, see open. Works on a full disk; what is removed is gone for
        good. Readers that are open go on as they were.

        dry_run: removes nothing, and answers what would be removed:

            store.retain(max_age="30d", dry_run=True).events
        """
        age = 0 if max_age is None else duration_ns(max_age)
        size = 0 if max_bytes is None else whole("max_bytes", 0, 2**64 - 1, max_bytes)
        out = (ctypes.c_uint64 * 4)()
        places = [ctypes.byref(out, 8 * place) for place in range(4)]
        self._handle.call(library.estore_retain, age, size, 1 if dry_run else 0, *places)
        return Retained(*out)

    def splits(self, start: Optional[Time] = None, end: Optional[Time] = None) -> List[Tuple[int, int]]:
        """Cuts a range at chunk borders: pairs of first and last time, both inclusive, in order. These pieces can be read by different
        threads, processes or machines and together give exactly the range. None stands for the time of the oldest or newest event now.
        """
        if start is None or end is None:
            stats = self.stats()
            if stats.oldest is None or stats.newest is None:
                return []
            start = stats.oldest if start is None else start
            end = stats.newest if end is None else end
        bounds, room = self._bounds(start, end), 0
        while True:
            pairs = (ctypes.c_uint64 * (2 * room))()
            pieces = self._ask_splits(bounds, pairs, room)
            if pieces <= room:
                return [(pairs[2 * at], pairs[2 * at + 1]) for at in range(pieces)]
            if pieces > _MOST_PIECES:
                raise InvalidError(f"the range has {pieces} pieces; at most {_MOST_PIECES} are listed at once")
            room = pieces

    def _ask_splits(self, bounds: Tuple[int, int], pairs: Any, room: int) -> int:
        return self._ask("splits", *bounds, pairs, room)


# 16 MiB of them.
_MOST_PIECES = 1 << 20


def _choice(name: str, choices: Tuple[str, ...], value: object) -> int:
    if not isinstance(value, str):
        raise TypeError(f"{name} is a str, not {type(value).__name__}")
    if value not in choices:
        raise InvalidError(f"{name} is one of {', '.join(choices)}, not {value!r}")
    return choices.index(value)


def _set(name: str, options: int, *values: Any) -> None:
    status = getattr(library, f"estore_options_set_{name}")(options, *values)
    if status < 0:
        raise InvalidError(f"the option {name} can't be {', '.join(map(str, values))}")


@contextmanager
def _options(settings: Dict[str, Any], log: Any) -> Iterator[int]:
    options = library.estore_options_new()
    try:
        for name, value in settings.items():
            if value is None:
                continue
            if name == "mode":
                _set(name, options, _choice(name, _MODES, value))
            elif name == "durability":
                interval = settings["sync_interval"]
                _set(name, options, _choice(name, _DURABILITIES, value), 10**9 if interval is None else duration_ns(interval))
            elif name in ("file_size", "grace", "max_age"):
                _set(f"{name}_ns", options, duration_ns(value))
            elif name in ("max_event_len", "max_new_chunks", "max_open_logs"):
                _set(name, options, whole(name, 0, 2**32 - 1, value))
            elif name == "max_bytes":
                _set(name, options, whole(name, 0, 2**64 - 1, value))
            elif name == "buffer":
                length, age = value
                if length is not None or age is not None:
                    length = 1 << 20 if length is None else whole("buffer_len", 0, 2**63 - 1, length)
                    _set(name, options, length, 10**9 if age is None else duration_ns(age))
            elif name == "index":
                _set("no_index", options, 0 if value else 1)
            elif name in ("background", "compaction"):
                _set(name, options, 1 if value else 0)
            elif name == "compression":
                detail = ErrorDetail()
                number = _choice(name, _COMPRESSIONS, value)
                status = library.estore_options_set_compression(options, number, ctypes.byref(detail))
                if status < 0:
                    raise error_of(status, detail)
        if log is not None:
            _set("log", options, log, None)
        yield options
    finally:
        library.estore_options_free(ctypes.byref(ctypes.c_void_p(options)))


def _to_logger(logger: logging.Logger) -> Callable[[int, str], object]:
    def say(level: int, text: str) -> None:
        logger.log(level, "%s", text)

    return say


def _log_function(log: LogTo, inside: Set[int]) -> Any:
    """What the library calls for a message. It adds its thread to `inside` meanwhile."""
    if log is None:
        return None
    say: Callable[[int, str], object]
    if isinstance(log, logging.Logger):
        say = _to_logger(log)
    elif callable(log):
        say = log
    else:
        raise TypeError(f"log is a logging.Logger, a function or None, not {type(log).__name__}")

    def receive(_: Any, level: int, message: int, length: int) -> None:
        # What is raised here goes to sys.unraisablehook: ctypes sees to it that nothing is thrown into the library.
        me = get_ident()
        inside.add(me)
        try:
            say(_LEVELS.get(level, logging.INFO), text_at(message, length))
        finally:
            inside.discard(me)

    return LogFunction(receive)


def _open(kind: Type[S], path: PathLike, log: LogTo, settings: Dict[str, Any]) -> S:
    folder, filename = os.fsencode(path), os.fsdecode(path)
    inside: Set[int] = set()
    keep = _log_function(log, inside)
    pointer, detail = ctypes.c_void_p(), ErrorDetail()
    with _options(settings, keep) as options:
        status = getattr(library, f"{kind._kind}_open")(folder, len(folder), options, ctypes.byref(pointer), ctypes.byref(detail))
    if status < 0:
        raise error_of(status, detail, filename)
    close = getattr(library, f"{kind._kind}_close")
    return kind(Handle(pointer.value or 0, close, kind.__name__.lower(), filename, inside, keep), path)


def open(
    path: PathLike,
    *,
    mode: Mode = "create_if_missing",
    file_size: Optional[Duration] = None,
    grace: Optional[Duration] = None,
    durability: Durability = "interval",
    sync_interval: Optional[Duration] = None,
    buffer_len: Optional[int] = None,
    buffer_age: Optional[Duration] = None,
    max_event_len: Optional[int] = None,
    max_new_chunks: Optional[int] = None,
    max_open_logs: Optional[int] = None,
    index: bool = True,
    background: bool = True,
    compaction: bool = True,
    compression: Optional[Compression] = None,
    max_age: Optional[Duration] = None,
    max_bytes: Optional[int] = None,
    log: LogTo = LOGGER,
) -> Store:
    """Opens the store in a folder, or creates it. After a crash this recovers every event that was promised.

    mode: what to do when there is, or is no, store. file_size: the time range of one chunk of a new store, one day if not given. grace:
    how far an event may lie behind the newest of its chunk before it is late, one minute if not given; it changes how events are stored,
    never what is read. A store keeps these two; opening one that was made with others raises SettingsError.
    durability: what an append survives once it has returned. sync_interval: for "interval", one second if not given. buffer_len (bytes,
    1 MiB) and buffer_age (one second): for "buffered", when the buffer is handed to the system. max_event_len: the largest event that is
    appended, in bytes; 16 MiB if not given, at most 1 GiB. max_new_chunks: how many chunks one batch may create, 1024. max_open_logs: how
    many logs are kept open, 64. index: whether index files are used. background: whether the store may have threads of its own, for what is
    due by time, for compaction and for retention; without them call tick. compaction: whether it may compact by itself, see compact.
    compression: how compaction stores events, as they are if not given; past chunks are then compressed by themselves too, and compact
    compacts those anew that are stored in another way; reading needs no option.
    max_age, max_bytes: retention. Chunks all of whose events are older, and the oldest as long as all take more bytes on disk, go by
    themselves and for good, once the store is open and whenever a new chunk begins: open("events", max_age="30d", max_bytes=100 << 30).
    Ages are counted from the clock, or from the newest time that two events have reached, whichever is smaller, so one event of the far
    future deletes nothing. Nor does a clock that jumps ahead while the store is open, until it has stayed so for a day, or for max_age if
    that is less. What is live stays, also where a limit is below one chunk. See retain.
    log: who gets its messages, the logger "estore" if not given; it must not use the same store. It is called by any thread, and what it
    raises goes to sys.unraisablehook.

    Threads: any. In a forked child a store must be opened anew, once the parent has let go of it.
    """
    settings = {
        "mode": mode,
        "file_size": file_size,
        "grace": grace,
        "sync_interval": sync_interval,
        "durability": durability,
        "buffer": (buffer_len, buffer_age),
        "max_event_len": max_event_len,
        "max_new_chunks": max_new_chunks,
        "max_open_logs": max_open_logs,
        "index": index,
        "background": background,
        "compaction": compaction,
        "compression": compression,
        "max_age": max_age,
        "max_bytes": max_bytes,
    }
    return _open(Store, path, log, settings)


def open_efile(
    path: PathLike,
    *,
    mode: Mode = "create_if_missing",
    grace: Optional[Duration] = None,
    durability: Durability = "interval",
    sync_interval: Optional[Duration] = None,
    buffer_len: Optional[int] = None,
    buffer_age: Optional[Duration] = None,
    max_event_len: Optional[int] = None,
    index: bool = True,
    background: bool = True,
    compaction: bool = True,
    compression: Optional[Compression] = None,
    log: LogTo = LOGGER,
) -> Efile:
    """Opens the efile in a folder, or creates it: the simple store, one log of any time range. The arguments are those of open."""
    settings = {
        "mode": mode,
        "grace": grace,
        "sync_interval": sync_interval,
        "durability": durability,
        "buffer": (buffer_len, buffer_age),
        "max_event_len": max_event_len,
        "index": index,
        "background": background,
        "compaction": compaction,
        "compression": compression,
    }
    return _open(Efile, path, log, settings)


def _destroy(kind: Type[Efile], path: PathLike) -> None:
    folder, detail = os.fsencode(path), ErrorDetail()
    status = getattr(library, f"{kind._kind}_destroy")(folder, len(folder), None, ctypes.byref(detail))
    if status < 0:
        raise error_of(status, detail, os.fsdecode(path))


def destroy(path: PathLike) -> None:
    """Removes a store from disk: its own files, and the folder if nothing else is in it. Refused while a writer has it open (LockedError)."""
    _destroy(Store, path)


def destroy_efile(path: PathLike) -> None:
    """Removes an efile from disk, in the same way."""
    _destroy(Efile, path)
